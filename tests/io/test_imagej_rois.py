"""RoiSet.zip: the pixels ImageJ sees, and the same ones back."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import roifile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from napari_cebra.io import (
    read_imagej_rois,
    read_roi_file,
    write_imagej_rois,
    write_label_image,
)
from napari_cebra.recording import InvalidInput, RoiSet

SHAPE = (20, 31)


def roi(kind, box=(2, 3, 9, 12), points=None, **fields) -> ImagejRoi:
    if points is not None:
        made = ImagejRoi.frompoints(np.array(points), name="a")
    else:
        made = ImagejRoi()
        made.top, made.left, made.bottom, made.right = box
    made.roitype = kind
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def save(path, *rois):
    if path.suffix == ".roi":
        path.write_bytes(rois[0].tobytes())
        return path
    with zipfile.ZipFile(path, "w") as archive:
        for number, one in enumerate(rois):
            archive.writestr(f"{number:04}-0003.roi", one.tobytes())
    return path


def picture(read, k=0) -> np.ndarray:
    y, x, _ = read.rois.mask(k + 1)
    image = np.zeros(read.rois.shape, bool)
    image[y, x] = True
    return image


masks = st.lists(
    arrays.arrays(bool, SHAPE, elements=st.booleans()).filter(np.any),
    min_size=1,
    max_size=4,
)
QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUICK
@given(masks, st.data())
def test_any_masks_come_back_with_their_names(tmp_path, drawn, data) -> None:
    n = len(drawn)
    ids = data.draw(st.lists(st.integers(1, 9999), min_size=n, max_size=n, unique=True))
    rois = RoiSet.from_masks([(*np.nonzero(m), None) for m in drawn], SHAPE, ids=ids)
    assert write_imagej_rois(tmp_path / "RoiSet.zip", rois) == ()
    read = read_roi_file(tmp_path / "RoiSet.zip", SHAPE)
    assert read.program == "ImageJ" and read.notes == ()
    np.testing.assert_array_equal(read.rois.pixels, rois.pixels)
    np.testing.assert_array_equal(read.rois.indptr, rois.indptr)
    assert read.rois.source_ids.tolist() == ids
    assert read.names == tuple(map(str, ids))


@QUICK
@given(arrays.arrays(np.int32, SHAPE, elements=st.integers(0, 70_000)).filter(np.any))
def test_a_label_image_comes_back(tmp_path, image) -> None:
    rois = RoiSet.from_labels(image)
    assert write_label_image(tmp_path / "rois.tif", rois) == ()
    read = read_roi_file(tmp_path / "rois.tif", SHAPE)
    np.testing.assert_array_equal(read.rois.to_labels(), image)


def test_what_roifile_reads_of_what_was_written(tmp_path) -> None:
    image = np.zeros(SHAPE, bool)
    image[2:8, 3:11] = True
    whole = RoiSet.from_masks([(*np.nonzero(image), None)], SHAPE)
    image[4:6, 5:7] = False
    holed = RoiSet.from_masks([(*np.nonzero(image), None)], SHAPE)
    write_imagej_rois(tmp_path / "a.zip", whole, ["soma"])
    (got,) = roifile.roiread(tmp_path / "a.zip")
    assert (got.name, got.roitype) == ("soma", ROI_TYPE.TRACED)
    assert (got.top, got.left, got.bottom, got.right) == (2, 3, 8, 11)
    corners = {tuple(corner) for corner in got.coordinates().tolist()}
    assert corners == {(3, 2), (11, 2), (11, 8), (3, 8)}
    write_imagej_rois(tmp_path / "b.zip", holed)
    (got,) = roifile.roiread(tmp_path / "b.zip")
    assert got.roitype == ROI_TYPE.RECT and got.composite
    assert len(got.coordinates(multi=True)) == 2  # The outline and the hole.
    assert (got.top, got.left, got.bottom, got.right) == (2, 3, 8, 11)


def test_names_of_every_language_are_kept(tmp_path) -> None:
    rois = RoiSet.from_labels(np.arange(6).reshape(2, 3))
    names = ["soma", "soma", "Zelle/α", "细胞", "e"]
    write_imagej_rois(tmp_path / "r.zip", rois, names)
    # The ROI Manager lists the entries, which must differ.
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        entries = archive.namelist()
    assert entries == ["soma.roi", "soma-2.roi", "Zelle_α.roi", "细胞.roi", "e.roi"]
    read = read_imagej_rois(tmp_path / "r.zip")
    assert read.names == tuple(names)
    assert read.rois.source_ids.tolist() == [1, 2, 3, 4, 5]
    assert any("same name" in note for note in read.notes)
    assert any("2×3 pixels was taken" in note for note in read.notes)


def test_rectangle_and_oval_are_those_of_imagej(tmp_path) -> None:
    oval = save(tmp_path / "o.roi", roi(ROI_TYPE.OVAL, (1, 2, 6, 7)))
    # ij.gui.OvalRoi.getMask of 5 × 5: the centres at most 2.5 away.
    expected = np.array(
        [
            [0, 1, 1, 1, 0],
            [1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1],
            [0, 1, 1, 1, 0],
        ]
    )
    read = read_imagej_rois(oval, SHAPE)
    np.testing.assert_array_equal(picture(read)[1:6, 2:7], expected)
    assert picture(read).sum() == expected.sum()
    box = save(tmp_path / "r.roi", roi(ROI_TYPE.RECT, (2, 3, 9, 12)))
    assert np.argwhere(picture(read_imagej_rois(box, SHAPE))).tolist() == [
        [y, x] for y in range(2, 9) for x in range(3, 12)
    ]
    rounded = roi(ROI_TYPE.RECT, (2, 3, 9, 12), rounded_rect_arc_size=6)
    image = picture(read_imagej_rois(save(tmp_path / "q.roi", rounded), SHAPE))
    assert not image[[2, 2, 8, 8], [3, 11, 3, 11]].any() and image.sum() == 7 * 9 - 4


@QUICK
@given(
    st.lists(
        st.tuples(st.integers(0, SHAPE[1]), st.integers(0, SHAPE[0])),
        min_size=3,
        max_size=8,
    )
)
def test_polygons_hold_the_pixels_whose_centres_they_hold(tmp_path, points) -> None:
    drawn = roi(ROI_TYPE.POLYGON, points=np.array(points, np.int32))
    save(tmp_path / "p.roi", drawn)
    corners = np.array(points, float)
    # Counted the slow way, ray by ray, and the edges left to the next test.
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    inside, near = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y1 != y2:
            at = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
            inside ^= ((y1 <= y) != (y2 <= y)) & (at < x)
            near |= np.abs(at - x) < 1e-6
    try:
        got = picture(read_imagej_rois(tmp_path / "p.roi", SHAPE))
    except InvalidInput:
        got = np.zeros(SHAPE, bool)
    np.testing.assert_array_equal(got[~near], inside[~near])


def test_centres_on_an_edge_belong_to_the_polygon_on_their_left(tmp_path) -> None:
    # PolygonFiller: on the left boundary outside, on the right one inside.
    left = [(1, 1), (4.5, 1), (4.5, 5), (1, 5)]
    right = [(4.5, 1), (8, 1), (8, 5), (4.5, 5)]
    halves = [np.array(points, np.float32) for points in (left, right)]
    freehand = [roi(ROI_TYPE.FREEHAND, points=points) for points in halves]
    path = save(tmp_path / "r.zip", *freehand)
    read = read_imagej_rois(path, SHAPE)
    assert picture(read, 0)[2].nonzero()[0].tolist() == [1, 2, 3, 4]
    assert picture(read, 1)[2].nonzero()[0].tolist() == [5, 6, 7]


def test_composites_with_holes_and_curves(tmp_path) -> None:
    ring = [0, 2, 2, 1, 12, 2, 1, 12, 12, 1, 2, 12, 4]
    ring += [0, 5, 5, 1, 8, 5, 1, 8, 8, 1, 5, 8, 4]
    # A circle of radius 5 about (20, 8) as four cubic curves, as Java draws it.
    k = 5 * 0.5522847
    curve = [0, 25, 8, 3, 25, 8 + k, 20 + k, 13, 20, 13]
    curve += [3, 20 - k, 13, 15, 8 + k, 15, 8, 3, 15, 8 - k, 20 - k, 3, 20, 3]
    curve += [3, 20 + k, 3, 25, 8 - k, 25, 8, 4]
    values = np.array(ring + curve, np.float32)
    composite = roi(
        ROI_TYPE.RECT, (2, 2, 13, 25),
        multi_coordinates=values, shape_roi_size=values.size,
    )  # fmt: skip
    image = picture(read_imagej_rois(save(tmp_path / "c.roi", composite), SHAPE))
    expected = np.zeros(SHAPE, bool)
    expected[2:12, 2:12] = True
    expected[5:8, 5:8] = False
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    expected |= np.hypot(y - 8, x - 20) <= 5
    np.testing.assert_array_equal(image, expected)


def test_what_is_no_area_is_left_out_and_said(tmp_path) -> None:
    box = roi(ROI_TYPE.RECT)
    point = roi(ROI_TYPE.POINT, points=[(3, 3)])
    line = roi(ROI_TYPE.LINE, x1=1.0, x2=5.0, y1=2.0, y2=2.0)
    text = roi(ROI_TYPE.RECT, subtype=ROI_SUBTYPE.TEXT, text="a", text_name="b")
    read = read_imagej_rois(save(tmp_path / "a.zip", box, point, line, text), SHAPE)
    assert len(read.rois) == 1 and "3 lines, points or texts" in read.notes[0]
    with pytest.raises(InvalidInput, match=r"b.roi holds no area .* draw rectangles"):
        read_imagej_rois(save(tmp_path / "b.roi", point))


def test_rois_beyond_the_field_of_view(tmp_path) -> None:
    over = roi(ROI_TYPE.OVAL, (15, 25, 25, 40))
    read = read_imagej_rois(save(tmp_path / "a.zip", over), SHAPE)
    assert read.notes == ("1 ROIs reach beyond the field of view and were cut there.",)
    outside = roi(ROI_TYPE.RECT, (30, 2, 35, 8), name="far")
    with pytest.raises(InvalidInput, match=r"'far' in b.zip lies outside the 20×31"):
        read_imagej_rois(save(tmp_path / "b.zip", over, outside), SHAPE)


def test_boxes_that_lie_cost_nothing(tmp_path) -> None:
    huge = roi(ROI_TYPE.OVAL, (0, 0, 60000, 60000))
    with pytest.raises(InvalidInput, match="cover more than"):
        read_imagej_rois(save(tmp_path / "a.zip", huge))
    corners = np.array([(0, 0), (np.nan, 5), (5, 5)], np.float32)
    nowhere = roi(ROI_TYPE.FREEHAND, points=[(0, 0), (5, 0), (5, 5)])
    nowhere.subpixel_coordinates = corners
    nowhere.options |= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    with pytest.raises(InvalidInput, match="corners that are no places"):
        read_imagej_rois(save(tmp_path / "b.zip", nowhere), SHAPE)


def test_what_a_file_cannot_hold_is_told(tmp_path) -> None:
    full = RoiSet.from_masks(
        [([1, 1], [1, 2], [0.2, 0.8]), ([1, 1], [2, 3], [0.5, 0.5])],
        SHAPE,
        accepted=[True, False],
    )
    notes = write_imagej_rois(tmp_path / "r.zip", full)
    assert len(notes) == 2 and "no weights" in notes[0] and "rejected" in notes[1]
    assert read_imagej_rois(tmp_path / "r.zip", SHAPE).rois.indptr[-1] == 4
    notes = write_label_image(tmp_path / "r.tif", full)
    assert "1 times a pixel is shared" in notes[0] and len(notes) == 3
    hidden = RoiSet.from_masks([([1], [1], None), ([1], [1], None)], SHAPE)
    with pytest.raises(InvalidInput, match=r"ROI 1 would vanish .* RoiSet.zip"):
        write_label_image(tmp_path / "h.tif", hidden)
    assert not (tmp_path / "h.tif").exists()


@pytest.mark.parametrize(
    ("write", "name", "reason"),
    [
        (write_imagej_rois, "r.roi", "must end in .zip"),
        (write_label_image, "r.png", "must end in .tif"),
    ],
)
def test_what_is_not_written(tmp_path, write, name, reason) -> None:
    one = RoiSet.from_labels(np.eye(3, dtype=int))
    with pytest.raises(InvalidInput, match=reason):
        write(tmp_path / name, one)
    none = one.select(np.zeros(0, int))
    for suffix in (".zip", ".tif"):
        if suffix in reason:
            with pytest.raises(InvalidInput, match=r"least one ROI|no ROI to write"):
                write(tmp_path / f"r{suffix}", none)
    if write is write_imagej_rois:
        with pytest.raises(InvalidInput, match="1 ROIs but 2 names"):
            write(tmp_path / "r.zip", one, ["a", "b"])
