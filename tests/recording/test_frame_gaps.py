"""Dropped frames are found where they were dropped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_cebra.recording import InvalidInput, find_gaps, segments


@given(
    st.lists(st.booleans(), min_size=8, max_size=80),
    st.floats(0.5, 200),
    st.integers(0, 99),
)
def test_the_dropped_frames_are_found(lost: list[bool], rate: float, seed: int) -> None:
    kept = ~np.array(lost)
    kept[[0, 1, -1]] = True
    numbers = np.flatnonzero(kept)
    assume(np.median(np.diff(numbers)) == 1)
    jitter = np.random.default_rng(seed).uniform(-0.1, 0.1, numbers.size)
    gaps = find_gaps((numbers + jitter) / rate + 5, rate)
    np.testing.assert_array_equal(gaps.numbers, numbers)
    np.testing.assert_array_equal(gaps.missing, np.flatnonzero(~kept))
    assert gaps.lengths.sum() == (~kept).sum()
    for after, length in zip(gaps.after, gaps.lengths, strict=True):
        assert numbers[after + 1] - numbers[after] == length + 1


def test_the_rate_is_found_where_most_steps_are_whole() -> None:
    numbers = np.delete(np.arange(1000), [10, 11, 12, 500])
    gaps = find_gaps(numbers / 29.97)
    np.testing.assert_array_equal(gaps.missing, [10, 11, 12, 500])
    np.testing.assert_array_equal(gaps.after, [9, 496])
    assert gaps.interval == pytest.approx(1 / 29.97)
    assert str(gaps) == ("4 of 1000 frames dropped in 2 gaps, the longest of 3 frames")


def test_no_window_crosses_a_gap() -> None:
    gaps = find_gaps([0.0, 1, 2, 5, 6, 7])
    np.testing.assert_array_equal(gaps.split(), [0, 0, 0, 1, 1, 1])
    trials = gaps.split([7, 7, 3, 3, 3, 7])
    np.testing.assert_array_equal(trials, [0, 0, 1, 2, 2, 3])
    np.testing.assert_array_equal(segments(trials, np.ones(6, bool)), trials)


def test_none_dropped() -> None:
    gaps = find_gaps(np.arange(5) / 10)
    assert gaps.missing.size == gaps.after.size == 0
    assert str(gaps).startswith("0 of 5 frames dropped in 0 gaps")


def test_a_rate_of_another_recording_is_refused() -> None:
    for rate in (15.0, 0.0, np.nan, 100.0):
        with pytest.raises(InvalidInput, match="30 frames per second, not at"):
            find_gaps(np.arange(90) / 30, rate)


@given(st.integers(1, 9), st.sampled_from([0.0, -0.5, np.nan]))
def test_the_first_wrong_time_stamp_is_named(row: int, step: float) -> None:
    times = np.arange(10.0)
    times[row] = times[row - 1] + step
    with pytest.raises(InvalidInput, match=rf"frame times.*row {row}\b"):
        find_gaps(times)
