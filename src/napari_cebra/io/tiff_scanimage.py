"""What ScanImage says about the pages it wrote: channels, planes, rate, field of view.

Channels vary fastest, then the frames of a volume, then time. Which settings count
differs between versions: from 2020 on ``hStackManager`` (``enable``, ``stackMode``,
``actualNumSlices``, ``numFramesPerVolumeWithFlyback``), before that ``hFastZ``. That
frames of the flyback are to be discarded does not say that they were; what tells is
whether the time stamps of the pages have a gap there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tifffile

from napari_cebra.io.units import count, positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.io.found_stack import PixelSize

_STAMP = re.compile(r"frameTimestamps_sec\s*=\s*([-+.\deE]+)")
_GAP = 1.5  # frames from one time stamp to the next


class _Volume(NamedTuple):
    """Pages of one channel from one volume to the next, and how many are planes."""

    pages: int
    slices: int
    repeats: int


def scanimage_axes(
    tif: tifffile.TiffFile, n_pages: int
) -> tuple[str, tuple[int, ...], str, bool]:
    """Return the axes in front of a page, a note, and whether the last may be cut."""
    settings = _settings(tif)
    channels = _channels(settings)
    notes = []
    if settings.get("SI.hRoiManager.mroiEnable"):
        notes.append(
            "ScanImage recorded several fields (mROI), which lie below each other in "
            "a frame."
        )
    # What is set may be left over from another recording; what was done is not.
    asked = settings.get("SI.hStackManager.numSlices")
    slices = count(settings.get("SI.hStackManager.actualNumSlices", asked))
    repeats = count(settings.get("SI.hStackManager.framesPerSlice"))
    repeats = max(1, repeats // count(settings.get("SI.hScan2D.logAverageFactor")))
    extra = (channels,) if channels > 1 else ()
    planes = 1
    if _is_fast(settings):
        volume = _volume(tif, settings, channels, slices, repeats, n_pages)
        planes = volume.pages
        notes += _told(volume)
    elif settings.get("SI.hStackManager.enable") and slices > 1:
        if repeats > 1 and n_pages == slices * repeats * channels:
            axes = "ZT" + "C" * len(extra)
            return axes, (slices, repeats, *extra), " ".join(notes), False
        planes = slices * repeats
        notes += _told(_Volume(planes, slices, repeats))
    whole = n_pages // (channels * planes)
    if not whole:
        notes.append(
            f"ScanImage set {channels} channels and {planes} planes, but there are "
            f"only {n_pages} pages; they are shown as one series."
        )
        return "T", (n_pages,), " ".join(notes), False
    axes = "T" + "Z" * (planes > 1) + "C" * len(extra)
    depth = (planes,) if planes > 1 else ()
    return axes, (whole, *depth, *extra), " ".join(notes), True


def scanimage_rate(tif: tifffile.TiffFile) -> float | None:
    """Return frames per second, of volumes where planes are interleaved."""
    settings = _settings(tif)
    key = "scanVolumeRate" if _is_fast(settings) else "scanFrameRate"
    rate = positive(settings.get(f"SI.hRoiManager.{key}"))
    rate = rate or positive(settings.get("state.acq.frameRate"))
    averaged = positive(settings.get("SI.hScan2D.logAverageFactor")) or 1.0
    return None if rate is None else rate / averaged


def scanimage_pixel_um(tif: tifffile.TiffFile) -> PixelSize | None:
    """Return the size of a pixel, from the corners (x, y) of a single field of view."""
    settings = _settings(tif)
    if settings.get("SI.hRoiManager.mroiEnable"):
        return None
    try:
        corners = np.array(settings.get("SI.hRoiManager.imagingFovUm"), np.float64)
    except (TypeError, ValueError):
        return None
    if corners.shape != (4, 2):
        return None
    rows, columns = tif.pages.first.shape[:2]
    width, height = np.ptp(corners, axis=0)
    y, x = positive(height / rows), positive(width / columns)
    return None if y is None or x is None else (y, x)


def _settings(tif: tifffile.TiffFile) -> dict[str, Any]:
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


def _channels(settings: Mapping[str, Any]) -> int:
    saved = settings.get("SI.hChannels.channelSave", 1)
    if "state.acq.savingChannel1" in settings:
        keys = [f"state.acq.savingChannel{k}" for k in range(1, 5)]
        return max(1, sum(bool(settings.get(key)) for key in keys))
    return max(1, len(saved)) if isinstance(saved, list | tuple) else 1


def _is_fast(settings: Mapping[str, Any]) -> bool:
    """Whether planes follow each other within one volume of many."""
    if "SI.hStackManager.stackMode" in settings:
        fast = settings["SI.hStackManager.stackMode"] == "fast"
        return fast and bool(settings.get("SI.hStackManager.enable"))
    return bool(settings.get("SI.hFastZ.enable"))


def _volume(
    tif: tifffile.TiffFile,
    settings: Mapping[str, Any],
    channels: int,
    slices: int,
    repeats: int,
    n_pages: int,
) -> _Volume:
    seen = slices * repeats
    for key in (
        "SI.hStackManager.numFramesPerVolumeWithFlyback",
        "SI.hFastZ.numFramesPerVolume",
        "SI.hStackManager.numFramesPerVolume",
    ):
        kept = count(settings.get(key))
        if kept > seen:
            break
    else:
        return _Volume(seen, slices, repeats)
    written = _flyback_written(tif, channels, seen)
    if written is None:
        volumes = settings.get("SI.hStackManager.numVolumes")
        volumes = count(volumes or settings.get("SI.hFastZ.numVolumes"))
        written = n_pages != volumes * seen * channels or volumes == 1
    return _Volume(kept if written else seen, slices, repeats)


def _flyback_written(tif: tifffile.TiffFile, channels: int, seen: int) -> bool | None:
    """Whether time goes on without a gap after the last plane; None if not told."""
    first, second = _stamp(tif, 0), _stamp(tif, channels)
    last, after = _stamp(tif, (seen - 1) * channels), _stamp(tif, seen * channels)
    if first is None or second is None or last is None or after is None:
        return None
    step = second - first
    return None if step <= 0 else after - last < _GAP * step


def _stamp(tif: tifffile.TiffFile, page: int) -> float | None:
    try:
        text = tif.pages[page].aspage().description
    except IndexError:
        return None
    found = _STAMP.search(text)
    if found is None:
        return None
    try:
        return float(found[1])
    except ValueError:
        return None


def _told(volume: _Volume) -> list[str]:
    notes = []
    if volume.repeats > 1:
        notes.append(
            f"Each of {volume.slices} planes was recorded {volume.repeats} times in a "
            "row; each time is a plane of its own here."
        )
    seen = volume.slices * volume.repeats
    if volume.pages > seen:
        notes.append(
            f"The last {volume.pages - seen} of {volume.pages} planes are frames "
            "during which the lens flew back."
        )
    return notes
