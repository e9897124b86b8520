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
    found = f"{row.name}: {_interval(gain, '{:+.2f}', _SHAPE, 'bits')} over its control"
    if np.isnan(gain.low):
        return f"{found}; one block alone is no evidence either way."
    if row.is_supported:
        return f"{found}, and above chance: it explains a part of the activity."
    if gain.low > 0:
        fit = interval_text(row.goodness_of_fit)
        found += f", but not above chance by itself: {fit} bits"
    return f"{found}. No evidence that it explains the activity."


def interval_text(found: Interval, shape: str = _SHAPE) -> str:
    """Return "1.20 (1.00 to 1.40)", or mean and ends in another shape."""
    return _interval(found, "{:.2f}", shape)


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


def _written(value: float, form: str) -> str:
    write: Callable[[float], str] = form.format
    return write(value).replace("-", "−")
