"""Variables: kinds, units of distance, and what cannot be one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cebra.recording import InvalidInput, Variable


def test_continuous_values_are_columns_of_float64() -> None:
    speed = Variable("speed", np.array([1, 2, 3], np.int16), units="cm/s")
    assert speed.values.dtype == np.float64
    assert speed.period is None
    np.testing.assert_array_equal(speed.features(), [[1], [2], [3]])


def test_rows_without_a_value_are_known_by_it() -> None:
    speed = Variable("speed", np.array([1.0, np.nan]))
    place = Variable("place", np.array([[1.0, np.nan], [1.0, 2.0]]))
    door = Variable("door", np.array([np.nan, 3.0]), kind="discrete")
    assert speed.known.tolist() == [True, False]
    assert place.known.tolist() == [False, True]
    assert door.known.tolist() == [False, True]
    assert door.values.tolist() == [-1, 3]
    assert door.values.dtype == np.int64


@given(
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
    st.integers(-3, 3),
    st.floats(0.5, 400),
)
def test_circular_distance_is_the_chord(
    a: float, b: float, turns: int, period: float
) -> None:
    heading = Variable(
        "heading", np.array([a, b + turns * period]), kind="circular", period=period
    )
    first, second = heading.features()
    chord = 2 * abs(np.sin(np.pi * (a - b) / period))
    assert np.linalg.norm(first - second) == pytest.approx(chord, abs=1e-6)


def test_a_circular_variable_turns_in_radians_by_default() -> None:
    assert Variable("a", np.zeros(3), kind="circular").period == 2 * np.pi


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        (np.zeros(3), {"kind": "angular"}, "unknown kind 'angular'"),
        (np.zeros((2, 2, 2)), {}, r"one number \(or d numbers\) per frame"),
        (np.array(["a", "b"]), {}, "one number"),
        (np.array([1.5, 2]), {"kind": "discrete"}, "not a list of whole numbers"),
        (np.zeros((3, 2)), {"kind": "discrete"}, "not a list of whole numbers"),
        (np.zeros((3, 2)), {"kind": "circular"}, "one column of angles"),
        (np.zeros(3), {"kind": "circular", "period": 0}, "must be positive, not 0"),
        (np.zeros(3), {"kind": "circular", "period": np.nan}, "must be positive"),
    ],
)
def test_what_cannot_be_a_variable_is_refused_in_a_sentence(
    values: np.ndarray, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Variable("v", values, **settings)  # type: ignore[arg-type]
