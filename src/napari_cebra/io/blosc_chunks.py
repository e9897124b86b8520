"""Looking at the headers of zarr's chunks before their codecs do."""

from __future__ import annotations

import itertools
import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

_HEADER = struct.Struct("<4B3I")
_PLACE = struct.Struct("<2Q")
_EMPTY = (1 << 64) - 1


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
    checked = CheckedChunks(array, folder)
    for chunk in Path(folder).rglob("*"):
        if chunk.name.startswith(".") or chunk.name == "zarr.json":
            continue
        if chunk.is_file():
            checked.check(chunk)


def stores_at_least(folder: str | os.PathLike[str], nbytes: float) -> bool:
    """Whether the files of a zarr array hold so many bytes; stops where they do."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            found += os.stat(os.path.join(place, name)).st_size
            if found >= nbytes:
                return True
    return False


class CheckedChunks:
    """A zarr array each of whose chunks is looked at before it is first decoded.

    Indexed with one slice or whole number per axis; use within `damage.reading`.

    Parameters
    ----------
    array : zarr.Array
        Of numbers, in a folder.
    folder : path
        Where it lies.

    Raises
    ------
    ValueError
        If one of its codecs would run what is written in its chunks.
    """

    def __init__(self, array: Any, folder: str | os.PathLike[str]) -> None:
        codecs = (*array.compressors, *array.filters)
        if any("pickle" in f"{type(codec)} {codec!r}".lower() for codec in codecs):
            raise ValueError("its chunks are pickled Python objects")
        self._array = array
        self._folder = Path(folder)
        self._seen: set[Path] = set()
        self._is_blosc = any(
            "blosc" in type(codec).__name__.lower() for codec in array.compressors
        )
        self._nbytes = math.prod(array.chunks) * array.dtype.itemsize
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: np.dtype = np.dtype(array.dtype)

    def __getitem__(self, key: tuple[slice | int, ...]) -> Any:
        if self._is_blosc:
            for chunk in self._files(key):
                if chunk not in self._seen and chunk.is_file():
                    self.check(chunk)
                    self._seen.add(chunk)
        return self._array[key]

    def _files(self, key: tuple[slice | int, ...]) -> list[Path]:
        sizes = self._array.shards or self._array.chunks
        spans = []
        for part, length, size in zip(key, self.shape, sizes, strict=True):
            first, stop = part, part
            if isinstance(part, slice):
                first, stop, _ = part.indices(length)
                stop -= 1
            spans.append(range(first // size, stop // size + 1))
        name = self._array.metadata.encode_chunk_key
        return [self._folder / name(at) for at in itertools.product(*spans)]

    def check(self, chunk: Path) -> None:
        """Raise ValueError where a file is not what its headers announce."""
        if not self._is_blosc:
            return
        data = chunk.read_bytes()
        if self._array.shards is None:
            self._check(data, chunk.name)
            return
        for part in self._parts(data, chunk.name):
            self._check(part, chunk.name)

    def _parts(self, data: bytes, name: str) -> list[bytes]:
        """Chunks of a shard, found in the index at its beginning or end."""
        shards, chunks = self._array.shards, self._array.chunks
        n = math.prod(a // b for a, b in zip(shards, chunks, strict=True))
        codec = self._array.metadata.codecs[0]
        at_end = "end" in str(codec.index_location)
        checksum = 4 * sum("Crc32c" in type(c).__name__ for c in codec.index_codecs)
        size = n * _PLACE.size
        start = len(data) - size - checksum if at_end else 0
        if start < 0 or len(data) < size:
            raise ValueError(f"chunk {name} is cut short")
        places = _PLACE.iter_unpack(data[start : start + size])
        return [data[a : a + b] for a, b in places if (a, b) != (_EMPTY, _EMPTY)]

    def _check(self, data: bytes, name: str) -> None:
        length = len(data)
        if length < _HEADER.size:
            raise ValueError(f"chunk {name} is cut short")
        version, _, flags, _, whole, block, packed = _HEADER.unpack_from(data)
        # Filters may make what is packed longer or shorter than the chunk.
        fits = (
            whole <= 8 * self._nbytes
            if self._array.filters
            else (whole == self._nbytes)
        )
        if version != 2 or packed != length or not fits or not 0 < block <= whole:
            raise ValueError(f"chunk {name} is not as long as it announces")
        if flags & 2:  # Copied, not compressed.
            if packed != whole + _HEADER.size:
                raise ValueError(f"chunk {name} is not as long as it announces")
            return
        n = -(-whole // block)
        first = _HEADER.size + 4 * n
        if first > length:
            raise ValueError(f"chunk {name} is cut short")
        starts = struct.iter_unpack("<I", data[_HEADER.size : first])
        if not all(first <= start < length for (start,) in starts):
            raise ValueError(f"the blocks of chunk {name} lie outside it")
