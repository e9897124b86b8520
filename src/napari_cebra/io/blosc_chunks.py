"""Looking at blosc's headers before blosc does."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

_HEADER = struct.Struct("<4B3I")


def check_blosc_chunks(folder: str | os.PathLike[str], array: Any) -> None:
    """Refuse chunks that blosc would read beyond; use within `damage.reading`.

    numcodecs hands a chunk to blosc without comparing what its header announces
    with what is there, which ends the process where they differ.

    Parameters
    ----------
    folder : path
        Of the zarr array.
    array : zarr.Array

    Raises
    ------
    ValueError
        If a header does not fit its file or the chunks of the array.
    """
    if not any("blosc" in type(codec).__name__.lower() for codec in array.compressors):
        return
    size = math.prod(array.chunks) * array.dtype.itemsize
    for chunk in Path(folder).rglob("*"):
        if chunk.name.startswith(".") or chunk.name == "zarr.json":
            continue
        if chunk.is_file():
            _check(chunk, size)


def _check(chunk: Path, size: int) -> None:
    length = chunk.stat().st_size
    with open(chunk, "rb") as stream:
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise ValueError(f"chunk {chunk.name} is cut short")
        version, _, flags, _, whole, block, packed = _HEADER.unpack(header)
        if version != 2 or packed != length or whole != size or not 0 < block <= whole:
            raise ValueError(f"chunk {chunk.name} is not as long as it announces")
        if flags & 2:  # Copied, not compressed.
            if packed != whole + _HEADER.size:
                raise ValueError(f"chunk {chunk.name} is not as long as it announces")
            return
        n = -(-whole // block)
        table = stream.read(4 * n)
    if len(table) < 4 * n:
        raise ValueError(f"chunk {chunk.name} is cut short")
    first = _HEADER.size + 4 * n
    if not all(first <= start < length for (start,) in struct.iter_unpack("<I", table)):
        raise ValueError(f"the blocks of chunk {chunk.name} lie outside it")
