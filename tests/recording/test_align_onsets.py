"""Onsets whose pairs are known give a clock, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cebra.recording import ClockMap, InvalidInput, align_onsets


def onsets(seed: int, n: int) -> tuple[np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    return np.cumsum(random.uniform(1, 5, n)), random


@given(st.integers(0, 999), st.floats(0.95, 1.05), st.floats(-1e4, 1e4))
def test_exact_pairs_give_the_exact_clock(
    seed: int, scale: float, offset: float
) -> None:
    times, random = onsets(seed, 20)
    clock = ClockMap(scale, offset)
    order = random.permutation(20)
    found = align_onsets(times[order], clock.to(times[order]))
    np.testing.assert_allclose(found.clock.to(times), clock.to(times), atol=1e-8)
    assert found.clock.matched == 20


def test_noise_alone_gives_the_line_of_polyfit() -> None:
    times, random = onsets(0, 50)
    seen = 1.02 * times + 7 + random.uniform(-1e-3, 1e-3, 50)
    found = align_onsets(times, seen).clock
    slope, intercept = np.polyfit(times, seen, 1)
    assert found.scale == pytest.approx(slope, abs=1e-12)
    assert found.offset == pytest.approx(intercept, abs=1e-9)
    left = seen - slope * times - intercept
    assert found.residual_s == pytest.approx(np.sqrt(np.mean(left**2)))


def test_late_and_unseen_onsets_do_not_count() -> None:
    times, random = onsets(1, 40)
    seen = ClockMap(0.97, 30).to(times) + random.normal(0, 1e-4, 40)
    late = [3, 12, 13, 33]
    seen[late] += random.uniform(0.05, 2, 4)
    seen[5] = np.nan
    found = align_onsets(times, seen)
    np.testing.assert_allclose(
        found.clock.to(times), ClockMap(0.97, 30).to(times), atol=2e-4
    )
    assert found.clock.matched == 35
    assert found.clock.match_rate == pytest.approx(35 / 39)
    assert not set(found.source_rows) & {5, *late}


def test_what_cannot_be_aligned_is_named() -> None:
    times, random = onsets(2, 30)
    with pytest.raises(InvalidInput, match="30 source and 29 target onsets"):
        align_onsets(times, times[1:])
    with pytest.raises(InvalidInput, match="Only 2 onsets"):
        align_onsets(times[:2], times[:2])
    with pytest.raises(InvalidInput, match="Only 2 onsets"):
        align_onsets([1, 1, 1, 2], [1, 1, 1, 2])
    with pytest.raises(InvalidInput, match=r"Only \d+% of the 30 pairs"):
        align_onsets(times, random.permutation(times))
    with pytest.raises(InvalidInput, match="factor of 1000"):
        align_onsets(times, 1000 * times)
