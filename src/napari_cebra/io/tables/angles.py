"""Recognising a variable that comes round again."""

from __future__ import annotations

import numpy as np

_NAMES = ("angle", "heading", "phase", "orientation", "azimuth", "theta", "yaw")
_DEGREES = ("deg", "degree", "degrees", "°")
_TURNS = (2 * np.pi, 360.0)
_FULL = 0.8  # of the range: a jump as long is a wrap
_SMALL = 0.25  # of the range: what the other steps must stay below
_LEAST_WRAPS = 3
_LEAST_VALUES = 8


def period_of(values: np.ndarray, name: str, unit: str = "") -> float | None:
    """Return the length of a turn of a variable that is circular, else None.

    A variable is circular if its name or unit speaks of an angle and its values lie
    within one turn; or if they jump by nearly their whole range, at least three
    times, between steps that are small, where that range is a turn in degrees or
    radians, or the jumps go both up and down. (Jumps of one direction alone over
    another range are those of an animal put back to the start of a track.)

    Parameters
    ----------
    values : (n,)
        Finite values, in time order.
    name, unit : str
        Of the column.
    """
    if values.size < 2:
        return None
    low, high = float(values.min()), float(values.max())
    extent = high - low
    radians = unit.lower().startswith("rad")
    degrees = unit.lower() in _DEGREES
    named = any(word in name.lower() for word in _NAMES)
    if named or radians or degrees:
        if not degrees and extent <= 6.2842 and low >= -3.1426 and high <= 6.2842:
            return _TURNS[0] if radians or not _is_whole(values) else None
        if not radians and extent <= 360.5 and low >= -180.5 and high <= 360.5:
            return _TURNS[1]
        return None
    if np.unique(values).size < _LEAST_VALUES:
        return None
    steps = np.diff(values)
    wraps = np.abs(steps) > _FULL * extent
    if wraps.sum() < _LEAST_WRAPS or wraps.mean() > 0.2:
        return None
    if np.quantile(np.abs(steps[~wraps]), 0.99) > _SMALL * extent:
        return None
    for turn in _TURNS:
        if 0.97 * turn <= extent <= 1.002 * turn:
            return turn
    if (steps[wraps] > 0).any() and (steps[wraps] < 0).any():
        # The next value after the highest is the lowest again.
        return extent + (1.0 if _is_whole(values) else 0.0)
    return None


def _is_whole(values: np.ndarray) -> bool:
    return bool(np.all(values == np.round(values)))
