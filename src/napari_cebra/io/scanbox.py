"""Scanbox recordings: inverted 16-bit counts, with a MATLAB file that describes them.

Layout: https://scanbox.org/2016/09/02/reading-scanbox-files-in-python/. The samples
lie channel by channel within a pixel, then columns, rows, and frames; of a volume the
planes follow each other in time. A count is stored as 65535 minus its value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_frames import ArrayFrames
from napari_cebra.io.damage import reading
from napari_cebra.io.found_stack import FoundStack, StackInfo
from napari_cebra.io.units import positive
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan

_CHANNELS = {1: 2, 2: 1, 3: 1}  # which PMTs were on, to how many are stored


def look(path: Path, _: str | None, __: bool | None) -> FoundStack:
    """Describe a ``.sbx`` file from the ``.mat`` file beside it."""
    described = path.with_suffix(".mat")
    if not described.is_file():
        raise InvalidInput(
            f"{path.name} needs {described.name}, which says the size of its frames; "
            "copy it beside it."
        )
    with reading(described.name, "Scanbox's description", "copy it again"):
        info = _info(described)
        channels = _CHANNELS[int(info["channels"])]
        size = np.ravel(info.get("sz", (512, 796))).astype(int)
        bidirectional = int(info.get("scanmode", 1)) == 0
        rows = int(info.get("recordsPerBuffer", size[0])) * (2 if bidirectional else 1)
        columns = int(size[1])
        planes = _planes(info)
        rate = _rate(info, rows, bidirectional)
        if min(rows, columns) < 1 or max(rows, columns) > 1 << 16:
            raise ValueError(f"frames of {rows}×{columns} pixels")
    frame = rows * columns * channels * 2
    n, left = divmod(path.stat().st_size, frame)
    if left:
        raise InvalidInput(
            f"{path.name} ends in the middle of a frame of {rows}×{columns} pixels; it "
            "was cut short or its description is of another file: copy both again."
        )
    notes = []
    whole = n // planes
    if n % planes:
        notes.append(
            f"The last {n % planes} frames belong to an unfinished volume of {planes} "
            "planes and are left out."
        )
    lengths = (whole, planes, rows, columns, channels)
    stored = list(zip("TZYXC", lengths, strict=True))
    kept = [(axis, n) for axis, n in stored if axis in "TYX" or n > 1]
    axes, shape = "".join(axis for axis, _ in kept), tuple(n for _, n in kept)
    found = StackInfo(
        path,
        "scanbox",
        axes,
        shape,
        np.dtype(np.uint16),
        None if rate is None else rate / planes,
        notes=tuple(notes),
    )

    def open_frames(plan: AxisPlan) -> ArrayFrames:
        return ArrayFrames(_Inverted(path, shape), plan, path.name)

    return FoundStack(found, open_frames, path)


class _Inverted:
    """Counts as they were before Scanbox inverted them; indexed like an array."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.dtype = np.dtype(np.uint16)
        # numpy cannot map a file of which it needs nothing.
        empty = not math.prod(shape)
        self._stored = (
            np.empty(shape, "<u2") if empty else np.memmap(path, "<u2", "r", 0, shape)
        )

    def __getitem__(self, key: Any) -> np.ndarray:
        return ~self._stored[key]


def _info(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        stored = loadmat(path, squeeze_me=True, struct_as_record=True)["info"]
    except MatReadError as error:
        raise ValueError(str(error)) from error
    names = stored.dtype.names or ()
    return {name: stored[name].item() for name in names}


def _planes(info: dict[str, Any]) -> int:
    waves = np.size(info.get("otwave", ()))
    volumetric = info.get("volscan", waves > 1)
    return max(1, waves) if volumetric else 1


def _rate(info: dict[str, Any], rows: int, bidirectional: bool) -> float | None:
    """Lines of the resonant mirror per second, over the lines of a frame."""
    lines = positive(info.get("resfreq"))
    if lines is None:
        return None
    return lines * (2 if bidirectional else 1) / rows
