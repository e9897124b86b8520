"""Two clocks from moments that both have seen, pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording.clock.clock_map import ClockMap
from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Alignment:
    """A clock map and the pairs that it was fitted to.

    Parameters
    ----------
    clock : ClockMap
        From the source clock to the target clock.
    source_rows, target_rows : (P,) int64
        Which pulse of the one log is which of the other.
    residuals : (P,) float64
        Target time minus mapped source time of each pair, in seconds.
    n_source, n_target : int
        Pulses in each log in the time both cover.
    """

    clock: ClockMap
    source_rows: np.ndarray
    target_rows: np.ndarray
    residuals: np.ndarray
    n_source: int
    n_target: int

    def __str__(self) -> str:
        return (
            f"{self.clock}; {self.n_source - self.source_rows.size} source and "
            f"{self.n_target - self.target_rows.size} target pulses without partner"
        )


def robust_line(x: np.ndarray, y: np.ndarray, least: float) -> tuple[float, float]:
    """Return scale and offset of y on x, by least squares without outliers.

    A pair counts if it lies within four robust standard deviations (from the
    median absolute deviation) of the median residual about the last line; the
    first line is through the medians of the two halves. Deviations below
    `least` are never outliers.
    """
    half = x.size // 2
    span = x[-half:] - x[:half]
    scale = float(np.median((y[-half:] - y[:half]) / span))
    offset = float(np.median(y - scale * x))
    for _ in range(3):
        left = y - scale * x - offset
        away = np.abs(left - np.median(left))
        kept = away <= max(4 * 1.4826 * float(np.median(away)), least)
        mean_x, mean_y = x[kept].mean(), y[kept].mean()
        along = x[kept] - mean_x
        if not along.any():
            break
        scale = float(along @ (y[kept] - mean_y) / (along @ along))
        offset = float(mean_y - scale * mean_x)
    return scale, offset


def align_onsets(
    source: ArrayLike,
    target: ArrayLike,
    *,
    tolerance_s: float = 0.01,
    max_scale_error: float = 0.06,
    min_match: float = 0.8,
    names: tuple[str, str] = ("source", "target"),
) -> Alignment:
    """Fit a clock to onsets whose pairs are known, as trial by trial.

    Parameters
    ----------
    source, target : (n,) array-like
        Seconds of the same onsets on each clock; NaN where one was not seen.
    tolerance_s : float
        Largest difference, in target seconds, at which a pair agrees.
    max_scale_error : float
        Largest deviation of the scale from 1.
    min_match : float
        Share of the pairs that must agree.
    names : (str, str)
        What the two logs are called in errors.

    Raises
    ------
    InvalidInput
        If the lists are of different lengths, fewer than three pairs are
        known, or too few of them agree on one clock.
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InvalidInput(
            f"There are {x.size} {names[0]} and {y.size} {names[1]} onsets, which "
            "cannot be pairs; give both for each event (empty where unseen), or align "
            "by pulses."
        )
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    rows = rows[np.unique(x[rows], return_index=True)[1]]
    if rows.size < 3:
        raise InvalidInput(
            f"Only {rows.size} onsets at different times are known on both clocks; at "
            "least three are needed to fit and check a clock."
        )
    x0, y0 = x[rows[0]], y[rows[0]]
    scale, offset = robust_line(x[rows] - x0, y[rows] - y0, tolerance_s / 100)
    left = y[rows] - y0 - scale * (x[rows] - x0) - offset
    good = np.abs(left) <= tolerance_s
    rate = float(good.mean())
    if rate < min_match:
        raise InvalidInput(
            f"Only {rate:.0%} of the {rows.size} pairs of onsets agree on one clock to "
            f"{1e3 * tolerance_s:g} ms, but {min_match:.0%} are needed; check that "
            "both lists are of this session and in the same order."
        )
    if abs(scale - 1) > max_scale_error:
        raise InvalidInput(
            f"The clocks differ by a factor of {scale:.4g}, but only "
            f"{max_scale_error:.0%} are allowed; give both lists in seconds."
        )
    residuals = left[good]
    clock = ClockMap(
        scale,
        float(y0 + offset - scale * x0),
        "onsets",
        int(good.sum()),
        rate,
        float(np.sqrt(np.mean(residuals**2))),
    )
    n = rows.size
    return Alignment(clock, rows[good], rows[good], residuals, n, n)
