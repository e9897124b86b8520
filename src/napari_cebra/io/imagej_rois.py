"""ROIs of ImageJ and Fiji: ``RoiSet.zip`` of the ROI Manager, and single ``.roi``.

Layout: ``ij/io/RoiDecoder.java`` of ImageJ, whose bytes are decoded and encoded
by the package ``roifile``. Which pixels an outline holds is ImageJ's own rule
(``ij/process/PolygonFiller.java``, ``ij/gui/OvalRoi.java``).
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import reading
from napari_cebra.io.outlines import outlines_of, pixels_inside, pixels_of_oval
from napari_cebra.io.roi_file import RoiFile, roi_file
from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.recording.atomic import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from napari_cebra.io.roi_file import Mask

    Box = tuple[int, int, int, int]

_SO = "save it again in the ROI Manager (More > Save)"
_LARGEST_ROI = 1 << 24
# A few bytes can announce a box of any size.
_MOST_PIXELS = 1 << 23
_CURVE_POINTS = 16
# Operations of a Java path and how many numbers follow each.
_MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = range(5)
_FOLLOW = {_MOVE: 2, _LINE: 2, _QUADRATIC: 4, _CUBIC: 6, _CLOSE: 0}
_AREAS = "rectangles, ovals, polygons, freehand or composite areas"


def read_imagej_rois(
    path: str | os.PathLike[str], shape: tuple[int, int] | None = None
) -> RoiFile:
    """Read the areas of a ``RoiSet.zip`` or a ``.roi`` file.

    Parameters
    ----------
    path : path
    shape : (Y, X), optional
        Field of view, which the file does not say; default as far as the ROIs
        reach. Parts of an ROI beyond it are left out, as ImageJ does.

    Returns
    -------
    RoiFile
        With `names`. Where all names are different whole numbers, as
        `write_imagej_rois` gives them, they are the ``source_ids``.

    Raises
    ------
    InvalidInput
        If the file is damaged, holds no area, or an ROI lies wholly outside.
    """
    path = Path(path)
    masks: list[Mask] = []
    names: list[str] = []
    others: list[str] = []
    cut = 0
    left_pixels = _MOST_PIXELS
    with reading(path.name, "ROIs of ImageJ", _SO):
        for name, roi in _rois(path):
            box = _box(roi)
            if box is None:
                others.append(name)
                continue
            within = (0, 0, *shape) if shape is not None else (0, 0, *box[2:])
            seen = _seen(path, name, box, within, left_pixels)
            y, x = _pixels(roi, box, seen)
            left_pixels -= y.size
            cut += seen != box
            masks.append((y, x, None))
            names.append(name)
    if not masks:
        raise InvalidInput(
            f"{path.name} holds no area ({len(others)} lines, points or texts); draw "
            f"{_AREAS} and save them again."
        )
    notes = []
    if others:
        notes.append(f"{len(others)} lines, points or texts were left out.")
    if cut:
        notes.append(f"{cut} ROIs reach beyond the field of view and were cut there.")
    if shape is None:
        height = 1 + max(int(y.max(initial=0)) for y, _, _ in masks)
        width = 1 + max(int(x.max(initial=0)) for _, x, _ in masks)
        shape = (height, width)
        notes.append(
            f"The file does not say the size of the field of view; {shape[0]}×"
            f"{shape[1]} pixels was taken, as far as the ROIs reach."
        )
    if len(set(names)) < len(names):
        notes.append("Some ROIs have the same name; they are told apart by number.")
    numbered = all(n.isascii() and n.isdigit() and len(n) < 10 for n in names)
    numbers = np.array([int(n) for n in names]) if numbered else None
    return roi_file(
        path, "ImageJ", masks, shape, names=names, source_ids=numbers, notes=notes
    )


def write_imagej_rois(
    path: str | os.PathLike[str], rois: RoiSet, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Write a ``RoiSet.zip`` that holds the same pixels in ImageJ.

    Parameters
    ----------
    path : path
        Ending in .zip.
    rois : RoiSet
    names : sequence of str, optional
        One per mask; default the ids.

    Returns
    -------
    tuple of str
        What the file cannot hold, in sentences.

    Raises
    ------
    InvalidInput
        If there is no ROI, names are missing, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise InvalidInput(f"{path.name} must end in .zip, as ImageJ expects of it.")
    if not len(rois) or max(rois.shape) > 32767:
        raise InvalidInput(
            "A RoiSet.zip needs at least one ROI on a field of view of at most 32767 "
            f"pixels a side, not {len(rois)} on {rois.shape[0]}×{rois.shape[1]}; "
            "choose other ROIs."
        )
    names = [str(i) for i in rois.ids] if not len(names) else list(names)
    if len(names) != len(rois):
        raise InvalidInput(
            f"There are {len(rois)} ROIs but {len(names)} names; give one per ROI."
        )
    with replacing(path) as draft:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for roi_id, name in zip(rois.ids, names, strict=True):
                y, x, _ = rois.mask(int(roi_id))
                archive.writestr(_entry(name, archive), _encoded(y, x, name))
    notes = []
    if np.ptp(rois.weights) > 0:
        notes.append("An ImageJ ROI has no weights; the pixels of each count alike.")
    if not rois.accepted.all():
        notes.append(
            "An ImageJ ROI is neither accepted nor rejected; all of them were written."
        )
    return tuple(notes)


def _rois(path: Path) -> Iterator[tuple[str, Any]]:
    import roifile

    if not zipfile.is_zipfile(path):
        content = path.read_bytes()[:_LARGEST_ROI]
        roi = roifile.ImagejRoi.frombytes(content)
        yield roi.name or path.stem, roi
        return
    with zipfile.ZipFile(path) as archive:
        entries = [
            entry
            for entry in archive.infolist()
            if entry.filename.lower().endswith(".roi")
            and not entry.filename.startswith("__MACOSX")
        ]
        for entry in entries:
            with archive.open(entry) as stream:
                roi = roifile.ImagejRoi.frombytes(stream.read(_LARGEST_ROI))
            yield roi.name or Path(entry.filename).stem, roi


def _box(roi: Any) -> Box | None:
    """(top, left, bottom, right) of an area, None of anything else."""
    from roifile import ROI_SUBTYPE, ROI_TYPE

    areas = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    box = (roi.top, roi.left, roi.bottom, roi.right)
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW):
        return None
    if roi.roitype in areas or (roi.roitype == ROI_TYPE.RECT and roi.composite):
        corners = np.concatenate(_outlines(roi) or [np.zeros((0, 2))])
        if not np.isfinite(corners).all() or np.abs(corners).max(initial=0) > 1e6:
            raise ValueError(f"{roi.name} has corners that are no places in an image")
        if not len(corners):
            return box
        left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        return top, left, bottom, right
    return box if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL) else None


def _seen(path: Path, name: str, box: Box, within: Box, most: int) -> Box:
    """Return the part of a box in the field of view."""
    seen = (
        max(box[0], within[0]),
        max(box[1], within[1]),
        min(box[2], within[2]),
        min(box[3], within[3]),
    )
    height, width = seen[2] - seen[0], seen[3] - seen[1]
    if height <= 0 or width <= 0:
        where = f"the {within[2]}×{within[3]} pixels of the stack"
        raise InvalidInput(
            f"The ROI {name!r} in {path.name} lies outside "
            f"{where if within[2:] != box[2:] else 'every image'}; choose the ROIs of "
            "this recording, or delete it in the ROI Manager."
        )
    if height * width > most:
        raise InvalidInput(
            f"The ROIs in {path.name} cover more than {_MOST_PIXELS:,} pixels (at "
            f"{name!r}); ROIs of cells are smaller: delete those of the whole field."
        )
    return seen


def _pixels(roi: Any, box: Box, seen: Box) -> tuple[np.ndarray, np.ndarray]:
    from roifile import ROI_TYPE

    if roi.roitype == ROI_TYPE.OVAL:
        return pixels_of_oval(box, seen)
    if roi.roitype == ROI_TYPE.RECT and not roi.composite:
        y, x = np.mgrid[seen[0] : seen[2], seen[1] : seen[3]].reshape(2, -1)
        return _rounded(y, x, box, roi.rounded_rect_arc_size)
    return pixels_inside(_outlines(roi), seen)


def _rounded(
    y: np.ndarray, x: np.ndarray, box: Box, arc: int
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out what lies beyond quarter circles of diameter `arc` in the corners."""
    ry, rx = (min(max(0, arc), box[2 + k] - box[k]) / 2 for k in (0, 1))
    if not ry or not rx:
        return y, x
    dy = np.maximum(box[0] + ry - (y + 0.5), y + 0.5 - (box[2] - ry)).clip(0) / ry
    dx = np.maximum(box[1] + rx - (x + 0.5), x + 0.5 - (box[3] - rx)).clip(0) / rx
    inside = dy**2 + dx**2 <= 1
    return y[inside], x[inside]


def _outlines(roi: Any) -> list[np.ndarray]:
    if roi.multi_coordinates is not None:
        return _path(roi.multi_coordinates.tolist())
    return [np.asarray(part) for part in roi.coordinates(multi=True) if len(part)]


def _path(values: list[float]) -> list[np.ndarray]:
    """Outlines of a composite; curves become short lines."""
    outlines: list[np.ndarray] = []
    points: list[np.ndarray] = []
    at = 0
    while at < len(values):
        step = int(values[at])
        count = _FOLLOW[step]
        given = np.array(values[at + 1 : at + 1 + count]).reshape(-1, 2)
        if given.size < count:
            raise ValueError("a composite ROI ends in the middle of a step")
        at += 1 + count
        if step in (_MOVE, _CLOSE) and len(points) > 1:
            outlines.append(np.stack(points))
        if step == _MOVE:
            points = [given[0]]
        elif step == _CLOSE:
            points = points[:1]
        elif step == _LINE:
            points.append(given[0])
        else:
            points.extend(_curve(np.concatenate([points[-1:], given])))
    if len(points) > 1:
        outlines.append(np.stack(points))
    return outlines


def _curve(control: np.ndarray) -> np.ndarray:
    """Points of a Bézier curve (de Casteljau) after its first."""
    t = np.linspace(0, 1, _CURVE_POINTS + 1)[1:, None, None]
    points = np.broadcast_to(control, (_CURVE_POINTS, *control.shape))
    while points.shape[1] > 1:
        points = (1 - t) * points[:, :-1] + t * points[:, 1:]
    return points[:, 0]


def _entry(name: str, archive: zipfile.ZipFile) -> str:
    """Return a name in the zip that is not taken; the ROI Manager lists these."""
    plain = re.sub(r"[/\\:\0]", "_", name)
    taken, entry, number = set(archive.namelist()), f"{plain}.roi", 1
    while entry in taken:
        number += 1
        entry = f"{plain}-{number}.roi"
    return entry


def _encoded(y: np.ndarray, x: np.ndarray, name: str) -> bytes:
    """One traced outline, or a composite where the mask has parts or holes."""
    import roifile

    outlines = outlines_of(y, x)
    if len(outlines) == 1:
        roi = roifile.ImagejRoi.frompoints(outlines[0].astype(np.int32), name=name)
        roi.roitype = roifile.ROI_TYPE.TRACED
        # The far corners are edges already, not pixels.
        roi.right, roi.bottom = (int(v) for v in outlines[0].max(axis=0))
        return bytes(roi.tobytes())
    path: list[float] = []
    for outline in outlines:
        for number, corner in enumerate(outline.tolist()):
            path += [_LINE if number else _MOVE, *corner]
        path.append(_CLOSE)
    roi = roifile.ImagejRoi()
    roi.roitype, roi.name = roifile.ROI_TYPE.RECT, name
    roi.top, roi.left = int(y.min()), int(x.min())
    roi.bottom, roi.right = int(y.max()) + 1, int(x.max()) + 1
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return bytes(roi.tobytes())
