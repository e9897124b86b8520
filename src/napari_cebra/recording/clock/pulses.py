"""Two clocks from shared pulses, of which nobody knows which is which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_cebra.recording.clock.candidates import (
    Line,
    found_seeds,
    lines_from,
    pinned_seeds,
    refined,
)
from napari_cebra.recording.clock.clock_map import ClockMap
from napari_cebra.recording.clock.frames import rising_times
from napari_cebra.recording.clock.pairs import Alignment
from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_SHIFTS = (-3, -2, -1, 1, 2, 3)
_ENDS = {"first": (0,), "last": (-1,), "both": (0, -1)}


def align_pulses(
    source: ArrayLike,
    target: ArrayLike,
    *,
    pin: Literal["first", "last", "both"] | None = None,
    tolerance_s: float = 0.01,
    max_scale_error: float = 0.06,
    min_match: float = 0.8,
    names: tuple[str, str] = ("source", "target"),
) -> Alignment:
    """Fit a clock to pulses that both logs have recorded.

    Either log may lack pulses, hold spurious ones, and begin or end before
    the other. Runs of intervals, each divided by its mean, are looked up in
    the other log; the lines they give are extended from there to the whole
    log, refitted by least squares without outliers each time the stretch has
    doubled, and the one that fits best is kept.

    Parameters
    ----------
    source, target : (n,), (m,) array-like
        Seconds of the pulses on each clock, rising.
    pin : {"first", "last", "both"}, optional
        Which pulses are known to be the same in both logs. Needed where the
        intervals are all alike, since a shift by a whole pulse then fits as
        well.
    tolerance_s : float
        Largest residual of a pair, in target seconds; never more than an
        eighth of the median interval.
    max_scale_error : float
        Largest deviation of the scale from 1.
    min_match : float
        Share of pulses, of the log that has fewer in the time both cover,
        that must find a partner. With one in twenty missing and one in twenty
        spurious in both logs, 90 % can.
    names : (str, str)
        What the two logs are called in errors.

    Raises
    ------
    InvalidInput
        If a log does not rise or is too short, if too few pulses match (the
        text states the rate), if so many would match by chance, or if a
        shifted alignment is as good.
    """
    if pin is not None and pin not in _ENDS:
        raise InvalidInput(f"Pin the first, the last or both pulses, not {pin!r}.")
    if not tolerance_s > 0:
        raise InvalidInput(
            f"The tolerance must be positive seconds, not {tolerance_s}."
        )
    source = rising_times(source, f"{names[0]} pulses", 4 if pin else 6)
    target = rising_times(target, f"{names[1]} pulses", 4 if pin else 6)
    # From the first pulses on, so that seconds since 1970 lose no digits; times
    # that rounding makes the same are refused as well.
    a = rising_times(source - source[0], f"{names[0]} pulses")
    b = rising_times(target - target[0], f"{names[1]} pulses")
    step = min(float(np.median(np.diff(log))) for log in (a, b))
    within = max(min(tolerance_s, step / 8), 1e-9)
    if pin is None:
        seeds = found_seeds(a, b, max_scale_error)
        lines = lines_from(a, b, seeds, within, max_scale_error)
    else:
        seeds = pinned_seeds(a, b, pin, max_scale_error)
        lines = [
            line
            for line in lines_from(a, b, seeds, within, max_scale_error)
            if all(
                abs(line.scale * a[end] + line.offset - b[end]) <= within
                for end in _ENDS[pin]
            )
        ]
    if not lines:
        raise _unmatched(0.0, a, b, min_match, names)
    best = max(lines, key=lambda line: (1 - np.abs(line.residuals) / within).sum())
    shifted = [] if pin else _shifted(a, b, best, within)
    best = min([best, *shifted], key=lambda line: _cost(line, _width(best, within)))
    matched = best.residuals.size
    if matched < min_match * best.shared:
        raise _unmatched(matched / best.shared, a, b, min_match, names)
    width = _width(best, within)
    others = [
        line for line in (*lines, *shifted) if _apart(line, best, a).max() > 2 * within
    ]
    tried = 1.0 if pin else float(a.size * b.size) ** 2
    if pin is None:
        _refuse_ambiguous(a, best, others, width, tried)
    by_chance = [
        _within(line, width) / line.shared for line in others if line in shifted
    ]
    if not _beyond_chance(best, width, max([0.0, *by_chance]), tried):
        raise InvalidInput(
            f"{matched} of {best.shared} pulses match in the {best.seconds:.3g} s that "
            "both logs may share, but that may be chance; give longer logs, a smaller "
            "tolerance, or the onsets pair by pair."
        )
    clock = ClockMap(
        best.scale,
        float(target[0] + best.offset - best.scale * source[0]),
        "pulses",
        matched,
        matched / best.shared,
        float(np.sqrt(np.mean(best.residuals**2))),
    )
    return Alignment(
        clock,
        best.source_rows,
        best.target_rows,
        best.residuals,
        best.n_source,
        best.n_target,
    )


def _shifted(a: np.ndarray, b: np.ndarray, line: Line, within: float) -> list[Line]:
    """Return the same line some pulses on: as good where all intervals are alike."""
    step = float(np.median(np.diff(b)))
    shifted = [
        refined(a, b, line.scale, line.offset + by * step, within) for by in _SHIFTS
    ]
    return [other for other in shifted if other is not None]


def _width(line: Line, within: float) -> float:
    """Return the residual at which a pair counts as none, when lines are compared."""
    largest = float(np.quantile(np.abs(line.residuals), 0.9))
    return min(max(2 * largest, within / 1000), within)


def _within(line: Line, width: float) -> int:
    return int((np.abs(line.residuals) <= width).sum())


def _cost(line: Line, width: float) -> float:
    """Return the sum over pairs of the squared residual less the squared width."""
    return float((np.minimum(line.residuals**2, width**2) - width**2).sum())


def _apart(line: Line, best: Line, a: np.ndarray) -> np.ndarray:
    """(P,) seconds between two lines at the pairs of the second."""
    at = a[best.source_rows]
    return np.abs((line.scale - best.scale) * at + line.offset - best.offset)


def _beyond_chance(line: Line, width: float, by_chance: float, tried: float) -> bool:
    """Whether chance gives so many matches less than once in a million searches.

    Two pulses settle a line, so two count for nothing; the bound of Chernoff
    (1952) on the binomial tail, times the number of lines there are. Chance
    matches what pulses at random would, or else what is given.
    """
    at_random = 2 * width * max(line.n_source, line.n_target) / line.seconds
    p = min(max(at_random, by_chance), 0.99)
    n = line.shared - 2
    share = (_within(line, width) - 2) / max(n, 1)
    if n < 1 or share <= p:
        return False
    nats = share * np.log(share / p)
    if share < 1:
        nats += (1 - share) * np.log((1 - share) / (1 - p))
    return bool(n * nats > np.log(tried * 1e6))


def _refuse_ambiguous(
    a: np.ndarray, best: Line, others: list[Line], width: float, tried: float
) -> None:
    """Refuse if another line, in the time its logs share, fits about as well."""

    def unexplained(line: Line) -> float:
        return 1 + _cost(line, width) / (line.shared * width**2)

    # As far apart as two variances from so many pulses may be by chance.
    times = min(1.2 + 8 / np.sqrt(best.shared), 2.0)
    bound = times * max(unexplained(best), 0.1)
    shifts = [
        float(np.median(_apart(line, best, a)))
        for line in others
        if unexplained(line) < bound and _beyond_chance(line, width, 0.0, tried)
    ]
    if shifts:
        raise InvalidInput(
            f"The pulses repeat so evenly that the logs fit {min(shifts):.3f} s apart "
            "as well; say which pulse is the same in both (pin the first, the last or "
            "both), or use pulses at irregular intervals."
        )


def _unmatched(
    rate: float,
    a: np.ndarray,
    b: np.ndarray,
    min_match: float,
    names: tuple[str, str],
) -> InvalidInput:
    return InvalidInput(
        f"Only {rate:.0%} of the pulses match, but {min_match:.0%} are needed "
        f"({a.size} {names[0]} pulses every {np.median(np.diff(a)):.3g} s, {b.size} "
        f"{names[1]} pulses every {np.median(np.diff(b)):.3g} s in the median); choose "
        "the log of this recording, with times in seconds."
    )
