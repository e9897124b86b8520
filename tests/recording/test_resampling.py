"""What was sampled elsewhere is brought to the frames by the method it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.stats import binned_statistic, circmean

from napari_cebra.recording import (
    InvalidInput,
    Recording,
    Resampled,
    Stimulus,
    Traces,
    Variable,
    resample,
    shown_at,
)

FRAMES = np.arange(40) / 10 + 0.05


def sampled(seed: int, n: int, longest: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return np.cumsum(random.uniform(0.01, longest, n)), random.normal(size=n)


@given(st.integers(0, 999), st.floats(0.1, 1.0))
def test_interpolation_is_scipys_within_gaps_short_enough(
    seed: int, limit: float
) -> None:
    times, values = sampled(seed, 12, 0.8)
    found = resample(
        Variable("x", values),
        times,
        FRAMES,
        method="interpolate",
        longest_gap_s=limit,
    )
    inside = (FRAMES >= times[0]) & (FRAMES <= times[-1])
    oracle = interp1d(times, values)(FRAMES[found.valid])
    np.testing.assert_allclose(found.variable.values[found.valid], oracle)
    assert np.isnan(found.variable.values[~found.valid]).all()
    for at, ok, within in zip(FRAMES, found.valid, inside, strict=True):
        near = within and (times[times >= at].min() - times[times <= at].max() <= limit)
        assert ok == near
    assert f"gaps longer than {limit:g} s" in found.method


@given(st.integers(0, 999))
def test_the_mean_is_that_of_the_samples_in_the_frame(seed: int) -> None:
    times, values = sampled(seed, 400, 0.02)
    found = resample(Variable("x", values), times, FRAMES)
    assert found.method.startswith("mean within each frame interval")
    edges = np.append(FRAMES - 0.05, FRAMES[-1] + 0.05)
    oracle = binned_statistic(times, values, "mean", edges).statistic
    filled = np.isfinite(oracle)
    np.testing.assert_allclose(found.variable.values[filled], oracle[filled])
    assert found.valid[filled].all()


def test_a_mean_of_a_ramp_is_the_ramp() -> None:
    times = np.arange(0, 4.2, 0.001)
    two = np.stack([times, -2 * times], axis=1)
    found = resample(Variable("xy", two), times, FRAMES)
    expected = np.stack([FRAMES, -2 * FRAMES], axis=1)
    np.testing.assert_allclose(found.variable.values, expected, atol=2e-3)
    assert found.valid.all()


def test_frames_in_a_long_gap_are_not_valid_whatever_the_method() -> None:
    times = np.concatenate([np.arange(0, 1, 0.01), np.arange(3, 4, 0.01)])
    for method in ("mean", "interpolate", "hold"):
        found = resample(
            Variable("x", np.sin(times)),
            times,
            FRAMES,
            method=method,  # type: ignore[arg-type]
            longest_gap_s=0.5,
        )
        lost = (FRAMES > 1.6) & (FRAMES < 2.9)
        assert not found.valid[lost].any()
        assert found.valid[(FRAMES < 0.9) | (FRAMES > 3.1)].all()


def test_missing_values_are_gaps_too() -> None:
    times = np.arange(0, 4.2, 0.1)
    values = times.copy()
    values[5] = np.nan
    values[20:35] = np.nan
    found = resample(Variable("x", values), times, FRAMES)
    assert found.valid[(FRAMES > 0.4) & (FRAMES < 0.6)].all()
    np.testing.assert_allclose(found.variable.values[found.valid], FRAMES[found.valid])
    assert not found.valid[(FRAMES > 2) & (FRAMES < 3.3)].any()


@given(st.integers(0, 999), st.floats(0.5, 400))
def test_angles_go_the_shorter_way_round(seed: int, period: float) -> None:
    random = np.random.default_rng(seed)
    times = np.arange(0, 4.5, 0.3)
    turning = np.cumsum(random.uniform(-0.45, 0.45, times.size)) * period
    heading = Variable("h", turning % period, "circular", period=period)
    found = resample(heading, times, FRAMES).variable
    exact = Variable("h", np.interp(FRAMES, times, turning), "circular", period=period)
    np.testing.assert_allclose(found.features(), exact.features(), atol=1e-6)
    assert found.kind == "circular" and found.period == period
    assert np.all((found.values >= 0) & (found.values <= period))


def test_mean_angles_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    times = np.arange(0.0025, 4.2, 0.005)
    angles = (random.normal(0, 0.4, times.size) + times * 3) % (2 * np.pi)
    found = resample(Variable("h", angles, "circular"), times, FRAMES)
    assert found.method.startswith("circular mean")
    for row, at in enumerate(FRAMES):
        near = np.abs(times - at) < 0.05
        turn = found.variable.values[row] - circmean(angles[near])
        assert abs(np.sin(turn / 2)) < 1e-9


@given(st.integers(0, 999))
def test_discrete_values_are_held(seed: int) -> None:
    times, _ = sampled(seed, 9, 0.9)
    values = np.random.default_rng(seed).integers(-1, 4, 9)
    values[0] = 2
    found = resample(Variable("choice", values, "discrete"), times, FRAMES)
    end = times[-1] + np.median(np.diff(times))
    for at, value, ok in zip(FRAMES, found.variable.values, found.valid, strict=True):
        before = np.flatnonzero(times <= at)
        held = values[before[-1]] if before.size and at <= end else -1
        assert value == held
        assert ok == (held >= 0)
    assert found.variable.values.dtype == np.int64
    assert found.method.startswith("each value held")


@given(st.integers(0, 999))
def test_the_nearest_sample_is_taken_as_it_is(seed: int) -> None:
    times, values = sampled(seed, 30, 0.3)
    found = resample(Variable("x", values), times, FRAMES, method="nearest")
    assert found.method.startswith("the nearest sample")
    nearest = values[np.abs(times[:, None] - FRAMES).argmin(axis=0)]
    inside = (FRAMES >= times[0]) & (FRAMES <= times[-1])
    np.testing.assert_array_equal(found.valid, inside)
    np.testing.assert_array_equal(found.variable.values[inside], nearest[inside])


@given(st.integers(0, 999))
def test_the_majority_is_that_of_the_samples_in_the_frame(seed: int) -> None:
    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(-0.1, 4.2, 300))
    codes = random.integers(-1, 3, 300)
    found = resample(
        Variable("side", codes, "discrete"), times, FRAMES, method="majority"
    )
    for at, value in zip(FRAMES, found.variable.values, strict=True):
        near = codes[(np.abs(times - at) < 0.05) & (codes >= 0)]
        if near.size:
            assert value == np.bincount(near).argmax()
        else:
            assert value == codes[times <= at][-1]
    assert found.method.startswith("most frequent within each frame interval")


def test_a_slow_log_is_no_row_of_gaps() -> None:
    slow = resample(Variable("t", np.arange(6.0)), np.arange(6) * 3.0, [1.0, 7, 14])
    assert slow.valid.all()
    with_gap = resample(Variable("t", np.arange(6.0)), [0, 3, 6, 9, 30, 33], [1.0, 20])
    np.testing.assert_array_equal(with_gap.valid, [True, False])


def resampled(**changes: object) -> Resampled:
    return resample(Variable("x", [1.0, 2.0]), [0, 1], FRAMES, **changes)  # type: ignore[arg-type]


def test_what_cannot_be_resampled_is_named() -> None:
    with pytest.raises(InvalidInput, match="3 values but 2 times"):
        resample(Variable("x", [1.0, 2, 3]), [0, 1], FRAMES)
    with pytest.raises(InvalidInput, match="times of 'x' must rise"):
        resample(Variable("x", [1.0, 2, 3]), [0, 1, 1], FRAMES)
    with pytest.raises(InvalidInput, match="no value in any row"):
        resample(Variable("x", [np.nan, np.nan]), [0, 1], FRAMES)
    with pytest.raises(InvalidInput, match=r"discrete and cannot .* use hold"):
        resample(Variable("x", [1, 2], "discrete"), [0, 1], FRAMES, method="mean")
    with pytest.raises(InvalidInput, match="use interpolate, mean, nearest or hold"):
        resampled(method="spline")
    assert resampled().valid[0]


@given(st.integers(0, 999), st.integers(1, 5))
def test_stimulus_frames_are_held_to_the_frame(seed: int, per_frame: int) -> None:
    """Whatever the rates, each imaging frame shows the last flip before it."""
    random = np.random.default_rng(seed)
    flips = np.cumsum(random.choice([1, 1, 1, 2], 60)) / 60
    numbers = random.integers(0, 900, 60)
    at = np.arange(0, 1.5, per_frame / 60) + random.choice([0, 0.004])
    shown = shown_at(flips, numbers, at)
    for moment, frame in zip(at, shown, strict=True):
        before = np.flatnonzero(flips <= moment + 1e-6)
        on = before.size and moment < flips[-1] + np.median(np.diff(flips)) - 1e-6
        assert frame == (numbers[before[-1]] if on else -1)


def test_a_flip_at_the_very_moment_is_on_in_spite_of_rounding() -> None:
    flips = np.arange(600) / 60
    shown = shown_at(flips * 1.0344 + 1e6, np.arange(600), flips * 1.0344 + 1e6 - 1e-9)
    np.testing.assert_array_equal(shown, np.arange(600))


def test_after_the_last_frame_before_a_pause_nothing_is_on() -> None:
    flips = np.concatenate([np.arange(10), np.arange(50, 60)]) / 10
    numbers = np.tile(np.arange(10), 2)
    at = np.arange(70) / 10 + 0.05
    shown = shown_at(flips, numbers, at)
    expected = np.full(70, -1)
    expected[:10] = expected[50:60] = np.arange(10)
    np.testing.assert_array_equal(shown, expected)
    held = shown_at(flips, numbers, at, longest_s=60)
    assert np.all(held[10:50] == 9)
    blank = shown_at([0, 1, 2], [5, -1, 6], [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(blank, [5, -1, 6])


def test_numbers_that_are_no_frames_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one whole number per time"):
        shown_at([0, 1], [0.5, 1], FRAMES)
    with pytest.raises(InvalidInput, match="one whole number per time"):
        shown_at([0, 1], [0, 1, 2], FRAMES)


def test_they_go_into_a_recording() -> None:
    recording = Recording(Traces(np.zeros((40, 2)), "dff", 10.0), frame_times=FRAMES)
    speed = resample(Variable("speed", np.arange(30.0)), np.arange(30) / 10, FRAMES)
    whole = Recording(
        recording.traces,
        variables=(speed.variable,),
        stimulus=Stimulus(shown_at([0, 1, 2], [0, 1, 2], FRAMES)),
        frame_times=FRAMES,
    ).exclude(~speed.valid, "no speed")
    np.testing.assert_array_equal(whole.valid, FRAMES <= 2.9)
