"""TIFF files of any size that hardly take room on the disk: their pixels are holes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHORT, _LONG, _LONG8 = 3, 4, 16


def write_paged(path: Path, n_pages: int, shape: tuple[int, int]) -> None:
    """Write a BigTIFF of uint16 pages, each behind its own directory, all 0.

    The directories lie as far apart as in a file that a microscope wrote page by
    page, so that walking the chain of pages costs what it costs there.
    """
    height, width = shape
    n_bytes = 2 * height * width
    size = 8 + 20 * 9 + 8  # of a directory with nine entries
    with open(path, "wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
        for page in range(n_pages):
            start = 16 + page * (size + n_bytes)
            following = start + size + n_bytes if page < n_pages - 1 else 0
            file.seek(start)
            file.write(struct.pack("<Q", 9))
            for tag, kind, value in (
                (256, _LONG, width),
                (257, _LONG, height),
                (258, _SHORT, 16),
                (259, _SHORT, 1),
                (262, _SHORT, 1),
                (273, _LONG8, start + size),
                (277, _SHORT, 1),
                (278, _LONG, height),
                (279, _LONG8, n_bytes),
            ):
                file.write(struct.pack("<HHQQ", tag, kind, 1, value))
            file.write(struct.pack("<Q", following))
        file.truncate(16 + n_pages * (size + n_bytes))
