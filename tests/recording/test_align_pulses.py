"""Two logs of the same pulses find each other; two of different ones do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cebra.recording import ClockMap, InvalidInput, align_pulses


@dataclass
class TwoLogs:
    """Logs of the same pulses, with jitter, 5 % missing and 5 % spurious in both."""

    source: np.ndarray
    target: np.ndarray
    clock: ClockMap
    times: np.ndarray
    source_ids: np.ndarray
    target_ids: np.ndarray

    def error_s(self, found: ClockMap) -> float:
        return float(np.abs(found.to(self.times) - self.clock.to(self.times)).max())


def two_logs(
    seed: int,
    n: int = 400,
    every: float = 1.0,
    irregular: float = 0.5,
    jitter: float = 2e-4,
    lost: float = 0.05,
) -> TwoLogs:
    random = np.random.default_rng(seed)
    times = np.cumsum(every * random.uniform(1 - irregular, 1 + irregular, n))
    clock = ClockMap(random.uniform(0.95, 1.05), random.uniform(-900, 900))

    def logged(exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids = np.flatnonzero(random.random(n) >= lost)
        seen = exact[ids] + random.normal(0, jitter, ids.size)
        spurious = random.uniform(seen.min(), seen.max(), int(lost * n))
        both = np.concatenate([seen, spurious])
        order = np.argsort(both)
        ids = np.concatenate([ids, np.full(spurious.size, -1)])
        return both[order], ids[order]

    source, source_ids = logged(times)
    target, target_ids = logged(clock.to(times))
    return TwoLogs(source, target, clock, times, source_ids, target_ids)


def test_the_clock_is_recovered_to_a_millisecond_in_100_of_100_trials() -> None:
    for seed in range(100):
        logs = two_logs(seed)
        found = align_pulses(logs.source, logs.target)
        assert logs.error_s(found.clock) < 1e-3, seed
        assert found.clock.match_rate is not None
        assert 0.83 < found.clock.match_rate < 0.97


def test_unrelated_logs_are_refused_in_100_of_100_trials() -> None:
    for seed in range(100):
        source, target = two_logs(seed).source, two_logs(seed + 1000).target
        with pytest.raises(InvalidInput, match=r"Only \d+% of the pulses match"):
            align_pulses(source, target)


@pytest.mark.parametrize(
    "kind",
    [
        {"n": 30},
        {"n": 100, "irregular": 0.02},
        {"n": 200, "jitter": 1e-3},
        {"n": 2000, "every": 1 / 30, "irregular": 0.03, "jitter": 5e-5},
        {"n": 200, "every": 10.0, "irregular": 0.9},
    ],
    ids=str,
)
def test_other_trains_of_pulses(kind: dict[str, float]) -> None:
    for seed in range(20):
        logs = two_logs(seed, **kind)  # type: ignore[arg-type]
        assert logs.error_s(align_pulses(logs.source, logs.target).clock) < 1e-3
        wrong = two_logs(seed + 1000, **kind).target  # type: ignore[arg-type]
        with pytest.raises(InvalidInput):
            align_pulses(logs.source, wrong)


def test_the_fit_is_that_of_polyfit_on_the_pulses_known_to_be_pairs() -> None:
    for seed in range(10):
        logs = two_logs(seed)
        found = align_pulses(logs.source, logs.target)
        both = np.intersect1d(logs.source_ids[logs.source_ids >= 0], logs.target_ids)
        x = logs.source[np.isin(logs.source_ids, both)]
        y = logs.target[np.isin(logs.target_ids, both)]
        slope, intercept = np.polyfit(x, y, 1)
        oracle = ClockMap(slope, intercept)
        ends = logs.source[[0, -1]]
        # An outlier more or less moves a line by less than the noise of one pulse.
        np.testing.assert_allclose(found.clock.to(ends), oracle.to(ends), atol=5e-5)


def test_pairs_are_the_pulses_that_were_the_same() -> None:
    logs = two_logs(3)
    found = align_pulses(logs.source, logs.target)
    of_source = logs.source_ids[found.source_rows]
    of_target = logs.target_ids[found.target_rows]
    true = of_source >= 0
    np.testing.assert_array_equal(of_source[true], of_target[true])
    assert true.mean() > 0.98
    np.testing.assert_allclose(
        found.residuals,
        logs.target[found.target_rows] - found.clock.to(logs.source[found.source_rows]),
        atol=1e-9,
    )
    assert len(set(found.target_rows)) == found.target_rows.size


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(0.95, 1.05),
    st.floats(-1e9, 1e9),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_any_scale_offset_and_overlap(
    seed: int, scale: float, offset: float, late: int, early: int
) -> None:
    random = np.random.default_rng(seed)
    times = np.cumsum(random.uniform(0.5, 1.5, 200))
    clock = ClockMap(scale, offset)
    found = align_pulses(times[: 200 - early], clock.to(times[late:]))
    # Times of 1e9 s have 1e-7 s between two float64.
    np.testing.assert_allclose(found.clock.to(times), clock.to(times), atol=2e-6)
    assert found.n_source == found.n_target == 200 - late - early
    assert found.clock.match_rate == 1


def test_the_way_back_is_the_inverse() -> None:
    logs = two_logs(8)
    there = align_pulses(logs.source, logs.target).clock
    back = align_pulses(logs.target, logs.source).clock
    ends = logs.source[[0, -1]]
    np.testing.assert_allclose(back.to(there.to(ends)), ends, atol=1e-4)


def test_pauses_of_half_an_hour() -> None:
    logs = two_logs(2, n=300, lost=0)
    later = np.repeat([0, 1800, 5400], 100)
    random = np.random.default_rng(0)
    target = logs.clock.to(logs.times + later) + random.normal(0, 1e-3, 300)
    found = align_pulses(logs.times + later, target)
    assert found.clock.matched == 300


def test_the_clock_of_a_real_rig_that_was_slow() -> None:
    """One rig's clock was 3.44 % off (reference/calcium.md, finding 10)."""
    logs = two_logs(4, lost=0.015)
    found = align_pulses(logs.times, ClockMap(1.0344, 40).to(logs.times))
    assert found.clock.scale == pytest.approx(1.0344, abs=1e-9)


EVEN = np.arange(300.0)


@pytest.mark.parametrize("jitter", [0.0, 1e-4])
def test_even_intervals_are_refused_as_ambiguous(jitter: float) -> None:
    random = np.random.default_rng(0)
    target = EVEN * 1.03 + 70 + random.normal(0, jitter, EVEN.size)
    with pytest.raises(InvalidInput, match=r"fit 1\.030 s apart as well; say which"):
        align_pulses(EVEN, target)


def test_a_pattern_that_repeats_is_refused_as_ambiguous() -> None:
    once = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 50))
    repeats = np.concatenate([once, once + 60, once + 120])
    with pytest.raises(InvalidInput, match=r"fit 60\.600 s apart"):
        align_pulses(repeats, repeats * 1.01)


@pytest.mark.parametrize("pin", ["first", "last", "both"])
@pytest.mark.parametrize("irregular", [0.0, 0.5])
def test_a_pinned_pulse_settles_it(pin: str, irregular: float) -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        times = np.cumsum(1 + random.uniform(-irregular, irregular, 300))
        clock = ClockMap(random.uniform(0.95, 1.05), 80.0)
        kept = random.random((2, 300)) > 0.05
        kept[:, [0, -1]] = True
        target = clock.to(times[kept[1]]) + random.normal(0, 2e-4, kept[1].sum())
        found = align_pulses(times[kept[0]], target, pin=pin)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.clock.to(times), clock.to(times), atol=1e-3)


def test_a_pin_does_not_let_a_wrong_log_through() -> None:
    for seed in range(20):
        source, target = two_logs(seed).source, two_logs(seed + 1000).target
        for pin in ("first", "last", "both"):
            with pytest.raises(InvalidInput, match="of the pulses match"):
                align_pulses(source, target, pin=pin)  # type: ignore[arg-type]


def test_no_pair_beyond_the_tolerance() -> None:
    logs = two_logs(1)
    found = align_pulses(logs.source, logs.target, tolerance_s=5e-4, min_match=0.7)
    assert np.abs(found.residuals).max() <= 5e-4


def test_one_log_with_twice_the_pulses_has_chance_against_it() -> None:
    source = two_logs(0, n=30).source
    dense = np.sort(np.random.default_rng(1).uniform(0, source[-1], 3000))
    with pytest.raises(InvalidInput):
        align_pulses(source, dense)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ([0.0, 1, 2], "at least 6"),
        ([0.0, 1, 2, 2, 4, 5, 6], r"row 3 \(counting from 0\) repeats 2.000000 s"),
        ([0.0, 1, 2, 4, 3, 5, 6], "row 4 .* goes back from 4.000000 s to 3.000000 s"),
        ([0.0, 1, np.nan, 3, 4, 5, 6], "empty or not numbers, the first at row 2"),
        ([[0.0, 1], [2, 3]], "must be a list"),
    ],
)
def test_a_log_that_is_no_clock_is_named(source: list[float], text: str) -> None:
    with pytest.raises(InvalidInput, match=f"source pulses.*{text}|{text}"):
        align_pulses(source, np.cumsum(np.linspace(1, 2, 20)))


def test_settings_that_make_no_sense_are_named() -> None:
    logs = two_logs(0)
    with pytest.raises(InvalidInput, match="Pin the first"):
        align_pulses(logs.source, logs.target, pin="middle")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="tolerance must be positive"):
        align_pulses(logs.source, logs.target, tolerance_s=0)


def test_milliseconds_are_not_taken_for_seconds() -> None:
    logs = two_logs(0)
    with pytest.raises(InvalidInput, match="with times in seconds"):
        align_pulses(1000 * logs.source, logs.target)


@pytest.mark.slow
def test_a_hundred_thousand_pulses() -> None:
    logs = two_logs(0, n=100_000)
    assert logs.error_s(align_pulses(logs.source, logs.target).clock) < 1e-3


LOGS = st.lists(
    st.floats(-1e12, 1e12) | st.integers(-20, 20).map(float), min_size=4, max_size=30
).map(lambda times: np.unique(times))


@settings(max_examples=150, deadline=None)
@given(LOGS, LOGS, st.sampled_from([None, "first", "last", "both"]))
def test_any_two_logs_are_aligned_or_refused(
    source: np.ndarray, target: np.ndarray, pin: str | None
) -> None:
    with np.errstate(divide="raise", invalid="raise", over="ignore"):
        try:
            found = align_pulses(source, target, pin=pin)  # type: ignore[arg-type]
        except InvalidInput as error:
            assert str(error).endswith(".")
            return
    assert abs(found.clock.scale - 1) <= 0.06
    assert found.source_rows.size >= 4
