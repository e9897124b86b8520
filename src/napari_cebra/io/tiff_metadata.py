"""What the writer of a TIFF file says about it: axes, frame rate and pixel size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_cebra.io.units import MICROMETRES, SECONDS, positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.io.found_stack import PixelSize


class OuterAxes(NamedTuple):
    """Axes in front of those of one page.

    Parameters
    ----------
    axes, lengths : str, tuple of int
    note : str
        What was assumed.
    running : bool
        Whether pages were written as they came, so that the last frame may not be
        finished, and one may begin in a file and end in the next.
    """

    axes: str
    lengths: tuple[int, ...]
    note: str = ""
    running: bool = False


def outer_axes(tif: tifffile.TiffFile, n_pages: int) -> OuterAxes | None:
    """Return how the writer arranged the pages, None where it did not say."""
    if tif.is_imagej:
        return _of_imagej(tif.imagej_metadata or {})
    if tif.is_shaped and tif.shaped_metadata:
        return _of_shaped(tif.shaped_metadata[0], tif.pages.first)
    if tif.is_scanimage:
        return _of_scanimage(_scanimage_settings(tif), n_pages)
    if tif.is_ome and tif.ome_metadata:
        return _of_ome(tif.ome_metadata, n_pages)
    return None


def rate_of(tif: tifffile.TiffFile) -> float | None:
    """Return the frame rate in Hz, or None where the file does not say.

    Looked for in ImageJ's ``finterval`` and ``fps``, in the description that
    tifffile writes, in ScanImage's settings (frames, or volumes where planes are
    interleaved, each divided by the frames averaged) and in OME's
    ``TimeIncrement``.
    """
    if tif.is_imagej:
        return _from_mapping(tif.imagej_metadata or {})
    if tif.is_scanimage:
        return _scanimage_rate(_scanimage_settings(tif))
    if tif.is_ome and tif.ome_metadata:
        return _from_ome(tif.ome_metadata)
    if tif.is_shaped and tif.shaped_metadata:
        return _from_mapping(tif.shaped_metadata[0])
    return None


def _of_imagej(meta: Mapping[str, Any]) -> OuterAxes:
    named = [("T", "frames"), ("Z", "slices"), ("C", "channels")]
    counted = [(axis, _count(meta.get(key, 1))) for axis, key in named]
    outer = [(axis, n) for axis, n in counted if n > 1]
    images = _count(meta.get("images", 1))
    if math.prod(n for _, n in outer) != images:
        return OuterAxes("T", (images,))
    return OuterAxes("".join(a for a, _ in outer), tuple(n for _, n in outer))


def _of_shaped(meta: Mapping[str, Any], page: Any) -> OuterAxes | None:
    shape = tuple(int(n) for n in meta["shape"])
    inner = page.shape
    if len(shape) <= len(inner) or shape[-len(inner) :] != inner:
        return None
    lengths = shape[: -len(inner)]
    axes = str(meta.get("axes", ""))
    if len(axes) != len(shape):
        axes = "QQQQQQ"[: len(lengths) - 1] + "T" + page.axes
    return OuterAxes(axes[: len(lengths)], lengths)


def _scanimage_settings(tif: tifffile.TiffFile) -> dict[str, Any]:
    """Read the settings from the file header, else from the first page's tags."""
    header = (tif.scanimage_metadata or {}).get("FrameData")
    if header:
        return dict(header)
    page = tif.pages.first
    text = page.software if page.software.startswith("SI.") else page.description
    try:
        settings = tifffile.matlabstr2py(text)
    except (ValueError, TypeError, IndexError):
        return {}
    if not isinstance(settings, dict):
        return {}
    return {key.removeprefix("scanimage."): value for key, value in settings.items()}


def _of_ome(text: str, n_pages: int) -> OuterAxes | None:
    """Arrange the pages of one file out of several that share one description."""
    pixels = _ome_pixels(text)
    if pixels is None:
        return None
    sizes = {a: int(positive(pixels.get(f"Size{a}")) or 1) for a in "CZ"}
    sizes["T"], left = divmod(n_pages, sizes["C"] * sizes["Z"])
    order = [a for a in reversed(pixels.get("DimensionOrder", "XYCZT")) if a in sizes]
    if left or not sizes["T"]:
        return None
    kept = [a for a in order if sizes[a] > 1 or a == "T"]
    return OuterAxes("".join(kept), tuple(sizes[a] for a in kept))


def _of_scanimage(settings: Mapping[str, Any], n_pages: int) -> OuterAxes | None:
    """Channels vary fastest, then planes of a fast volume, then time.

    The frames during which the lens flies back are planes too where they were kept.
    """
    saved = settings.get("SI.hChannels.channelSave", 1)
    channels = len(saved) if isinstance(saved, list | tuple) else 1
    if "state.acq.savingChannel1" in settings:
        keys = [f"state.acq.savingChannel{k}" for k in range(1, 5)]
        channels = max(1, sum(bool(settings.get(key)) for key in keys))
    notes = []
    if settings.get("SI.hRoiManager.mroiEnable"):
        notes.append(
            "ScanImage recorded several fields (mROI), which lie below each other in "
            "a frame."
        )
    slices = _count(settings.get("SI.hStackManager.numSlices", 1))
    fast = bool(settings.get("SI.hFastZ.enable"))
    planes = _planes(settings, slices) if fast else 1
    if planes > slices > 1:
        notes.append(
            f"The last {planes - slices} of {planes} planes are frames during which "
            "the lens flew back."
        )
    repeats = _count(settings.get("SI.hStackManager.framesPerSlice", 1))
    averaged = _count(settings.get("SI.hScan2D.logAverageFactor", 1))
    repeats = max(1, repeats // averaged)
    if not fast and settings.get("SI.hStackManager.enable") and slices > 1:
        if n_pages == slices * repeats * channels and repeats > 1:
            axes = "ZT" + "C" * (channels > 1)
            lengths = (slices, repeats, *[channels] * (channels > 1))
            return OuterAxes(axes, lengths, " ".join(notes))
        planes = slices
        if repeats > 1:
            notes.append("The planes of this slow stack could not be told apart.")
            planes = 1
    if channels * planes == 1:
        return OuterAxes("T", (n_pages,), " ".join(notes)) if notes else None
    whole = n_pages // (channels * planes)
    if not whole:
        note = (
            f"ScanImage set {channels} channels and {planes} planes, but there are "
            f"only {n_pages} pages; they are shown as one series."
        )
        return OuterAxes("T", (n_pages,), note)
    axes = "T" + "Z" * (planes > 1) + "C" * (channels > 1)
    lengths = (whole, *[planes] * (planes > 1), *[channels] * (channels > 1))
    return OuterAxes(axes, lengths, " ".join(notes), running=True)


def _planes(settings: Mapping[str, Any], slices: int) -> int:
    """Pages of one channel that a fast volume takes, flyback frames included."""
    if settings.get("SI.hFastZ.discardFlybackFrames"):
        return slices
    for key in (
        "SI.hStackManager.numFramesPerVolumeWithFlyback",
        "SI.hFastZ.numFramesPerVolume",
        "SI.hStackManager.numFramesPerVolume",
    ):
        per_volume = _count(settings.get(key, 0))
        if per_volume >= slices:
            return per_volume
    return slices


def _scanimage_rate(settings: Mapping[str, Any]) -> float | None:
    volumes = bool(settings.get("SI.hFastZ.enable"))
    key = "scanVolumeRate" if volumes else "scanFrameRate"
    rate = positive(settings.get(f"SI.hRoiManager.{key}"))
    rate = rate or positive(settings.get("state.acq.frameRate"))
    averaged = positive(settings.get("SI.hScan2D.logAverageFactor")) or 1.0
    return None if rate is None else rate / averaged


def _count(value: object) -> int:
    """Return a whole number, 1 for what is none."""
    number = positive(value)
    return 1 if number is None or number > 1 << 40 else int(number)


def pixel_um_of(tif: tifffile.TiffFile) -> PixelSize | None:
    """Return rows and columns of a pixel in µm, None where the file does not say.

    From ImageJ's resolution where its unit is a length, OME's ``PhysicalSize``, and
    the field of view (``imagingFovUm``) that ScanImage keeps.
    """
    page: Any = tif.pages.first
    if tif.is_imagej:
        unit = str((tif.imagej_metadata or {}).get("unit", "")).strip()
        sizes = [_per_unit(page, tag) for tag in ("YResolution", "XResolution")]
        return _sized(sizes, [MICROMETRES.get(unit)] * 2)
    if tif.is_ome and tif.ome_metadata:
        pixels = _ome_pixels(tif.ome_metadata)
        if pixels is None:
            return None
        said = [pixels.get(f"PhysicalSize{axis}") for axis in "YX"]
        units = [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"]
        return _sized([positive(n) for n in said], [MICROMETRES.get(u) for u in units])
    if tif.is_scanimage:
        return _of_field(_scanimage_settings(tif), page.shape[:2])
    return None


def _per_unit(page: Any, tag: str) -> float | None:
    found = page.tags.get(tag)
    try:
        pixels, units = found.value
        return positive(units / pixels)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None


def _sized(sizes: list[float | None], units: list[float | None]) -> PixelSize | None:
    found = [
        n * unit for n, unit in zip(sizes, units, strict=True) if n and unit is not None
    ]
    return (found[0], found[1]) if len(found) == 2 else None


def _of_field(settings: Mapping[str, Any], shape: tuple[int, ...]) -> PixelSize | None:
    """From the corners (x, y) of the field of view, where it is one field."""
    if settings.get("SI.hRoiManager.mroiEnable"):
        return None
    try:
        corners = np.array(settings.get("SI.hRoiManager.imagingFovUm"), np.float64)
    except (TypeError, ValueError):
        return None
    if corners.shape != (4, 2):
        return None
    width, height = np.ptp(corners, axis=0)
    return _sized([positive(height / shape[0]), positive(width / shape[1])], [1.0, 1.0])


def _from_mapping(meta: Mapping[str, Any]) -> float | None:
    interval = positive(meta.get("finterval"))
    scale = SECONDS.get(str(meta.get("tunit", "s")).strip() or "s")
    if interval is not None and scale is not None:
        return 1 / (interval * scale)
    return positive(meta.get("fps"))


def _from_ome(text: str) -> float | None:
    pixels = _ome_pixels(text)
    if pixels is None:
        return None
    interval = positive(pixels.get("TimeIncrement"))
    scale = SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
    return None if interval is None or scale is None else 1 / (interval * scale)


def ome_files(tif: tifffile.TiffFile) -> set[str]:
    """Return the names of the files over which an OME description spreads pages."""
    if not tif.is_ome or "FileName" not in (tif.ome_metadata or ""):
        return set()
    pixels = _ome_pixels(tif.ome_metadata or "")
    found = () if pixels is None else pixels.iter()
    return {e.attrib["FileName"] for e in found if "FileName" in e.attrib}


def _ome_pixels(text: str) -> ElementTree.Element | None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    found = (e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels")
    return next(found, None)
