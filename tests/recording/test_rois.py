"""Masks keep their pixels, weights and ids through every way of building them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cebra.recording import InvalidInput, RoiSet

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@st.composite
def labels(draw: st.DrawFn) -> np.ndarray:
    """Return a label image with at least one mask, ids anywhere from 1."""
    image = draw(
        hnp.arrays(np.int32, SHAPES, elements=st.sampled_from([0, 0, 1, 2, 7, 90_001]))
    )
    if not image.any():
        image[0, 0] = 3
    return image


@st.composite
def overlapping(draw: st.DrawFn) -> RoiSet:
    """Return weighted masks that may share pixels."""
    shape = draw(SHAPES)
    pixel = st.integers(0, shape[0] * shape[1] - 1)
    masks = []
    for _ in range(draw(st.integers(1, 6))):
        flat = np.array(draw(st.lists(pixel, min_size=1, max_size=9, unique=True)))
        weights = draw(
            st.none()
            | hnp.arrays(np.float32, flat.size, elements=st.floats(0.125, 8, width=32))
        )
        masks.append((*np.divmod(flat, shape[1]), weights))
    ids = draw(
        st.lists(
            st.integers(1, 10**6),
            min_size=len(masks),
            max_size=len(masks),
            unique=True,
        )
    )
    return RoiSet.from_masks(masks, shape, ids=np.array(ids))


@given(labels())
def test_labels_round_trip(image: np.ndarray) -> None:
    rois = RoiSet.from_labels(image)
    assert set(rois.ids) == set(np.unique(image)) - {0}
    np.testing.assert_array_equal(rois.to_labels(), image)


@given(overlapping())
def test_masks_round_trip(rois: RoiSet) -> None:
    again = RoiSet.from_masks(
        [rois.mask(i) for i in rois.ids], rois.shape, ids=rois.ids
    )
    for name in ("pixels", "weights", "indptr", "ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(rois, name))


@given(overlapping(), st.data())
def test_selecting_keeps_masks_and_their_ids(rois: RoiSet, data: st.DataObject) -> None:
    keep = data.draw(hnp.arrays(bool, len(rois)))
    chosen = rois.select(keep)
    np.testing.assert_array_equal(chosen.ids, rois.ids[keep])
    for roi_id in chosen.ids:
        for before, after in zip(rois.mask(roi_id), chosen.mask(roi_id), strict=True):
            np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(
        rois.select(np.flatnonzero(keep)).pixels, chosen.pixels
    )


@given(overlapping())
def test_centroids_are_weighted_means(rois: RoiSet) -> None:
    for centre, roi_id in zip(rois.centroids(), rois.ids, strict=True):
        y, x, weights = rois.mask(roi_id)
        np.testing.assert_allclose(
            centre, [np.average(y, weights=weights), np.average(x, weights=weights)]
        )


@given(overlapping(), st.data())
def test_repainting_one_mask_leaves_the_others(
    rois: RoiSet, data: st.DataObject
) -> None:
    roi_id = data.draw(st.sampled_from(list(rois.ids)) | st.just(10**6 + 1))
    repainted = rois.with_mask(int(roi_id), np.array([0]), np.array([0]))
    y, x, weights = repainted.mask(roi_id)
    assert (y.tolist(), x.tolist(), weights.tolist()) == ([0], [0], [1.0])
    assert len(repainted) == len(rois) + (roi_id not in rois.ids)
    for other in set(rois.ids) - {roi_id}:
        for before, after in zip(rois.mask(other), repainted.mask(other), strict=True):
            np.testing.assert_array_equal(before, after)


@given(SHAPES, st.integers(1, 12))
def test_a_grid_covers_every_pixel_once(shape: tuple[int, int], tile: int) -> None:
    tile = min(tile, max(shape))
    rois = RoiSet.grid(shape, tile)
    assert rois.kind == "grid"
    np.testing.assert_array_equal(np.sort(rois.pixels), np.arange(np.prod(shape)))
    assert len(rois) == -(-shape[0] // tile) * -(-shape[1] // tile)
    sizes = np.diff(rois.indptr)
    assert sizes.max() <= tile * tile


def test_where_masks_overlap_the_last_wins_in_the_label_image() -> None:
    both = np.array([0]), np.array([1]), None
    rois = RoiSet.from_masks([both, both], (2, 2), ids=np.array([5, 4]))
    assert rois.to_labels()[0, 1] == 4
    assert rois.source_ids.tolist() == [5, 4]
    assert rois.accepted.all()


def test_an_empty_set_is_a_set() -> None:
    rois = RoiSet.from_masks([], (4, 5))
    assert len(rois) == 0
    assert rois.to_labels().shape == (4, 5)
    assert not rois.to_labels().any()
    assert rois.centroids().shape == (0, 2)


def test_curation_and_source_numbers_follow_the_selection() -> None:
    rois = RoiSet(
        np.arange(3),
        np.ones(3),
        np.arange(4),
        (1, 3),
        source_ids=np.array([10, 20, 30]),
        accepted=np.array([True, False, True]),
    )
    chosen = rois.select(rois.accepted)
    assert chosen.source_ids.tolist() == [10, 30]
    assert chosen.ids.tolist() == [1, 3]
    assert chosen.accepted.all()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"indptr": [0, 1]}, "row pointers do not span the pixel list"),
        ({"indptr": [1, 2, 3]}, "row pointers do not span the pixel list"),
        ({"ids": [1]}, "2 masks but 1 ids"),
        ({"source_ids": [1, 2, 3]}, "2 masks but 3 source_ids"),
        ({"accepted": [True]}, "2 masks but 1 accepted"),
        ({"weights": [1.0]}, "3 pixels but 1 weights"),
        ({"indptr": [0, 3, 3]}, "ROI 2 has no pixels"),
        ({"ids": [0, 1]}, "unique numbers from 1"),
        ({"ids": [2, 2]}, "unique numbers from 1"),
        ({"pixels": [0, 1, 6]}, "outside the 2×3 field of view"),
        ({"pixels": [-1, 1, 2]}, "outside the 2×3 field of view"),
        ({"weights": [1.0, np.nan, 1.0]}, "positive, finite"),
        ({"weights": [1.0, 0.0, 1.0]}, "positive, finite"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    changed: dict[str, list[float]], sentence: str
) -> None:
    good: dict[str, object] = {
        "pixels": [0, 1, 5],
        "weights": [1.0, 1.0, 1.0],
        "indptr": [0, 2, 3],
        "shape": (2, 3),
    }
    RoiSet(**good)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=sentence):
        RoiSet(**{**good, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize("y", [-1, 2])
def test_a_mask_off_the_field_of_view_is_refused(y: int) -> None:
    with pytest.raises(InvalidInput, match="ROI number 1 has pixels outside the 2×3"):
        RoiSet.from_masks([(np.array([y]), np.array([0]), None)], (2, 3))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((2, 2, 2), int), "2-D integer label image, not 3-D"),
        (np.zeros((2, 2)), "2-D integer label image, not 2-D float64"),
        (np.zeros((2, 2), int), "label image is empty"),
        (np.array([[0, -4]]), "unique numbers from 1"),
    ],
)
def test_what_is_not_a_label_image_is_refused(image: np.ndarray, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        RoiSet.from_labels(image)


@pytest.mark.parametrize("tile", [0, 4])
def test_a_tile_that_does_not_fit_is_refused(tile: int) -> None:
    with pytest.raises(InvalidInput, match="choose between 1 and 3"):
        RoiSet.grid((2, 3), tile)


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(InvalidInput, match="There is no ROI 9"):
        RoiSet.grid((2, 3), 1).mask(9)
