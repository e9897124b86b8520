"""The stimulus through an index behaves like the array it stands for."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.viewer.adapters import IndexedMovie


class Counting:
    """A movie that counts how many frames are read."""

    def __init__(self, array):
        self.array, self.reads = array, 0
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        self.reads += 1
        return self.array[key]


@pytest.fixture(params=[(7, 4, 5), (7, 4, 5, 3)], ids=["grey", "rgb"])
def pair(request):
    rng = np.random.default_rng(0)
    movie = rng.integers(1, 255, request.param, dtype=np.uint8)
    index = np.array([0, 3, -1, 6, 6, 2, -1, 1])
    stands_for = movie[np.maximum(index, 0)].copy()
    stands_for[index < 0] = 0
    return IndexedMovie(Counting(movie), index), stands_for


@pytest.mark.parametrize(
    "key",
    [
        np.s_[3],
        np.s_[2],
        np.s_[-1],
        np.s_[1:4],
        np.s_[::2],
        np.s_[2, 1:3, 2],
        np.s_[..., 0],
        np.s_[1, ...],
        np.s_[:, 1],
        np.s_[np.array([0, 5])],
        (4, slice(None), slice(None, None, -1)),
    ],
)
def test_indexing_equals_the_array(pair, key):
    lazy, array = pair
    assert np.array_equal(lazy[key], array[key])


def test_it_looks_like_the_array(pair):
    lazy, array = pair
    assert lazy.shape == array.shape and lazy.dtype == array.dtype
    assert lazy.ndim == array.ndim and lazy.size == array.size
    assert len(lazy) == len(array)
    assert np.array_equal(np.asarray(lazy), array)


def test_out_of_range_is_refused(pair):
    with pytest.raises(IndexError):
        pair[0][8]


def test_a_frame_is_read_once_and_alone():
    movie = Counting(np.ones((1000, 4, 5), np.uint8))
    lazy = IndexedMovie(movie, np.arange(500))
    assert movie.reads == 0
    for _ in range(5):
        lazy[123]
    assert movie.reads == 1
