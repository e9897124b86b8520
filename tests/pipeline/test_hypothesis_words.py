"""A verdict says no more than the interval does."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.pipeline.hypothesis_table import (
    HypothesisRow,
    HypothesisScore,
    Interval,
)
from napari_cebra.pipeline.hypothesis_words import (
    interval_text,
    main_scores,
    score_text,
    verdict,
)

BITS = Interval(1.0, 0.8, 1.2)


def row(gain, scores=(), fit=BITS):
    return HypothesisRow("speed", "hypothesis", fit, gain, scores, BITS)


@pytest.mark.parametrize(
    ("gain", "says", "is_clear"),
    [
        (Interval(0.5, 0.2, 0.8), "explains a part", True),
        (Interval(0.5, -0.1, 1.1), "No evidence that", False),
        (Interval(-0.5, -0.8, -0.2), "No evidence that", False),
        (Interval(0.5, np.nan, np.nan), "no evidence either way", False),
    ],
)
def test_only_an_interval_above_zero_is_evidence(gain, says, is_clear):
    assert says in verdict(row(gain))
    assert row(gain).is_supported is is_clear


def test_a_fit_at_chance_is_no_evidence_however_bad_the_control():
    at_chance = row(Interval(0.5, 0.2, 0.8), fit=Interval(0.02, -0.09, 0.14))
    assert not at_chance.is_supported
    assert "not above chance by itself: 0.02 (−0.09 to 0.14)" in verdict(at_chance)


def test_without_a_control_there_is_no_verdict():
    assert verdict(row(None)) == "" and not row(None).is_supported


def test_numbers_have_units_and_signs_a_person_reads():
    assert "−0.50 bits" in verdict(row(Interval(-0.5, -0.8, -0.2)))
    assert interval_text(BITS) == "1.00 (0.80 to 1.20)"
    assert interval_text(Interval(np.nan, np.nan, np.nan)) == "–"
    error = HypothesisScore("speed", "median_error", "cm/s", Interval(12.34, 9, 15))
    assert score_text(error) == "12.3 cm/s (9 to 15)"
    right = HypothesisScore("side", "balanced_accuracy", "", Interval(0.8, 0.7, 0.9))
    assert score_text(right) == "80% right (70% to 90%)"


def test_the_first_score_of_a_variable_is_shown():
    scores = tuple(
        HypothesisScore(variable, measure, "", BITS)
        for variable in ("a", "b")
        for measure in ("median_error", "r2")
    )
    shown = main_scores(row(None, scores))
    assert [(s.variable, s.measure) for s in shown] == [
        ("a", "median_error"),
        ("b", "median_error"),
    ]


def test_small_numbers_have_digits_and_zero_has_no_sign():
    assert interval_text(Interval(0.012, 0.004, 0.02)) == "0.012 (0.004 to 0.020)"
    assert interval_text(Interval(0.4, 0.0031, 0.8)) == "0.400 (0.003 to 0.800)"
    assert interval_text(Interval(-0.00001, np.nan, np.nan)) == "0.0000"
    assert "0.0000 bits" in verdict(row(Interval(0.00001, -0.00001, 0.00002)))
    assert "+0.020 (0.010 to 0.030)" not in verdict(row(Interval(0.02, 0.01, 0.03)))
