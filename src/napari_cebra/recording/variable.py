"""Something measured or shown at every imaging frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from napari_cebra.recording.errors import InvalidInput

VariableKind = Literal["continuous", "circular", "discrete"]


@dataclass(frozen=True, eq=False)
class Variable:
    """One behavioural or stimulus variable (CEBRA: an auxiliary variable).

    Parameters
    ----------
    name : str
        As in the table it came from.
    values : (T,) or (T, d)
        One value per imaging frame; float64, or int64 where discrete. Rows
        that are not used may be NaN (continuous) or -1 (discrete).
    kind : {"continuous", "circular", "discrete"}
        A circular variable wraps after `period`.
    units : str
        For axis labels; empty where unknown.
    period : float or None
        Length of one turn in the units of `values`; 2π if None and circular.

    Raises
    ------
    InvalidInput
        If the values are not numeric, or a discrete variable is not whole
        numbers in one column.
    """

    name: str
    values: np.ndarray
    kind: VariableKind = "continuous"
    units: str = ""
    period: float | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if self.kind not in get_args(VariableKind):
            raise InvalidInput(
                f"Variable {self.name!r} has the unknown kind {self.kind!r}; use "
                "continuous, circular or discrete."
            )
        if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
            raise InvalidInput(
                f"Variable {self.name!r} must hold one number (or d numbers) per "
                f"frame, not {values.dtype} of shape {values.shape}."
            )
        if self.kind == "discrete":
            whole = np.where(np.isfinite(values), values, -1)
            if values.ndim != 1 or np.any(whole != np.round(whole)):
                raise InvalidInput(
                    f"Variable {self.name!r} is not a list of whole numbers, so it "
                    "cannot be discrete; choose continuous or circular."
                )
            values = whole.astype(np.int64)
        else:
            values = values.astype(np.float64)
        if self.kind == "circular":
            if values.ndim != 1:
                raise InvalidInput(
                    f"Circular variable {self.name!r} must be one column of angles."
                )
            period = 2 * np.pi if self.period is None else float(self.period)
            if not (np.isfinite(period) and period > 0):
                raise InvalidInput(
                    f"The period of {self.name!r} must be positive, not {period}."
                )
            object.__setattr__(self, "period", period)
        object.__setattr__(self, "values", np.ascontiguousarray(values))

    @property
    def known(self) -> np.ndarray:
        """(T,) bool: rows in which the variable has a value."""
        if self.kind == "discrete":
            return self.values >= 0
        finite = np.isfinite(self.values)
        return finite if finite.ndim == 1 else finite.all(axis=1)

    def features(self) -> np.ndarray:
        """Return (T, d) float64 in which Euclidean distance is meaningful.

        A circular variable becomes (cos, sin), in which the chord grows with
        the angle between two values; others are returned as columns.
        """
        if self.kind == "circular":
            assert self.period is not None
            angle = self.values * (2 * np.pi / self.period)
            return np.stack([np.cos(angle), np.sin(angle)], axis=1)
        values = self.values.astype(np.float64)
        return values[:, None] if values.ndim == 1 else values
