"""How the rows of a log come to the imaging frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_cebra.recording import Resampled, Variable, resample, shown_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_cebra.pipeline.align_config import LogConfig
    from napari_cebra.recording.variable import VariableKind


class Placed(Protocol):
    """Brings what a log holds row by row to the imaging frames."""

    def variable(self, variable: Variable) -> Variable:
        """Return a variable of n rows at the T frames."""

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return whole numbers, held; -1 where there are none."""

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """Return the stimulus frame that was on at each imaging frame, -1 = none."""

    def without_data(self, variables: Iterable[Variable]) -> dict[str, np.ndarray]:
        """Return the (T,) frames the log says nothing about, by reason."""


class SameRows:
    """One row per imaging frame."""

    def variable(self, variable: Variable) -> Variable:
        """Return it as it is."""
        return variable

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Return them as they are."""
        return values

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """Return them as they are."""
        return frames

    def without_data(self, variables: Iterable[Variable]) -> dict[str, np.ndarray]:
        """Return nothing: every frame has its row."""
        return {}


@dataclass(frozen=True, eq=False)
class AtTimes:
    """Rows of known times, on the imaging clock.

    Parameters
    ----------
    times : (n,) float64
        Seconds of each row.
    at : (T,) float64
        Seconds of each imaging frame.
    log : LogConfig
        Methods of resampling.
    what : str
        Name of the log, for reasons.
    methods : dict
        Filled with what was done to each variable, in words.
    """

    times: np.ndarray
    at: np.ndarray
    log: LogConfig
    what: str = "behaviour"
    methods: dict[str, str] = field(default_factory=dict)

    def variable(self, variable: Variable) -> Variable:
        """Resample by kind, as `recording.resample` does."""
        made = self._resampled(variable)
        self.methods[variable.name] = made.method
        return made.variable

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Hold each number until the next row."""
        held = Variable("codes", values, "discrete")
        if not held.known.any():
            return np.full(self.at.size, -1, np.int64)
        return resample(held, self.times, self.at).variable.values

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """Hold each stimulus frame until the next: never interpolated."""
        return shown_at(self.times, frames, self.at)

    def without_data(self, variables: Iterable[Variable]) -> dict[str, np.ndarray]:
        """Return the frames outside the log, and those in its gaps.

        A log of discrete variables alone may be written only as they change, and
        has no gaps.
        """
        changes_only = all(variable.kind == "discrete" for variable in variables)
        kind: VariableKind = "discrete" if changes_only else "continuous"
        covered = self._resampled(
            Variable(self.what, np.zeros(self.times.size), kind)
        ).valid
        outside = (self.at < self.times[0]) | (self.at > self.times[-1])
        return {
            f"outside the {self.what} log": ~covered & outside,
            f"gap in the {self.what} log": ~covered & ~outside,
        }

    def _resampled(self, variable: Variable) -> Resampled:
        discrete = variable.kind == "discrete"
        return resample(
            variable,
            self.times,
            self.at,
            method=self.log.discrete if discrete else self.log.resampling,
            longest_gap_s=self.log.longest_gap_s,
        )
