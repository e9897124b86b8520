"""What is drawn beneath the traces: a variable, as measured and as decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.pipeline import Decoding
    from napari_cebra.recording import Recording, Variable

Curve = tuple[np.ndarray, np.ndarray]

DECODED = "decoded"
_STIMULUS = "stimulus"
_VARIABLE = "variable:"  # before a name, so that no name is taken for another key
_LONGEST = 20  # letters of a name that fit beside a plot
_LAP = 100  # rows


@dataclass(frozen=True, eq=False)
class Beneath:
    """Curves over time; NaN is a gap.

    Parameters
    ----------
    title : str
        Name and units, for the y axis.
    measured : (x, y)
        What was shown or measured.
    decoded : (x, y), optional
        What was decoded, on the rows that no fit had seen.
    borders : (n,) float64
        Times at which one fold ends and the next begins.
    """

    title: str
    measured: Curve
    decoded: Curve | None = None
    borders: np.ndarray = field(default_factory=lambda: np.zeros(0))


def choices(recording: Recording, decoding: Decoding | None) -> list[tuple[str, str]]:
    """Return what there is to be drawn, as (text, key)."""
    found = []
    if decoding is not None and not decoding.looked_up:
        found.append((f"{decoding.target} (measured and decoded)", DECODED))
    if recording.stimulus is not None:
        found.append(("stimulus frame", _STIMULUS))
    names = (variable.name for variable in recording.variables)
    return found + [(name, _VARIABLE + name) for name in names]


def look_up(
    key: str, recording: Recording, decoding: Decoding | None, times: np.ndarray
) -> Beneath:
    """Return one of `choices`, over these times (T,)."""
    if key == DECODED and decoding is not None:
        return _decoded(recording, decoding, times)
    if key == _STIMULUS and recording.stimulus is not None:
        shown = recording.stimulus.shown.astype(float)
        return Beneath("Stimulus frame", (times, np.where(shown < 0, np.nan, shown)))
    variable = recording.variable(key.removeprefix(_VARIABLE))
    values = _first_column(variable.values, variable.kind == "discrete")
    return Beneath(_title(variable), _lines(times, values, variable.period))


def _decoded(recording: Recording, decoding: Decoding, times: np.ndarray) -> Beneath:
    named = [v for v in recording.variables if v.name == decoding.target]
    variable = named[0] if named else None  # it was renamed since
    is_class = decoding.task == "class"
    true = _first_column(decoding.true, is_class)
    found = _first_column(decoding.predicted, is_class)
    found[~decoding.rows] = np.nan
    period = None if variable is None else variable.period
    if period is not None:
        true, found = _in_one_turn(true, found, period)
    return Beneath(
        _short(decoding.target) if variable is None else _title(variable),
        _lines(times, true, period),
        _lines(times, found, period),
        _borders(decoding.fold, times),
    )


def _first_column(values: np.ndarray, is_class: bool) -> np.ndarray:
    values = np.array(values if values.ndim == 1 else values[:, 0], float)
    if is_class:
        values[values < 0] = np.nan
    return values


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _title(variable: Variable) -> str:
    units = variable.units
    if variable.kind == "circular" and not units and variable.period == 2 * np.pi:
        units = "rad"
    name = _short(variable.name)
    if variable.values.ndim == 2 and variable.values.shape[1] > 1:
        name += f", 1 of {variable.values.shape[1]}"
    return f"{name} ({units})" if units else name


def _in_one_turn(true: np.ndarray, found: np.ndarray, period: float) -> tuple:
    """Bring decoded angles, from 0 to `period`, to where the measured ones are."""
    if not np.isfinite(true).any():
        return true, found
    low, high = float(np.nanmin(true)), float(np.nanmax(true))
    if high - low > period:  # it goes on rising, turn after turn
        true, low = np.mod(true, period), 0.0
    elif low >= 0 and high <= period:
        low = 0.0
    elif low >= -period / 2 and high <= period / 2:
        low = -period / 2
    return true, low + np.mod(found - low, period)


def _lines(times: np.ndarray, values: np.ndarray, period: float | None) -> Curve:
    """Break the line where an angle begins its next turn.

    Not if turns are short: seen from afar, there would be gaps alone.
    """
    if period is None:
        return times, values
    with np.errstate(invalid="ignore"):
        turns = np.flatnonzero(np.abs(np.diff(values)) > period / 2) + 1
    if turns.size * _LAP > values.size:
        return times, values
    between = (times[turns - 1] + times[turns]) / 2
    return np.insert(times, turns, between), np.insert(values, turns, np.nan)


def _borders(fold: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the times between rows of different folds, rows of none left out."""
    rows = np.flatnonzero(fold >= 0)
    if rows.size == 0:
        return np.zeros(0)
    ends = np.flatnonzero(np.diff(fold[rows]) != 0)
    borders = (times[rows[ends]] + times[rows[ends + 1]]) / 2
    outer = [times[row] for row in rows[[0, -1]] if 0 < row < fold.size - 1]
    return np.sort(np.concatenate([borders, outer]))
