"""What the OME-XML in a TIFF file says about its pages."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_cebra.io.units import SECONDS, count, positive

if TYPE_CHECKING:
    import tifffile


def ome_axes(text: str, n_pages: int) -> tuple[str, tuple[int, ...]] | None:
    """Return the axes in front of a page, for the pages that are in this file.

    It may be one of several that share one description.
    """
    pixels = ome_pixels(text)
    if pixels is None:
        return None
    sizes = {a: count(pixels.get(f"Size{a}")) for a in "CZ"}
    sizes["T"], left = divmod(n_pages, sizes["C"] * sizes["Z"])
    order = [a for a in reversed(pixels.get("DimensionOrder", "XYCZT")) if a in sizes]
    if left or not sizes["T"]:
        return None
    whole = sizes["T"] == count(pixels.get("SizeT"))
    kept = [a for a in order if sizes[a] > 1 or (a == "T" and not whole)]
    return "".join(kept), tuple(sizes[a] for a in kept)


def ome_rate(text: str) -> float | None:
    """Return frames per second, from ``TimeIncrement``."""
    pixels = ome_pixels(text)
    if pixels is None:
        return None
    interval = positive(pixels.get("TimeIncrement"))
    scale = SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
    return None if interval is None or scale is None else 1 / (interval * scale)


def ome_in_order(tif: tifffile.TiffFile, n_pages: int) -> bool:
    """Whether the pages are those of one OME image, in the order of its axes.

    Then nothing has to be looked up page by page.
    """
    text = tif.ome_metadata if tif.is_ome else None
    if not text or "Modulo" in text or text.count("<Pixels") != 1:
        return False
    pixels = ome_pixels(text)
    page: Any = tif.pages.first
    if pixels is None or page.samplesperpixel != 1:
        return False
    order = [a for a in pixels.get("DimensionOrder", "XYCZT") if a in "CZT"]
    sizes = [count(pixels.get(f"Size{axis}")) for axis in order]
    if sorted(order) != ["C", "T", "Z"]:
        return False
    if math.prod(sizes) != n_pages:
        return False
    steps = dict(zip(order, (1, sizes[0], sizes[0] * sizes[1]), strict=True))
    reached = 0
    for place in pixels.iter():
        if not place.tag.endswith("TiffData"):
            continue
        try:
            at = {key: int(value) for key, value in place.attrib.items()}
        except ValueError:
            return False
        plane = sum(at.get(f"First{axis}", 0) * step for axis, step in steps.items())
        if not plane == at.get("IFD", 0) == reached:
            return False
        reached += at.get("PlaneCount", 1 if "IFD" in at else n_pages)
    return reached == n_pages


def ome_planes(tif: tifffile.TiffFile) -> int:
    """Return how many planes an OME description announces for one image, at most."""
    text = tif.ome_metadata if tif.is_ome else None
    root = None if not text else _root(text)
    images = [] if root is None else [e for e in root.iter() if _is_pixels(e)]
    sizes = ([image.get(f"Size{axis}") for axis in "CZT"] for image in images)
    return max((math.prod(map(count, size)) for size in sizes), default=0)


def ome_files(tif: tifffile.TiffFile) -> set[str]:
    """Return the names of the files over which an OME description spreads pages."""
    if not tif.is_ome or "FileName" not in (tif.ome_metadata or ""):
        return set()
    pixels = ome_pixels(tif.ome_metadata or "")
    found = () if pixels is None else pixels.iter()
    return {e.attrib["FileName"] for e in found if "FileName" in e.attrib}


def ome_pixels(text: str) -> ElementTree.Element | None:
    """Return the ``Pixels`` of the first image; None if there are none."""
    root = _root(text)
    return None if root is None else next(filter(_is_pixels, root.iter()), None)


@lru_cache(maxsize=1)  # a description of many planes takes long to read
def _root(text: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None


def _is_pixels(element: ElementTree.Element) -> bool:
    return element.tag.rpartition("}")[2] == "Pixels"
