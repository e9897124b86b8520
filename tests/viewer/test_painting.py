"""Painting id k changes mask k alone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.recording import RoiSet
from napari_cebra.viewer.adapters.painting import painted


def two_overlapping() -> RoiSet:
    """Masks 3 and 7 share the pixels of column 2; 7 is seen on top."""
    yx = np.mgrid[0:4, 0:3].reshape(2, -1)
    zx = np.mgrid[0:4, 2:5].reshape(2, -1)
    weights = np.full(12, 0.5)
    return RoiSet.from_masks(
        [(*yx, weights), (*zx, 2 * weights)],
        (6, 8),
        ids=np.array([3, 7]),
        source_ids=np.array([30, 70]),
        accepted=np.array([False, True]),
    )


def pixels(rois: RoiSet, roi: int) -> set[tuple[int, int]]:
    y, x, _ = rois.mask(roi)
    return set(zip(y.tolist(), x.tolist(), strict=True))


def stroke(rois: RoiSet, where, value, *, overlap=True) -> RoiSet | None:
    before = rois.to_labels()
    after = before.copy()
    after[where] = value
    return painted(rois, before, after, overlap=overlap)


def test_painting_over_a_neighbour_leaves_it_whole():
    rois = two_overlapping()
    after = stroke(rois, np.s_[0:2, 3:5], 3)
    assert pixels(after, 7) == pixels(rois, 7)
    assert pixels(after, 3) == pixels(rois, 3) | {(0, 3), (0, 4), (1, 3), (1, 4)}
    assert after.ids.tolist() == [3, 7]
    assert after.source_ids.tolist() == [30, 70]
    assert after.accepted.tolist() == [False, True]


def test_old_pixels_keep_their_weights_and_new_ones_get_the_mean():
    rois = two_overlapping()
    after = stroke(rois, np.s_[5, 0:2], 3)
    y, _, weights = after.mask(3)
    assert weights[y < 5] == pytest.approx(0.5)
    assert weights[y == 5] == pytest.approx(0.5)


def test_erasing_takes_pixels_from_the_mask_seen_and_from_no_other():
    rois = two_overlapping()
    after = stroke(rois, np.s_[:, 2], 0)
    assert pixels(after, 3) == pixels(rois, 3), "mask 3 lay beneath and stays"
    assert pixels(after, 7) == {p for p in pixels(rois, 7) if p[1] != 2}


def test_a_new_id_is_a_new_roi():
    after = stroke(two_overlapping(), np.s_[5, 5:8], 9)
    assert after.ids.tolist() == [3, 7, 9]
    assert after.source_ids.tolist() == [30, 70, 9]
    assert after.accepted.tolist() == [False, True, True]
    assert pixels(after, 9) == {(5, 5), (5, 6), (5, 7)}


def test_a_mask_erased_whole_is_gone():
    rois = RoiSet.from_labels(np.kron(np.eye(2, dtype=int), np.ones((3, 3), int)) * 4)
    assert painted(rois, rois.to_labels(), np.zeros((6, 6), int), overlap=True) is None


def test_an_edit_that_is_no_stroke_moves_pixels():
    after = stroke(two_overlapping(), np.s_[:, 3:5], 3, overlap=False)
    assert pixels(after, 7) == {(y, 2) for y in range(4)}


def test_nothing_changed_is_the_same_object():
    rois = two_overlapping()
    image = rois.to_labels()
    assert painted(rois, image, image.copy(), overlap=True) is rois


def test_first_roi_on_an_empty_image():
    image = np.zeros((5, 5), int)
    after = image.copy()
    after[1:3, 1:3] = 2
    rois = painted(None, image, after, overlap=True)
    assert rois.ids.tolist() == [2]
    assert np.array_equal(rois.to_labels(), after)
