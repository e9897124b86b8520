"""The movie through an index: lengths, repeats, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cebra.recording import InvalidInput, Stimulus


def test_the_movie_is_held_and_never_copied() -> None:
    movie = np.zeros((4, 2, 2), np.uint8)
    stimulus = Stimulus(np.array([0, 1, 3]), movie=movie)
    assert stimulus.movie is movie
    assert stimulus.n_frames == 4


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 3),
        ({"frame_times": np.arange(5) / 30}, 5),
        ({"n_movie_frames": 9}, 9),
        ({"movie": np.zeros((7, 2, 2, 3))}, 7),
    ],
)
def test_the_number_of_movie_frames_is_found(
    settings: dict[str, object], count: int
) -> None:
    assert Stimulus(np.array([0, 2]), **settings).n_frames == count  # type: ignore


@given(st.integers(1, 5), st.integers(2, 8), st.integers(0, 3))
def test_repeats_are_counted_where_the_index_jumps_back(
    n_repeats: int, n_movie: int, pause: int
) -> None:
    once = np.concatenate([np.full(pause, -1), np.arange(n_movie)])
    stimulus = Stimulus(np.tile(once, n_repeats))
    shown = stimulus.shown >= 0
    np.testing.assert_array_equal(stimulus.repeats, np.arange(n_repeats))
    np.testing.assert_array_equal(
        stimulus.repeat[shown], np.repeat(np.arange(n_repeats), n_movie)
    )
    assert (stimulus.repeat[~shown] == -1).all()


def test_a_frame_held_over_several_imaging_frames_is_one_repeat() -> None:
    assert Stimulus(np.array([0, 0, 1, 1, 0, 0])).repeat.tolist() == [0, 0, 0, 0, 1, 1]


def test_empty_cells_are_frames_without_a_picture() -> None:
    stimulus = Stimulus(np.array([np.nan, 0, 1]), repeat=np.array([np.nan, 4, 4]))
    assert stimulus.shown.tolist() == [-1, 0, 1]
    assert stimulus.repeat.tolist() == [-1, 4, 4]
    assert stimulus.repeats.tolist() == [4]


@pytest.mark.parametrize(
    ("shown", "settings", "sentence"),
    [
        ([], {}, "one number per frame"),
        ([[0, 1]], {}, "one number per frame"),
        ([0.5, 1], {}, "whole movie-frame numbers"),
        ([0, 1], {"repeat": [0]}, "2 shown-frame indices but 1 repeat"),
        ([0, 1], {"movie": np.zeros((4, 4))}, r"not \(4, 4\)"),
        ([0, 4], {"movie": np.zeros((4, 2, 2))}, "has 4 frames, but .* goes up to 4"),
        ([-1, -1], {}, "names no movie frame"),
        ([0, 1], {"frame_times": np.array([0.0, 0.0])}, "2 rising numbers"),
        ([0, 1], {"frame_times": np.array([0.0, np.nan])}, "2 rising numbers"),
        (
            [0, 1],
            {"frame_times": np.arange(3.0), "movie": np.zeros((2, 1, 1))},
            "2 rising numbers",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    shown: list[float], settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Stimulus(np.array(shown), **settings)  # type: ignore[arg-type]
