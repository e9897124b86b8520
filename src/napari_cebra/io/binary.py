"""Raw binary frames, as suite2p's data.bin, whose size something else must say."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.found_stack import FoundStack, StackInfo
from napari_cebra.io.raw_frames import RawFrames
from napari_cebra.io.suite2p import suite2p_settings
from napari_cebra.io.units import positive
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan

BINARY_SUFFIXES = (".bin", ".raw", ".dat")
BINARY_TYPES = ("int16", "uint16", "uint8", "float32", ">i2", ">u2")
_LAYOUT = re.compile(r"(\S+)\s+(\d+)\s*[x×]\s*(\d+)(?:\s*\+\s*(\d+))?")
_LARGEST = 1 << 16  # rows or columns
_COMMON = (512, 256, 1024, 128, 64, 2048)


@dataclass(frozen=True)
class BinaryLayout:
    """How frames lie in a file that does not say so itself.

    Parameters
    ----------
    dtype : str
        One of `BINARY_TYPES`.
    height, width : int
        Rows and columns of a frame.
    offset : int
        Bytes in front of the first frame.
    """

    dtype: str = "int16"
    height: int = 512
    width: int = 512
    offset: int = 0

    @classmethod
    def parse(cls, text: str) -> BinaryLayout:
        """Read "int16 512x512" (rows x columns), or "int16 512x512+1024".

        Raises
        ------
        InvalidInput
            If it is written differently, or out of range.
        """
        found = _LAYOUT.fullmatch(text.strip())
        if found is None or found[1] not in BINARY_TYPES:
            raise InvalidInput(
                f"The frames of a binary file are described by type, rows and columns, "
                f'as "int16 512x512", not {text!r}; the types are '
                f"{', '.join(BINARY_TYPES)}."
            )
        height, width, offset = (int(part or 0) for part in found.groups()[1:])
        if not (0 < height <= _LARGEST and 0 < width <= _LARGEST):
            raise InvalidInput(
                f"A frame of {height}×{width} pixels is out of range; give between 1 "
                f"and {_LARGEST} rows and columns."
            )
        return cls(found[1], height, width, offset)

    def __str__(self) -> str:
        head = f"+{self.offset}" if self.offset else ""
        return f"{self.dtype} {self.height}x{self.width}{head}"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.height * self.width * np.dtype(self.dtype).itemsize

    def frames_in(self, nbytes: int) -> tuple[int, int]:
        """Return the whole frames in a file, and the bytes left behind them."""
        return divmod(max(nbytes - self.offset, 0), self.frame_bytes)


def look(path: Path, dataset: str | None, _: bool | None) -> FoundStack:
    """Describe a binary file; its layout is given, or stands beside it."""
    nbytes = path.stat().st_size
    known, notes = True, []
    settings = suite2p_settings(path.parent)
    if dataset is not None:
        layout = BinaryLayout.parse(dataset)
    else:
        rows, columns = positive(settings.get("Ly")), positive(settings.get("Lx"))
        known = rows is not None and columns is not None
        if rows is not None and columns is not None:
            layout = BinaryLayout.parse(f"int16 {int(rows)}x{int(columns)}")
            notes.append("The size of the frames was taken from suite2p's settings.")
        else:
            layout = _likely(nbytes)
            notes.append(
                "The file does not say the size of its frames; enter rows, columns and "
                "type."
            )
    n, left = layout.frames_in(nbytes)
    if left:
        notes.append(
            f"{left} bytes are left over after {n} frames; the size or the type is "
            "wrong, or the file was cut short."
        )
    announced = positive(settings.get("nframes"))
    if not left and announced is not None and int(announced) != n:
        notes.append(f"suite2p's settings announce {int(announced)} frames.")
    info = StackInfo(
        path,
        "binary",
        "TYX",
        (n, layout.height, layout.width),
        np.dtype(layout.dtype),
        positive(settings.get("fs")),
        str(layout),
        notes=tuple(notes),
    )

    def open_frames(plan: AxisPlan) -> RawFrames:
        if plan.axes != "TYX":
            raise InvalidInput(
                f"The frames of {path.name} lie one after the other; use the axes TYX."
            )
        at = layout.offset + np.arange(n, dtype=np.int64) * layout.frame_bytes
        frame = (layout.height, layout.width)
        return RawFrames([path], np.zeros(n, np.int32), at, frame, info.dtype)

    refusal = ""
    if not known:
        refusal = (
            f"{path.name} does not say the size of its frames; give rows, columns and "
            'type, as "int16 512x512".'
        )
    elif left:
        refusal = (
            f"{path.name} does not hold a whole number of frames of {layout} ({left} "
            "bytes are left over); correct rows, columns or type, or copy it again."
        )
    return FoundStack(info, open_frames, path, refusal=refusal)


def registered_movie(
    plane: Path, shape: tuple[int, int], n_frames: int
) -> tuple[Path, BinaryLayout] | None:
    """Return suite2p's movie and its layout, None if it was not kept whole.

    Parameters
    ----------
    plane : Path
        A suite2p plane folder.
    shape : (Y, X)
        Field of view.
    n_frames : int
        Of the traces.
    """
    path = plane / "data.bin"
    layout = BinaryLayout("int16", *shape)
    if not path.is_file() or layout.frames_in(path.stat().st_size) != (n_frames, 0):
        return None
    return path, layout


def _likely(nbytes: int) -> BinaryLayout:
    """Guess a common square frame of int16 that the file holds a whole number of."""
    layouts = [replace(BinaryLayout(), height=n, width=n) for n in _COMMON]
    whole = (layout for layout in layouts if not layout.frames_in(nbytes)[1])
    return next(whole, layouts[0])
