"""What a person wants decoded, as numbers per row."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import (
    Split,
    contiguous_folds,
    permute_within_repeats,
    repeat_folds,
    shift_circularly,
)
from napari_cebra.pipeline.config import STIMULUS
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.decoding.knn import Task
    from napari_cebra.embedding.pairs import Pairs
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.recording import Recording, Stimulus, Variable

_TASKS: dict[str, Task] = {
    "continuous": "regression",
    "circular": "angle",
    "discrete": "class",
}
_DEGREES = ("deg", "degree", "degrees")


@dataclass(frozen=True, eq=False)
class Target:
    """One variable, or the frame of a repeated movie.

    Parameters
    ----------
    stimulus : Stimulus, optional
    variable : Variable, optional
        Exactly one of the two.
    """

    stimulus: Stimulus | None = None
    variable: Variable | None = None

    @classmethod
    def of(cls, recording: Recording, name: str | None) -> Target | None:
        """Find a target by name; None for an embedding of time alone.

        Raises
        ------
        InvalidInput
            If the recording has no such variable, or no movie.
        """
        if name is None:
            return None
        if name != STIMULUS:
            return cls(variable=recording.variable(name))
        if recording.stimulus is None:
            raise InvalidInput(
                "The recording has no stimulus to decode; load which movie frame was "
                "shown at each imaging frame, or choose a variable."
            )
        return cls(stimulus=recording.stimulus)

    @property
    def name(self) -> str:
        """Name of the variable, or "stimulus frame"."""
        return STIMULUS if self.variable is None else self.variable.name

    @property
    def task(self) -> Task:
        """How it is decoded."""
        return "index" if self.variable is None else _TASKS[self.variable.kind]

    @property
    def values(self) -> np.ndarray:
        """(T,) or (T, d) numbers."""
        if self.variable is not None:
            return self.variable.values
        assert self.stimulus is not None
        return self.stimulus.shown

    @property
    def known(self) -> np.ndarray:
        """(T,) bool: rows in which it has a value."""
        if self.variable is not None:
            return self.variable.known
        assert self.stimulus is not None
        return (self.stimulus.shown >= 0) & (self.stimulus.repeat >= 0)

    @property
    def period(self) -> float:
        """One turn, of a circular variable."""
        period = None if self.variable is None else self.variable.period
        return 2 * np.pi if period is None else period

    @property
    def unit(self) -> str:
        """Unit of an error in it; that of an angle also where it is not said."""
        if self.variable is None:
            return "frames"
        unit, period = self.variable.units.strip(), self.variable.period
        if self.variable.kind != "circular":
            return unit
        if unit.lower() in _DEGREES or (not unit and period == 360):
            return "°"
        if not unit and period is not None:
            if math.isclose(period, 2 * math.pi, rel_tol=1e-3):
                return "rad"
        return unit

    @property
    def frame_times(self) -> np.ndarray | None:
        """(M,) seconds of the movie's frames, where known."""
        return None if self.stimulus is None else self.stimulus.frame_times

    @property
    def n_movie_frames(self) -> int:
        """Number of movie frames, M (0 for a variable)."""
        return 0 if self.stimulus is None else self.stimulus.n_frames

    def folds(self, recording: Recording, gap: int, n_blocks: int) -> tuple[Split, ...]:
        """Return the splits the target is judged on: repeats, or blocks."""
        usable = recording.valid & self.known
        if self.stimulus is not None:
            return repeat_folds(self.stimulus.repeat, usable)
        return contiguous_folds(usable, gap, n_blocks, recording.trials)

    def pairs(self, config: PipelineConfig) -> Pairs:
        """Return the pairs an encoder is trained on."""
        from napari_cebra.embedding import pairs_for

        assert config.training is not None
        return pairs_for(
            config.target.mode,
            () if self.variable is None else (self.variable,),
            self.stimulus,
            config.training.time_offsets,
        )

    def broken(self, recording: Recording, split: Split, seed: int) -> Target:
        """Return the control's target.

        Movie frames permuted within each training repeat; a variable shifted
        circularly along all rows that have a value.
        """
        if self.stimulus is not None:
            shown = permute_within_repeats(
                self.stimulus.shown, self.stimulus.repeat, split.refit, seed
            )
            return Target(stimulus=replace(self.stimulus, shown=shown))
        assert self.variable is not None
        rows = recording.valid & self.known
        values = shift_circularly(self.values, rows, seed, recording.rate)
        return Target(variable=replace(self.variable, values=values))
