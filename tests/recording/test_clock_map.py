"""A clock map is a line that can be turned round, chained and stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cebra.recording import ClockMap, InvalidInput

CLOCKS = st.builds(
    ClockMap,
    st.floats(0.5, 2.0),
    st.floats(-1e4, 1e4),
    st.sampled_from(["given", "pulses"]),
    st.integers(0, 9),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 0.01),
)
TIMES = st.lists(st.floats(-1e5, 1e5), max_size=20).map(np.array)


@given(CLOCKS, TIMES)
def test_there_and_back_is_where_one_was(clock: ClockMap, times: np.ndarray) -> None:
    np.testing.assert_allclose(clock.back(clock.to(times)), times, atol=1e-9)
    np.testing.assert_allclose(
        clock.inverse().to(times), clock.back(times), rtol=1e-9, atol=1e-9
    )


@given(CLOCKS, CLOCKS, TIMES)
def test_one_after_the_other(a: ClockMap, b: ClockMap, times: np.ndarray) -> None:
    both = a.then(b)
    np.testing.assert_allclose(both.to(times), b.to(a.to(times)), rtol=1e-9, atol=1e-8)
    if a.match_rate is not None and b.match_rate is not None:
        assert both.match_rate == min(a.match_rate, b.match_rate)
    if a.residual_s is not None and b.residual_s is None:
        assert both.residual_s == pytest.approx(b.scale * a.residual_s)


@given(CLOCKS)
def test_json_keeps_it_to_the_bit(clock: ClockMap) -> None:
    assert ClockMap.from_json(clock.to_json()) == clock


@pytest.mark.parametrize(
    "text", ["[1]", "{", '{"pace": 1}', '{"scale": "a"}', '{"scale": 0}', "3"]
)
def test_text_that_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        ClockMap.from_json(text)


def test_rates_give_the_same_samples_the_same_times() -> None:
    clock = ClockMap.from_rates(30.0, 29.1, source_start=2.0, target_start=100.0)
    k = np.arange(500)
    np.testing.assert_allclose(clock.to(2 + k / 30), 100 + k / 29.1)
    assert "not checked" in str(clock)
    numbers = ClockMap.from_rates(1, 20, target_start=3)
    np.testing.assert_allclose(numbers.to([0, 10]), [3, 3.5])


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="positive number of samples per second"):
        ClockMap.from_rates(rate, 30)
    with pytest.raises(InvalidInput, match="positive"):
        ClockMap(scale=rate)
