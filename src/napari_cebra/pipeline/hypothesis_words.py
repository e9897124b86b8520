"""A comparison of hypotheses in words and numbers a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.pipeline.hypothesis_table import (
        HypothesisRow,
        HypothesisScore,
        Interval,
    )

_SHAPE = "{} ({} to {})"


def verdict(row: HypothesisRow) -> str:
    """Return what the intervals of a hypothesis support, in a sentence.

    "" for a line that has no control.
    """
    gain = row.gain
    if gain is None:
        return ""
    found = f"{row.name}: {_interval(gain, _bits(gain, '+'), _SHAPE, 'bits')} over its "
    found += "control"
    if np.isnan(gain.low):
        return f"{found}; one block alone is no evidence either way."
    if row.is_supported:
        return f"{found}, and above chance: it explains a part of the activity."
    if gain.low > 0:
        fit = interval_text(row.goodness_of_fit)
        found += f", but not above chance by itself: {fit} bits"
    return f"{found}. No evidence that it explains the activity."


def interval_text(found: Interval, shape: str = _SHAPE) -> str:
    """Return "1.20 (1.00 to 1.40)", or mean and ends in another shape.

    Small numbers have up to four decimals, so that none of them reads as zero.
    """
    return _interval(found, _bits(found), shape)


def score_text(score: HypothesisScore, shape: str = _SHAPE) -> str:
    """Return a score with its unit, and its interval."""
    if score.measure == "balanced_accuracy":
        return _interval(score.interval, "{:.0%}", shape, "right")
    return _interval(score.interval, "{:.3g}", shape, score.unit)


def main_scores(row: HypothesisRow) -> tuple[HypothesisScore, ...]:
    """Return the first score of each variable, which is in its unit."""
    first = {score.variable: score for score in reversed(row.decoding)}
    return tuple(reversed(first.values()))


def _interval(found: Interval, form: str, shape: str, unit: str = "") -> str:
    if np.isnan(found.mean):
        return "–"
    mean = f"{_written(found.mean, form)} {unit}".strip()
    if np.isnan(found.low):
        return mean
    return shape.format(mean, *(_written(end, form) for end in (found.low, found.high)))


def _bits(found: Interval, sign: str = "") -> str:
    """Return a form with two decimals, or as many as the smallest number needs."""
    sizes = [abs(x) for x in (found.mean, found.low, found.high) if x]  # but not 0
    sizes = [size for size in sizes if np.isfinite(size)]
    decimals = 2
    while (
        decimals < 4
        and sizes
        and (round(min(sizes), decimals) == 0 or max(sizes) < 9.5 * 10.0**-decimals)
    ):
        decimals += 1
    return f"{{:{sign}.{decimals}f}}"


def _written(value: float, form: str) -> str:
    write: Callable[[float], str] = form.format
    text = write(value)
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")  # zero has no sign
    return text.replace("-", "−")
