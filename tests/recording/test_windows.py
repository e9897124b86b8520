"""Windows stay inside trials and valid rows, whatever the borders."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_cebra.recording import complete_windows, segments, window_rows

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([True, True, True, False])),
    min_size=1,
    max_size=40,
)
REACH = st.tuples(st.integers(0, 6), st.integers(1, 6))


def split(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    trials, valid = zip(*rows, strict=True)
    return np.array(trials), np.array(valid)


@given(ROWS)
def test_a_stretch_is_one_trial_without_a_gap(rows: list[tuple[int, bool]]) -> None:
    trials, valid = split(rows)
    number = segments(trials, valid)
    np.testing.assert_array_equal(number >= 0, valid)
    for i in range(1, len(rows)):
        if valid[i] and valid[i - 1]:
            same = trials[i] == trials[i - 1]
            assert number[i] - number[i - 1] == (0 if same else 1)
    used = number[number >= 0]
    np.testing.assert_array_equal(np.unique(used), np.arange(used.max(initial=-1) + 1))
    assert np.all(np.diff(used) >= 0)


@given(ROWS, REACH)
def test_a_window_never_leaves_its_stretch(
    rows: list[tuple[int, bool]], reach: tuple[int, int]
) -> None:
    number = segments(*split(rows))
    seen = window_rows(number, *reach)
    assert seen.shape == (number.size, sum(reach))
    assert np.all(seen[number < 0] == -1)
    inside = number >= 0
    assert np.all(number[seen[inside]] == number[inside][:, None])


@given(ROWS, REACH)
def test_a_complete_window_is_consecutive_rows(
    rows: list[tuple[int, bool]], reach: tuple[int, int]
) -> None:
    left, right = reach
    number = segments(*split(rows))
    seen = window_rows(number, left, right)
    complete = complete_windows(number, left, right)
    wanted = np.arange(number.size)[:, None] + np.arange(-left, right)
    # Said row by row, from the definition: every row of it exists, in one stretch.
    for i in range(number.size):
        rows_exist = wanted[i, 0] >= 0 and wanted[i, -1] < number.size
        whole = bool(
            number[i] >= 0 and rows_exist and np.all(number[wanted[i]] == number[i])
        )
        assert complete[i] == whole
        if whole:
            np.testing.assert_array_equal(seen[i], wanted[i])


@given(ROWS, REACH)
def test_at_a_border_the_edge_row_is_repeated(
    rows: list[tuple[int, bool]], reach: tuple[int, int]
) -> None:
    left, right = reach
    number = segments(*split(rows))
    seen = window_rows(number, left, right)
    values = np.arange(number.size, dtype=float)
    for stretch in range(number.max() + 1):
        inside = np.flatnonzero(number == stretch)
        padded = np.pad(values[inside], (left, right - 1), mode="edge")
        for offset, row in enumerate(inside):
            np.testing.assert_array_equal(
                values[seen[row]], padded[offset : offset + left + right]
            )
            assert seen[row, left] == row


def test_no_valid_row_at_all() -> None:
    number = segments(np.zeros(3), np.zeros(3, bool))
    assert number.tolist() == [-1, -1, -1]
    assert (window_rows(number, 1, 2) == -1).all()
    assert not complete_windows(number, 1, 2).any()
