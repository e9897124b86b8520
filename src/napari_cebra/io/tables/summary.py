"""What each column of a table looks like, told before anything is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.names import unit_in

if TYPE_CHECKING:
    from napari_cebra.io.tables.table import Table
    from napari_cebra.recording.variable import VariableKind

_BINS = 64
_MOST_WORDS = 4


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """One column, described.

    Parameters
    ----------
    name : str
    kind, period, units
        What it would be taken for.
    values : str
        Its range, or its words.
    missing, filled : int
        Rows without a value, and rows whose value was filled in.
    outline : (b, 2) float64
        Lowest and highest value in each of at most 64 stretches of rows; NaN where
        there is none.
    """

    name: str
    kind: VariableKind
    period: float | None
    units: str
    values: str
    missing: int
    filled: int
    outline: np.ndarray

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.values}"]
        if self.missing:
            parts.append(f"{self.missing} rows empty")
        if self.filled:
            parts.append(f"{self.filled} rows filled in")
        return ", ".join(parts)


def summarise(table: Table) -> tuple[ColumnSummary, ...]:
    """Describe all columns of a table; takes long where it is long."""
    return tuple(_summary(table, name) for name in table.names)


def _summary(table: Table, name: str) -> ColumnSummary:
    column = table.columns[name]
    kind = table.guess_kind(name)
    units = table.units.get(name) or unit_in(name)
    if column.dtype.kind == "U":
        words = table.categories(name)
        known = column != ""
        told = ", ".join(words[:_MOST_WORDS]) + (" …" if len(words) > 4 else "")
        numbers = np.where(known, np.searchsorted(words, column), np.nan)
    else:
        numbers = column.astype(np.float64)
        known = np.isfinite(numbers)
        told = "empty"
        if known.any():
            low, high = numbers[known].min(), numbers[known].max()
            told = f"{low:.4g} to {high:.4g}" + (f" {units}" if units else "")
    measured = table.measured.get(name)
    return ColumnSummary(
        name,
        kind,
        table.guess_period(name) if kind == "circular" else None,
        units,
        told,
        int((~known).sum()),
        0 if measured is None else int((known & ~measured).sum()),
        _outline(numbers),
    )


def _outline(values: np.ndarray) -> np.ndarray:
    starts = np.unique(np.linspace(0, values.size, _BINS, False).astype(np.int64))
    known = np.isfinite(values)
    low = np.minimum.reduceat(np.where(known, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(known, values, -np.inf), starts)
    outline = np.stack([low, high], axis=1)
    return np.where(np.isfinite(outline), outline, np.nan)
