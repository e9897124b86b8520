import numpy as np
import pytest

from napari_cebra.decoding import (
    permute_within_repeats,
    shift_circularly,
    shortest_lag,
)
from napari_cebra.recording import InvalidInput


def test_each_training_repeat_keeps_its_frames_in_another_order():
    shown = np.tile(np.arange(50), 4)
    repeat = np.repeat(np.arange(4), 50)
    rows = repeat < 3
    broken = permute_within_repeats(shown, repeat, rows, seed=0)
    assert np.array_equal(broken[~rows], shown[~rows])
    orders = [broken[repeat == r] for r in range(3)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(50))
        assert (order == np.arange(50)).mean() < 0.2
    assert (orders[0] == orders[1]).mean() < 0.2
    again = permute_within_repeats(shown, repeat, rows, seed=0)
    assert np.array_equal(broken, again)
    other = permute_within_repeats(shown, repeat, rows, seed=1)
    assert not np.array_equal(broken, other)


def test_blank_rows_stay_blank():
    shown = np.array([0, 1, -1, 2, 0, 1, -1, 2])
    repeat = np.array([0, 0, -1, 0, 1, 1, -1, 1])
    broken = permute_within_repeats(shown, repeat, np.ones(8, bool), seed=3)
    assert np.array_equal(broken == -1, shown == -1)


def test_lag_is_long_enough_both_ways():
    values = np.arange(600.0)
    rows = np.ones(600, bool)
    lags = {
        int(np.flatnonzero(shift_circularly(values, rows, s, rate=5.0) == 0)[0])
        for s in range(40)
    }
    assert len(lags) > 20
    assert min(lags) >= 100 and max(lags) <= 500


def test_least_lag():
    assert shortest_lag(1000, None) == 100
    assert shortest_lag(10_000, 30.0) == 1000
    assert shortest_lag(3000, 30.0) == 600
    assert shortest_lag(900, 30.0) == 300


def test_only_the_rows_asked_for_are_shifted():
    values = np.arange(100.0)
    rows = np.ones(100, bool)
    rows[40:60] = False
    shifted = shift_circularly(values, rows, 0)
    assert np.array_equal(shifted[~rows], values[~rows])
    assert np.array_equal(np.sort(shifted), values)
    assert not (shifted[rows] == values[rows]).any()
    with pytest.raises(InvalidInput):
        shift_circularly(values, np.arange(100) < 2, 0)
