import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_cebra.decoding import (
    contiguous_folds,
    cut_segments,
    repeat_folds,
    repeat_split,
    validation_split,
)
from napari_cebra.recording import InvalidInput, segments, window_rows


def test_last_repeat_is_tested_and_the_one_before_validates():
    repeat = np.repeat(np.arange(-1, 4), 5)
    split = repeat_split(repeat, np.ones(25, bool))
    assert set(repeat[split.test]) == {3}
    assert set(repeat[split.validation]) == {2}
    assert set(repeat[split.train]) == {0, 1}
    assert set(repeat[split.refit]) == {0, 1, 2}


def test_all_repeat_folds_test_and_validate_each_row_once():
    repeat = np.repeat(np.arange(4), 5)
    folds = repeat_folds(repeat, np.ones(20, bool))
    assert np.array_equal(sum(f.test.astype(int) for f in folds), np.ones(20))
    assert np.array_equal(sum(f.validation.astype(int) for f in folds), np.ones(20))


def test_three_repeats_are_refused():
    with pytest.raises(InvalidInput, match="at least 4 repeats"):
        repeat_split(np.repeat([0, 1, 2], 5), np.ones(15, bool))


def test_repeats_without_a_usable_row_do_not_count():
    usable = np.ones(20, bool)
    usable[15:] = False
    with pytest.raises(InvalidInput, match="there are 3"):
        repeat_split(np.repeat([0, 1, 2, 3], 5), usable)


@pytest.mark.parametrize("gap", [0, 1, 7])
def test_blocks_tile_the_rows_and_keep_their_distance(gap):
    usable = np.ones(200, bool)
    usable[50:60] = False
    folds = contiguous_folds(usable, gap)
    assert np.array_equal(sum(f.test.astype(int) for f in folds), usable)
    row = np.arange(200)

    def distance(near, far):
        return np.abs(row[near][:, None] - row[far][None, :]).min()

    for number, fold in enumerate(folds):
        assert distance(fold.test, fold.refit) == gap + 1
        # Block 1 lies behind the tested block 2: its distance is larger.
        apart = distance(fold.validation, fold.train)
        assert apart > gap + 1 if number == 1 else apart == gap + 1
        assert not (fold.refit & ~usable).any()
        assert np.array_equal(fold.refit | fold.test, usable) == (gap == 0)


def test_borders_move_to_trial_borders_when_there_are_enough_trials():
    trials = np.arange(207) // 9
    folds = contiguous_folds(np.ones(207, bool), 0, trials=trials)
    for fold in folds:
        mixed = set(trials[fold.test]) & set(trials[~fold.test])
        assert not mixed


def test_too_large_a_gap_says_what_to_do():
    with pytest.raises(InvalidInput, match="shorter windows and gaps"):
        contiguous_folds(np.ones(100, bool), 60)
    with pytest.raises(InvalidInput, match="Only 6 frames"):
        contiguous_folds(np.arange(100) < 6, 0)
    with pytest.raises(InvalidInput, match="at least 3"):
        contiguous_folds(np.ones(100, bool), 0, n_folds=2)


def test_validation_split_fits_all_rows_in_the_end():
    split = validation_split(np.ones(100, bool), 5)
    assert not split.test.any()
    assert split.refit.all()
    assert split.validation.sum() == 20
    assert split.train.sum() == 75


def test_parts_name_every_row():
    valid = np.ones(60, bool)
    valid[0] = False
    known = np.ones(60, bool)
    known[1] = False
    split = contiguous_folds(valid & known, 2)[0]
    parts = split.parts(valid, known)
    assert parts[0] == "invalid"
    assert parts[1] == "no target"
    assert set(parts[2:]) == {"train", "validation", "test", "gap"}
    assert np.array_equal(parts == "test", split.test)


def test_no_window_reaches_across_the_border_of_a_split():
    usable = np.ones(120, bool)
    segment = segments(np.arange(120) // 50, usable)
    for split in contiguous_folds(usable, 0):
        cut = split.choosing(segment)
        part = split.train + 2 * split.validation + 4 * split.test
        rows = window_rows(cut, 5, 5)
        assert np.array_equal(part[rows], np.repeat(part[:, None], 10, 1))
        assert np.array_equal(segment[rows], np.repeat(segment[:, None], 10, 1))
        rows = window_rows(split.refitting(segment), 5, 5)
        assert np.array_equal(split.test[rows], np.repeat(split.test[:, None], 10, 1))


def test_cutting_keeps_rows_without_a_stretch():
    segment = np.array([0, 0, -1, 1, 1, 1])
    part = np.array([1, 1, 1, 1, 2, 2])
    cut = cut_segments(segment, part)
    assert np.array_equal(cut, [0, 0, -1, 1, 2, 2])


def test_rows_set_aside_belong_to_the_part_around_them():
    part = np.array([0, 1, 0, 1, 0, 0, 2, 0, 2, 0])
    cut = cut_segments(np.zeros(10, int), part)
    assert np.array_equal(cut, [0, 0, 0, 0, 1, 1, 2, 2, 2, 2])


@given(st.lists(st.integers(1, 12), min_size=12, max_size=40), st.integers(0, 6))
def test_windows_over_rows_set_aside_never_come_near_the_test(runs, gap):
    usable = np.repeat(np.arange(len(runs)) % 2 == 0, runs)
    row = np.arange(usable.size)
    assume(usable.sum() >= 40)
    try:
        folds = contiguous_folds(usable, gap)
    except InvalidInput:
        assume(False)
    for split in folds:
        cut = split.refitting(np.zeros(usable.size, int))
        test = row[split.test]
        for stretch in np.unique(cut[split.refit]):
            away = np.abs(row[cut == stretch][:, None] - test).min()
            assert away > gap
