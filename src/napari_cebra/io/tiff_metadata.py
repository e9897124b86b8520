"""What the writer of a TIFF file says about its pages: axes and frame rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "µs": 1e-6, "us": 1e-6}
_SECONDS |= {"ns": 1e-9, "min": 60.0}


class OuterAxes(NamedTuple):
    """Axes in front of those of one page, their lengths, and what was assumed."""

    axes: str
    lengths: tuple[int, ...]
    note: str = ""


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
    counted = [(axis, int(meta.get(key, 1))) for axis, key in named]
    outer = [(axis, n) for axis, n in counted if n > 1]
    images = int(meta.get("images", 1))
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
    sizes = {a: int(_positive(pixels.get(f"Size{a}")) or 1) for a in "CZ"}
    sizes["T"], left = divmod(n_pages, sizes["C"] * sizes["Z"])
    order = [a for a in reversed(pixels.get("DimensionOrder", "XYCZT")) if a in sizes]
    if left or not sizes["T"]:
        return None
    kept = [a for a in order if sizes[a] > 1 or a == "T"]
    return OuterAxes("".join(kept), tuple(sizes[a] for a in kept))


def _of_scanimage(settings: Mapping[str, Any], n_pages: int) -> OuterAxes | None:
    """Channels vary fastest, then planes of a fast volume, then time."""
    saved = settings.get("SI.hChannels.channelSave", 1)
    channels = len(saved) if isinstance(saved, list | tuple) else 1
    if "state.acq.savingChannel1" in settings:
        keys = [f"state.acq.savingChannel{k}" for k in range(1, 5)]
        channels = max(1, sum(bool(settings.get(key)) for key in keys))
    planes = 1
    if settings.get("SI.hFastZ.enable"):
        for key in ("SI.hStackManager.numSlices", "SI.hFastZ.numFramesPerVolume"):
            planes = int(_positive(settings.get(key)) or planes)
            if n_pages % (channels * planes) == 0:
                break
    if channels * planes == 1:
        return None
    whole, left = divmod(n_pages, channels * planes)
    if left or not whole:
        note = (
            f"ScanImage recorded {channels} channels and {planes} planes, but the "
            f"{n_pages} pages do not divide by them; the pages are shown as one series."
        )
        return OuterAxes("T", (n_pages,), note)
    axes = "T" + "Z" * (planes > 1) + "C" * (channels > 1)
    return OuterAxes(
        axes, (whole, *[planes] * (planes > 1), *[channels] * (channels > 1))
    )


def _scanimage_rate(settings: Mapping[str, Any]) -> float | None:
    volumes = bool(settings.get("SI.hFastZ.enable"))
    key = "scanVolumeRate" if volumes else "scanFrameRate"
    rate = _positive(settings.get(f"SI.hRoiManager.{key}"))
    rate = rate or _positive(settings.get("state.acq.frameRate"))
    averaged = _positive(settings.get("SI.hScan2D.logAverageFactor")) or 1.0
    return None if rate is None else rate / averaged


def _from_mapping(meta: Mapping[str, Any]) -> float | None:
    interval = _positive(meta.get("finterval"))
    scale = _SECONDS.get(str(meta.get("tunit", "s")).strip() or "s")
    if interval is not None and scale is not None:
        return 1 / (interval * scale)
    return _positive(meta.get("fps"))


def _from_ome(text: str) -> float | None:
    pixels = _ome_pixels(text)
    if pixels is None:
        return None
    interval = _positive(pixels.get("TimeIncrement"))
    scale = _SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
    return None if interval is None or scale is None else 1 / (interval * scale)


def _ome_pixels(text: str) -> ElementTree.Element | None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    found = (e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels")
    return next(found, None)


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
