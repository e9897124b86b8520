"""Traces are checked where they enter."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, NapariCebraError, Traces


def test_any_numbers_become_contiguous_float32() -> None:
    given = np.arange(12, dtype=np.int16).reshape(3, 4).T
    traces = Traces(given, kind="raw", rate=30)
    assert traces.values.dtype == np.float32
    assert traces.values.flags.c_contiguous
    assert (traces.n_frames, traces.n_rois) == (4, 3)
    np.testing.assert_array_equal(traces.values, given)


def test_traces_cannot_be_reassigned() -> None:
    traces = Traces(np.ones((3, 1)))
    with pytest.raises(AttributeError):
        traces.rate = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        (np.ones(5), {}, r"time × ROIs \(T, N\), not float64 of shape \(5,\)"),
        (np.full((2, 2), "a"), {}, "numeric table"),
        (np.ones((2, 2), complex), {}, "numeric table"),
        (np.ones((1, 2)), {}, "at least 2 time points"),
        (np.ones((5, 0)), {}, "at least 2 time points and 1 ROI"),
        (np.array([[1, np.nan, 3], [1, 2, np.inf]]), {}, "2 of 3 ROIs .* column 1"),
        (np.ones((3, 2)), {"kind": "dF/F"}, "Unknown kind of traces: 'dF/F'"),
        (np.ones((3, 2)), {"rate": 0.0}, "positive number of Hz, not 0.0"),
        (np.ones((3, 2)), {"rate": np.nan}, "positive number of Hz, not nan"),
        (np.ones((3, 2)), {"rate": np.inf}, "positive number of Hz, not inf"),
    ],
)
def test_what_cannot_be_traces_is_refused_in_a_sentence(
    values: np.ndarray, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Traces(values, **settings)  # type: ignore[arg-type]


def test_values_too_large_for_float32_are_refused() -> None:
    with np.errstate(over="ignore"), pytest.raises(InvalidInput, match="infinity"):
        Traces(np.full((3, 1), 1e300))


def test_a_person_s_error_is_ours_and_a_value_error() -> None:
    assert issubclass(InvalidInput, NapariCebraError)
    assert issubclass(InvalidInput, ValueError)
