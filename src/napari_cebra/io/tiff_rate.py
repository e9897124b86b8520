"""Frames per second as the metadata of a TIFF file give it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import tifffile

_SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9, "min": 60.0}


def rate_of(tif: tifffile.TiffFile) -> float | None:
    """Return the frame rate in Hz, or None where the file does not say.

    Looked for in ImageJ's ``finterval`` and ``fps``, in the description that
    tifffile writes, in ScanImage's scan settings (frames, or volumes where
    planes are interleaved, per averaged frame) and in OME's ``TimeIncrement``.
    """
    if tif.is_imagej:
        return _from_mapping(tif.imagej_metadata or {})
    if tif.is_scanimage:
        return _from_scanimage((tif.scanimage_metadata or {}).get("FrameData", {}))
    if tif.is_ome and tif.ome_metadata:
        return _from_ome(tif.ome_metadata)
    if tif.is_shaped and tif.shaped_metadata:
        return _from_mapping(tif.shaped_metadata[0])
    return None


def _from_mapping(meta: Any) -> float | None:
    interval = _positive(meta.get("finterval"))
    if interval is not None:
        unit = str(meta.get("tunit", "s")).strip() or "s"
        scale = _SECONDS.get({"sec": "s", "msec": "ms"}.get(unit, unit))
        return None if scale is None else 1 / (interval * scale)
    return _positive(meta.get("fps"))


def _from_scanimage(settings: Any) -> float | None:
    volumes = bool(settings.get("SI.hFastZ.enable"))
    key = "scanVolumeRate" if volumes else "scanFrameRate"
    rate = _positive(settings.get(f"SI.hRoiManager.{key}"))
    averaged = _positive(settings.get("SI.hScan2D.logAverageFactor")) or 1.0
    return None if rate is None else rate / averaged


def _from_ome(text: str) -> float | None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    for pixels in root.iter():
        if pixels.tag.rpartition("}")[2] == "Pixels":
            interval = _positive(pixels.get("TimeIncrement"))
            scale = _SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
            if interval is not None and scale is not None:
                return 1 / (interval * scale)
    return None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
