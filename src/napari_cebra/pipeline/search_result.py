"""What a search for settings found, and what it proposes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.embedding.descriptions import parse
from napari_cebra.pipeline.encoder_shape import EncoderShape
from napari_cebra.pipeline.fit_split import seconds_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.decoding.knn import Task
    from napari_cebra.embedding import TrainConfig
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.recording import Recording

LEAST_DIMENSION = 3
"""Fewest latents that are tried."""

_MEASURES = {
    None: "goodness of fit",
    "index": "mean frame error",
    "regression": "root mean square error",
    "angle": "mean angle error",
    "class": "error rate (1 − balanced accuracy)",
}


@dataclass(frozen=True, eq=False)
class SearchLine:
    """One set of settings that was tried.

    Parameters
    ----------
    training : TrainConfig
    frames : int
        Receptive field.
    seconds : float or None
        The same, where the rate is known.
    first_kernel : int or None
        Frames the first layer with weights sees, where the encoder is of a
        known kind.
    cost : int
        Multiplications and additions per window and step.
    errors : tuple of float
        Held-out error in each fold, in the unit of the target (without a
        target: goodness of fit in bits, with its sign turned round).
    """

    training: TrainConfig
    frames: int
    seconds: float | None
    first_kernel: int | None
    cost: int
    errors: tuple[float, ...] = ()

    @classmethod
    def of(cls, training: TrainConfig, recording: Recording) -> SearchLine:
        """Describe settings that are to be tried on a recording."""
        network = parse(training.model_architecture, training.first_kernel)
        frames, rate = sum(network.receptive_field), recording.rate
        shape = EncoderShape.of(training)
        return cls(
            training,
            frames,
            None if rate is None else frames / rate,
            None if shape is None else shape.kernel,
            _cost(training, recording.traces.n_rois),
        )

    @property
    def error(self) -> float:
        """Mean of the errors over the folds."""
        return float(np.mean(self.errors))

    @property
    def spread(self) -> float:
        """Standard deviation of the errors over the folds; NaN for one."""
        return float(np.std(self.errors, ddof=1)) if len(self.errors) > 1 else math.nan

    @property
    def window(self) -> str:
        """The receptive field in words."""
        if self.seconds is None:
            return f"{self.frames} frame{'s' if self.frames != 1 else ''}"
        return seconds_in_words(self.seconds)

    @property
    def text(self) -> str:
        """The settings in words."""
        parts = [f"receptive field {self.window}"]
        if self.first_kernel is not None:
            parts.append(f"first kernel {self.first_kernel}")
        parts.append(f"temperature {self.training.temperature:g}")
        parts.append(f"{self.training.output_dimension} latents")
        return ", ".join(parts)

    def as_good_as(self, best: SearchLine) -> bool:
        """Whether it errs no more than one standard error above the best.

        Of the differences fold by fold: what makes one fold harder than
        another is common to both.
        """
        more = np.subtract(self.errors, best.errors)
        if more.size < 2:
            return bool(more.mean() <= 0)
        return bool(more.mean() <= more.std(ddof=1) / math.sqrt(more.size))


def propose(lines: Sequence[SearchLine]) -> SearchLine:
    """Return the cheapest line that is as good as the best.

    Among lines of one cost the first, which the search started from, comes before
    all others, and then the one with the least error.
    """
    best = min(lines, key=lambda line: line.error)
    good = [line for line in lines if line.as_good_as(best)]
    return min(good, key=lambda line: (line.cost, line is not lines[0], line.error))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The lines of the table, in the order in which they were tried.

    Parameters
    ----------
    config : PipelineConfig
        Where the search started; the first line is its training.
    lines : tuple of SearchLine
    folds : tuple of str
        What was held out in turn to judge them.
    untouched : str
        What was not looked at.
    task : str or None
        How the target is decoded; None without one.
    unit : str
        Of the errors.
    left_out : tuple of str
        What was not searched, and why.
    complete : bool
        False where the search was stopped.
    seconds : float
    """

    config: PipelineConfig
    lines: tuple[SearchLine, ...]
    folds: tuple[str, ...]
    untouched: str
    task: Task | None
    unit: str
    left_out: tuple[str, ...]
    complete: bool
    seconds: float

    @property
    def measure(self) -> str:
        """What the errors measure."""
        return _MEASURES[self.task]

    @cached_property
    def best(self) -> SearchLine | None:
        """The line with the least error; None before the first."""
        return min(self.lines, key=lambda line: line.error, default=None)

    @cached_property
    def proposed(self) -> SearchLine | None:
        """What is proposed; None before the first line.

        What the search started from, unless the best is clearly better: with few
        held-out parts, what is only cheaper may be worse on others. Then the
        cheapest that is as good as the best.
        """
        if self.best is None or self.lines[0].as_good_as(self.best):
            return self.lines[0] if self.lines else None
        return propose(self.lines)

    @property
    def training(self) -> TrainConfig | None:
        """The settings to train with; None before the first line."""
        return None if self.proposed is None else self.proposed.training

    def settings(self) -> PipelineConfig:
        """Return all settings, with what is proposed for the training."""
        return replace(self.config, training=self.training or self.config.training)

    def table(self) -> list[dict[str, Any]]:
        """Return the lines as flat dicts, for a table or a CSV file."""
        sign = -1 if self.task is None else 1
        return [
            {
                "receptive_field_frames": line.frames,
                "receptive_field_s": line.seconds,
                "first_kernel": line.first_kernel,
                "temperature": line.training.temperature,
                "output_dimension": line.training.output_dimension,
                self.measure: sign * line.error,
                "spread": line.spread,
                "proposed": line is self.proposed,
            }
            for line in self.lines
        ]

    @property
    def heading(self) -> str:
        """A short name of the errors, with their unit, for a column."""
        if self.task is None:
            return "Bits"
        unit = "%" if self.task == "class" else self.unit
        return f"Error ({unit})" if unit else "Error"

    def cells(self, line: SearchLine) -> tuple[str, ...]:
        """Return window, kernel, temperature, latents, error and spread as texts."""
        factor = {None: -1.0, "class": 100.0}.get(self.task, 1.0)
        spread = abs(factor) * line.spread
        return (
            line.window,
            "–" if line.first_kernel is None else str(line.first_kernel),
            f"{line.training.temperature:g}",
            str(line.training.output_dimension),
            f"{factor * line.error:.3g}".replace("-", "−"),
            "–" if math.isnan(spread) else f"{spread:.2g}",
        )

    def shown(self, line: SearchLine) -> str:
        """Return a line's error (or bits) with its unit."""
        unit = {None: "bits", "class": "%"}.get(self.task, self.unit)
        return f"{self.cells(line)[4]} {unit}".strip()

    def verdict(self) -> str:
        """Return what is proposed, and what that is worth, in a sentence or two."""
        proposed = self.proposed
        if proposed is None:
            return "Nothing was tried to its end, so nothing is proposed."
        start = self.lines[0]
        what = self.measure
        if len(self.lines) == 1:
            text = (
                "Only the settings the search started from were tried "
                f"({what} {self.shown(start)}); nothing was compared with them."
            )
        elif proposed is start:
            text = (
                "The settings the search started from are proposed: nothing tried is "
                f"clearly better ({what} {self.shown(start)})."
            )
        else:
            text = (
                f"Proposed: {proposed.text}; {what} {self.shown(proposed)}, with "
                f"the settings it started from {self.shown(start)}."
            )
            if ends := self.ends():
                text += (
                    f" It is at the end of what was tried ({', '.join(ends)}): use it "
                    "and search again to try what lies beyond."
                )
            if kernel := self.widest_kernel():
                text += (
                    f" No first kernel above {kernel} frames was tried; a wider one "
                    "can be set by hand."
                )
        return text if self.complete else f"{text} The search was stopped early."

    def ends(self) -> tuple[str, ...]:
        """Return in which respects the proposal is the end of what was tried.

        Not where it has what the search started from, nor where a search goes no
        further: one frame, `LEAST_DIMENSION`.
        """
        proposed = self.proposed
        if proposed is None:
            return ()
        new, old = proposed.training, self.lines[0].training
        tried = [line.training for line in self.lines]
        frames, dimension = proposed.frames, new.output_dimension
        ends = []
        if frames not in (1, self.lines[0].frames) and _ends(
            frames, [line.frames for line in self.lines]
        ):
            ends.append(f"receptive field {proposed.window}")
        if new.temperature != old.temperature and _ends(
            new.temperature, [t.temperature for t in tried]
        ):
            ends.append(f"temperature {new.temperature:g}")
        if dimension not in (LEAST_DIMENSION, old.output_dimension) and _ends(
            dimension, [t.output_dimension for t in tried]
        ):
            ends.append(f"{dimension} latents")
        return tuple(ends)

    def widest_kernel(self) -> int | None:
        """Return the proposed first kernel where a wider one fits but was not tried.

        None also where it is what the kind of encoder has by itself.
        """
        proposed = self.proposed
        shape = None if proposed is None else EncoderShape.of(proposed.training)
        if shape is None or shape.first_kernel in (None, shape.frames):
            return None
        tried = [
            line.first_kernel or 0 for line in self.lines if line.frames == shape.frames
        ]
        return shape.kernel if shape.kernel == max(tried) else None

    def judged(self) -> str:
        """Return which rows judged the lines, and which were not looked at."""
        text = (
            f"Short trainings, judged on {', '.join(self.folds)}, each held out in "
            f"turn; {self.untouched} was not looked at."
        )
        if self.task not in (None, "index"):
            text += (
                " A decoding scores all blocks, so its score is a little too good for "
                "settings that were searched."
            )
        if self.left_out:
            text += f" Not searched: {'; '.join(self.left_out)}."
        return text


def _ends(value: float, tried: Sequence[float]) -> bool:
    return value in (min(tried), max(tried))


def _cost(training: TrainConfig, n_neurons: int) -> int:
    """Multiply–adds of one window, layer by layer; a running mean costs nothing."""
    network = parse(training.model_architecture, training.first_kernel)
    sizes = {
        "u": training.num_hidden_units,
        "h": training.num_hidden_units // 2,
        "d": training.output_dimension,
    }
    width, length, total = n_neurons, sum(network.receptive_field), 0
    length -= network.mean_over - 1
    for layer in network.layers:
        out = sizes[layer.size] * layer.factor if layer.size else width
        length = max(1, (length - layer.kernel) // layer.stride + 1)
        total += length * layer.kernel * width * out
        width = out + width if layer.beside else out
    return total
