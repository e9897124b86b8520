import numpy as np
import pytest
from scipy import ndimage

from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.traces import neuropil_rings

from .conftest import discs

SHAPE = (90, 110)


def ring_image(rings, k):
    image = np.zeros(rings.shape, bool)
    image.ravel()[rings.pixels[rings.indptr[k] : rings.indptr[k + 1]]] = True
    return image


def test_rings_hold_no_cell_pixel_and_keep_the_inner_border(rng):
    rois = discs(SHAPE, rng.integers(6, 84, (20, 2)), rng=rng)
    rings = neuropil_rings(rois)
    cells = rois.to_labels() > 0
    assert len(rings) == len(rois) and not rings.short.any()
    for k, roi_id in enumerate(rois.ids):
        ring = ring_image(rings, k)
        assert not (ring & cells).any()
        y, x, _ = rois.mask(roi_id)
        own = np.zeros(SHAPE, bool)
        own[y, x] = True
        assert not (ring & ndimage.binary_dilation(own, np.ones((5, 5)))).any()
        assert np.all(np.diff(np.flatnonzero(ring)) > 0) and ring.sum() >= 350


def test_ring_is_the_first_box_that_is_large_enough():
    rois = discs(SHAPE, [(45, 55)])
    rings = neuropil_rings(rois)
    # A disc of radius 4 with its border of 2 spans 13 x 13 pixels. The box
    # grows by 5 a side: 23 x 23 holds 529 pixels, less the dilated disc.
    disc = np.hypot(*(np.indices(SHAPE) - np.array([45, 55])[:, None, None])) <= 4
    near = ndimage.binary_dilation(disc, np.ones((5, 5)))
    expected = np.zeros(SHAPE, bool)
    expected[45 - 11 : 45 + 12, 55 - 11 : 55 + 12] = True
    np.testing.assert_array_equal(ring_image(rings, 0), expected & ~near)


def test_a_larger_minimum_grows_the_ring():
    small = neuropil_rings(discs(SHAPE, [(45, 55)]), min_pixels=350).sizes()[0]
    large = neuropil_rings(discs(SHAPE, [(45, 55)]), min_pixels=1000).sizes()[0]
    assert small < 1000 <= large


def test_without_room_the_ring_is_what_there_is_and_marked():
    labels = np.ones((20, 20), int)
    labels[:, 10:] = 2
    labels[0, 0] = 0
    rings = neuropil_rings(RoiSet.from_labels(labels))
    assert rings.short.tolist() == [True, True]
    # The one free pixel is inside the border of ROI 1, but not of ROI 2.
    assert rings.sizes().tolist() == [0, 1]


def test_ring_grows_past_a_crowd():
    labels = np.zeros((120, 120), int)
    labels[20:100, 20:100] = np.arange(80 * 80).reshape(80, 80) // 1600 + 1
    rings = neuropil_rings(RoiSet.from_labels(labels))
    assert not rings.short.any() and rings.sizes().min() >= 350


def test_a_grid_has_no_rings():
    assert neuropil_rings(RoiSet.grid((32, 32), 8)) is None


def test_impossible_ring_is_refused():
    with pytest.raises(InvalidInput, match="border"):
        neuropil_rings(discs(SHAPE, [(45, 55)]), inner=-1)
