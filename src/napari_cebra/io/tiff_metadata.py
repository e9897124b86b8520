"""What the writer of a TIFF file says about it: axes, frame rate and pixel size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_cebra.io.tiff_ome import ome_axes, ome_pixels, ome_rate
from napari_cebra.io.tiff_scanimage import (
    scanimage_axes,
    scanimage_pixel_um,
    scanimage_rate,
)
from napari_cebra.io.units import MICROMETRES, SECONDS, count, positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tifffile

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
        return OuterAxes(*scanimage_axes(tif, n_pages))
    if tif.is_ome and tif.ome_metadata:
        found = ome_axes(tif.ome_metadata, n_pages)
        return None if found is None else OuterAxes(*found)
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
        return scanimage_rate(tif)
    if tif.is_ome and tif.ome_metadata:
        return ome_rate(tif.ome_metadata)
    if tif.is_shaped and tif.shaped_metadata:
        return _from_mapping(tif.shaped_metadata[0])
    return None


def _of_imagej(meta: Mapping[str, Any]) -> OuterAxes:
    named = [("T", "frames"), ("Z", "slices"), ("C", "channels")]
    counted = [(axis, count(meta.get(key, 1))) for axis, key in named]
    outer = [(axis, n) for axis, n in counted if n > 1]
    images = count(meta.get("images", 1))
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
        pixels = ome_pixels(tif.ome_metadata)
        if pixels is None:
            return None
        said = [pixels.get(f"PhysicalSize{axis}") for axis in "YX"]
        units = [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"]
        return _sized([positive(n) for n in said], [MICROMETRES.get(u) for u in units])
    if tif.is_scanimage:
        return scanimage_pixel_um(tif)
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


def _from_mapping(meta: Mapping[str, Any]) -> float | None:
    interval = positive(meta.get("finterval"))
    scale = SECONDS.get(str(meta.get("tunit", "s")).strip() or "s")
    if interval is not None and scale is not None:
        return 1 / (interval * scale)
    return positive(meta.get("fps"))
