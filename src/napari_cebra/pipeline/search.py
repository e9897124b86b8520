"""A short search for what no recommendation can know, on held-out blocks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.decoding import Split, contiguous_folds
from napari_cebra.pipeline.encoder_shape import LONGEST, EncoderShape
from napari_cebra.pipeline.fit_split import fit_split
from napari_cebra.pipeline.search_result import (
    LEAST_DIMENSION,
    SearchLine,
    SearchResult,
    propose,
)
from napari_cebra.pipeline.stage import Stage, fitted_values
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import InvalidInput, NapariCebraError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_cebra.embedding import TrainConfig, TrainReport
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.recording import Recording

_PER_TRAINING = 100
_SHORTER = 3
"""A training is this much shorter than the one it stands for."""
_STEPS = (50, 150)
_TRIES = 4
"""How often a training is judged; the number of steps is chosen with k."""
_FOLDS = 3
_TEMPERATURES = (0.5, 2.0, 4.0)
_DIMENSIONS = (0.25, 0.5, 2.0)
_WIDEST_KERNEL = 12
"""A wider one takes longer than all else together."""


@dataclass(frozen=True, eq=False)
class SearchReport:
    """How far a search has come; fields as of `DecodeReport`.

    Parameters
    ----------
    unit : str
        Says that `done` and `total` are to be read as a share.
    result : SearchResult
        Of what was tried so far.
    """

    text: str
    done: int
    total: int
    seconds_left: float | None
    report: TrainReport | None
    result: SearchResult
    unit: str = "%"


def search_settings(
    recording: Recording, config: PipelineConfig
) -> Generator[SearchReport, None, SearchResult]:
    """Try receptive fields, temperatures, dimensions and first kernels; see `Search`.

    Yields
    ------
    SearchReport

    Returns
    -------
    SearchResult
    """
    return (yield from Search(recording, config).run())


class Search:
    """A search under way; `result` returns what is known at any moment.

    One setting after the other is tried at a few values, going on from the
    cheapest that is as good as the best (see `propose`). Every try is trained a
    third as long as the real thing, and judged on held-out parts of the training
    rows alone: with a repeated movie three of the training repeats in turn (the
    last repeat, which `decode` is scored on, is never touched); otherwise up to
    three contiguous blocks, with gaps (the last block is never touched, but
    `decode` scores the others too).

    A target is judged by how well it is decoded. Without one, only the output
    dimension is searched, by held-out goodness of fit: bits at other temperatures
    do not compare, and a longer window that overlaps its positive's gains
    bits by that alone.

    Parameters
    ----------
    recording : Recording
    config : PipelineConfig
        Its training is where the search starts from.

    Raises
    ------
    InvalidInput
        If the rows are too few, or the receptive field does not fit in.
    """

    def __init__(self, recording: Recording, config: PipelineConfig) -> None:
        self.recording = recording
        self.target = Target.of(recording, config.target.name)
        self.config = config.resolved(recording)
        assert self.config.training is not None
        fit_split(recording, self.target, self.config)  # tells what does not fit
        self.base: TrainConfig = self.config.training
        self._lines: dict[TrainConfig, SearchLine] = {}
        self._left_out: list[str] = []
        self._values: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._complete = False
        self._done, self._total = 0, 0
        self._begun = time.perf_counter()
        self._first: tuple[float, float] | None = None
        self.folds = self._folds(self.base)

    def result(self) -> SearchResult:
        """Return the lines tried so far, and what they propose."""
        return SearchResult(
            config=self.config,
            lines=tuple(self._lines.values()),
            folds=tuple(fold.name for fold in self.folds),
            untouched=self._untouched(),
            task=None if self.target is None else self.target.task,
            unit=self._unit(),
            left_out=tuple(self._left_out),
            complete=self._complete,
            seconds=time.perf_counter() - self._begun,
        )

    def run(self) -> Generator[SearchReport, None, SearchResult]:
        """Try everything.

        Yields
        ------
        SearchReport

        Returns
        -------
        SearchResult
        """
        self._begun = time.perf_counter()
        ahead = self._coordinates()
        self._expect(ahead, self.base, 1)
        here = yield from self._try(self.base)
        assert here is not None
        while ahead:
            others = self._others(ahead.pop(0), here.training)
            self._expect(ahead, here.training, len(others))
            tried = [here]
            for training in others:
                line = yield from self._try(training)
                if line is not None:
                    tried.append(line)
            here = propose(tried)
        self._complete = True
        return self.result()

    def _expect(self, ahead: list[str], training: TrainConfig, now: int) -> None:
        """Count the lines to come, for the progress."""
        later = sum(len(self._others(name, training)) for name in ahead)
        self._total = self._done + now + later

    def _coordinates(self) -> list[str]:
        if self.target is None:
            self._left_out.append(
                "temperature and receptive field (goodness of fit does not compare "
                "between them)"
            )
            return ["dimension"]
        names = ["frames", "first kernel", "temperature", "dimension"]
        shape = EncoderShape.of(self.base)
        if shape is None:
            self._left_out.append("receptive field (the encoder is written out)")
            names = names[2:]
        elif shape.kind in ("linear", "wide"):
            names.remove("first kernel")
        if self.base.temperature_mode == "auto":
            self._left_out.append("temperature (it is learned)")
            names.remove("temperature")
        return names

    def _others(self, name: str, training: TrainConfig) -> list[TrainConfig]:
        """Return the settings to try beside one, in one respect."""
        if name == "temperature":
            values = [training.temperature * factor for factor in _TEMPERATURES]
            return [replace(training, temperature=round(v, 3)) for v in values]
        if name == "dimension":
            old = training.output_dimension
            found = {max(LEAST_DIMENSION, round(old * f)) for f in _DIMENSIONS}
            return [
                replace(training, output_dimension=v) for v in sorted(found - {old})
            ]
        shape = EncoderShape.of(training)
        assert shape is not None
        if name == "frames":
            kernel = shape.first_kernel
            shapes = [
                EncoderShape(shape.kind, n, kernel if kernel and kernel <= n else None)
                for n in lengths(shape.frames)
                if n <= LONGEST
            ]
        else:
            third = -(-shape.frames // 3)
            kernels = {k for k in (1, third, shape.frames) if k <= _WIDEST_KERNEL}
            kernels -= {shape.kernel}
            shapes = [replace(shape, first_kernel=k) for k in sorted(kernels)]
        return [replace(training, **s.settings()) for s in shapes]

    def _try(
        self, training: TrainConfig
    ) -> Generator[SearchReport, None, SearchLine | None]:
        """Train with these settings on each fold; None where they do not fit."""
        if training in self._lines:
            self._total -= 1
            return self._lines[training]
        try:
            line = yield from self._judged(training)
        except NapariCebraError:
            if training is self.base:
                raise
            self._total -= 1
            return None
        self._done += 1
        self._lines[training] = line
        yield self._report(line.text, 0.0)
        return line

    def _judged(
        self, training: TrainConfig
    ) -> Generator[SearchReport, None, SearchLine]:
        line = SearchLine.of(training, self.recording)
        folds = self._folds(training)
        errors: list[dict[tuple[int, int], float]] = []
        for number, fold in enumerate(folds):
            stage = self._stage(training, fold, number)
            for report in stage.run():
                share = (number + report.step / report.max_steps) / len(folds)
                yield self._report(
                    f"Try {self._done + 1}: {line.text}; {fold.name}", share, report
                )
            errors.append(self._errors(stage))
        mean = {s: float(np.mean([e[s] for e in errors])) for s in errors[0]}
        if not mean:
            raise InvalidInput(
                "The held-out blocks are too short to be judged; use a longer "
                "recording or a shorter receptive field."
            )
        steps, k = min(mean, key=lambda setting: mean[setting])
        return replace(line, errors=tuple(e[steps, k] for e in errors))

    def _stage(self, training: TrainConfig, fold: Split, number: int) -> Stage:
        longest = training.last_iteration
        low, high = _STEPS
        steps = min(longest, max(low, min(high, longest // _SHORTER)))
        training = replace(
            training,
            max_iterations=steps,
            stop_iteration=None,
            evaluations=_TRIES,
            patience=None,
        )
        rows, values = self._values.get(number, (None, None))
        if rows is None or not np.array_equal(rows, fold.train):
            values = fitted_values(self.recording, fold.train)
            self._values[number] = fold.train, values
        config = replace(self.config, training=training)
        return Stage(self.recording, self.target, fold, config, True, values=values)

    def _errors(self, stage: Stage) -> dict[tuple[int, int], float]:
        """Return the held-out error after each number of steps, with each k."""
        if self.target is None:
            return {
                (e.step, 0): -e.bits_heldout
                for e in stage.training.evaluations
                if e.bits_heldout is not None
            }
        root = self.target.task == "regression"  # of the mean square
        return {
            (tried.step, k): error**0.5 if root else error
            for tried in stage.tries
            for k, error in tried.errors[0].items()
        }

    def _folds(self, training: TrainConfig) -> list[Split]:
        """Return the parts of the training rows that judge, each left out in turn."""
        recording, target = self.recording, self.target
        config = replace(self.config, training=training)
        gap = config.gap(recording.rate)
        if target is not None and target.stimulus is not None:
            outer = target.folds(recording, gap, config.decoding.n_blocks)[-1]
            repeat = target.stimulus.repeat
            numbers = np.unique(repeat[outer.refit]).tolist()
            inner = [
                (f"repeat {number}", outer.refit & (repeat == number), None)
                for number in evenly(numbers, _FOLDS)
            ]
        else:
            usable = recording.valid
            if target is not None:
                usable = usable & target.known
            n = config.decoding.n_blocks
            *blocks, outer = contiguous_folds(usable, gap, n, recording.trials)
            inner = [
                (fold.name, fold.test, fold.refit) for fold in evenly(blocks, _FOLDS)
            ]
        folds = []
        for name, rows, others in inner:
            train = outer.refit & ~rows
            if others is not None:
                train &= others
            fold = Split(train, rows, outer.test, outer.refit | rows, name)
            folds.append(fold)
        return folds

    def _untouched(self) -> str:
        rows = self.folds[0].test
        if self.target is not None and self.target.stimulus is not None:
            return f"repeat {self.target.stimulus.repeat[rows][0]}"
        return f"block {self.config.decoding.n_blocks}"

    def _unit(self) -> str:
        if self.target is None:
            return "bits"
        variable = self.target.variable
        if variable is None:
            return "frames"
        return "" if variable.kind == "discrete" else variable.units

    def _report(
        self, text: str, share: float, report: TrainReport | None = None
    ) -> SearchReport:
        done = self._done + share
        now = time.perf_counter()
        if self._first is None:  # what is loaded before says nothing of the rest
            self._first = now, done
        begun, before = self._first
        left = None
        if done > before:
            left = (now - begun) * (self._total - done) / (done - before)
        return SearchReport(
            text,
            round(done * _PER_TRAINING),
            self._total * _PER_TRAINING,
            left,
            report,
            self.result(),
        )


def lengths(frames: int) -> list[int]:
    """Return receptive fields to try beside one: a third to three times as long.

    A short one is also compared with ten frames.
    """
    low, high = max(1.0, frames / 3), max(3.0 * frames, 10.0)
    tried = {round(length) for length in np.geomspace(low, high, 5)}
    return sorted(tried - {frames})


def evenly(items: Sequence[Any], n: int) -> list[Any]:
    """Return up to n of these, evenly spread, the last among them."""
    if len(items) <= n:
        return list(items)
    return [items[len(items) * (i + 1) // n - 1] for i in range(n)]
