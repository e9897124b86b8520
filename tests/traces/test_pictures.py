"""Deviation and correlation images come with the traces, from the same pass."""

import numpy as np
import pytest

from napari_cebra.traces import extract
from napari_cebra.traces.extract import BLOCK_FRAMES

from .conftest import ArrayStack, discs, run


@pytest.fixture
def movie(rng):
    frames = rng.normal(1000, 20, (2 * BLOCK_FRAMES + 77, 20, 24))
    frames[:, 5:10, 6:12] += 50 * rng.normal(size=(len(frames), 1, 1))
    frames[:, 15, 3] = 7
    return frames.astype(np.float32)


def plain_correlation(frames):
    z = frames - frames.mean(axis=0)
    norm = np.sqrt((z**2).sum(axis=0))
    z = np.divide(z, norm, out=np.zeros_like(z), where=norm > 0)
    found = np.zeros(frames.shape[1:])
    for y, x in np.ndindex(found.shape):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [
            (z[:, y, x] * z[:, v, u]).sum()
            for v, u in around
            if 0 <= v < found.shape[0] and 0 <= u < found.shape[1]
        ]
        found[y, x] = np.mean(inside)
    return found


@pytest.mark.parametrize("compiled", [None, False])
@pytest.mark.parametrize("asked", [10_000, 100])
def test_pictures_are_those_of_evenly_spaced_frames(movie, asked, compiled):
    rois = discs((20, 24), [(7, 9)], radius=2)
    stack = ArrayStack(movie)
    _, made = run(extract(stack, rois, pictures=asked, compiled=compiled))
    used = movie[:: -(-len(movie) // asked)].astype(np.float64)
    assert len(used) <= asked
    np.testing.assert_allclose(made.std_image, used.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        made.correlation_image, plain_correlation(used), atol=1e-5
    )
    assert made.std_image[15, 3] == 0 and made.correlation_image[15, 3] == 0
    assert made.correlation_image[6:9, 7:11].min() > 0.6
    assert np.abs(made.correlation_image[12:14, 8:]).max() < 0.5


def test_without_pictures_nothing_else_changes(movie):
    rois = discs((20, 24), [(7, 9)], radius=2)
    _, plain = run(extract(ArrayStack(movie), rois))
    _, drawn = run(extract(ArrayStack(movie), rois, pictures=50))
    assert plain.std_image is None and plain.correlation_image is None
    np.testing.assert_array_equal(plain.raw.values, drawn.raw.values)
    np.testing.assert_array_equal(plain.mean_image, drawn.mean_image)
