"""Whether a MAT-file of version 5 holds what it announces, before SciPy reads it.

SciPy makes room for the number of cells that a header announces. Here the elements of
the file are walked without making any: each must lie inside the one it is in, and have
no more parts than there are bytes for.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _SPARSE, _LARGEST_CLASS = 1, 2, 3, 5, 18
_FUNCTION, _OPAQUE = 16, 17
_LARGEST = 1 << 30
_DEEPEST = 32


def check_mat5(path: Path) -> None:
    """Raise ValueError where the file announces more than it holds."""
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is larger than 1 GB; save the variables alone")
    data = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("its header does not end with IM or MI")
    at, unpacked = _HEADER, 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        body = memoryview(data)[at + 8 : at + 8 + size]
        if len(body) < size:
            raise ValueError("it is cut short")
        if kind == _COMPRESSED:
            inflate = zlib.decompressobj()
            content = inflate.decompress(body, _LARGEST - unpacked)
            unpacked += len(content)
            if inflate.unconsumed_tail or unpacked >= _LARGEST:
                raise ValueError("it unpacks to more than 1 GB")
            _walk(memoryview(content), order)
        elif kind == _MATRIX:
            _check_matrix(body, order, 0)
        at += 8 + size


def _walk(data: memoryview, order: str, depth: int = 0) -> None:
    """Check the elements that lie one after the other in `data`."""
    at = 0
    while at + 8 <= len(data):
        kind, body, at = _element(data, at, order)
        if kind == _MATRIX:
            _check_matrix(body, order, depth)


def _element(data: memoryview, at: int, order: str) -> tuple[int, memoryview, int]:
    """Type and content of the element at a place, and where the next one begins."""
    if at + 8 > len(data):
        raise ValueError("an element is missing")
    kind, size = struct.unpack_from(f"{order}II", data, at)
    if kind >> 16:  # a small element: its size is in the same word, up to 4 bytes
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise ValueError("a small element is too large")
        return kind, data[at + 4 : at + 4 + size], at + 8
    if at + 8 + size > len(data):
        raise ValueError("an element goes beyond the one it is in")
    padded = size if kind == _COMPRESSED else size + (-size) % 8
    return kind, data[at + 8 : at + 8 + size], at + 8 + padded


def _check_matrix(data: memoryview, order: str, depth: int) -> None:
    if not len(data):
        return  # an empty matrix
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    _, flags, at = _element(data, 0, order)
    if len(flags) < 8:
        raise ValueError("an array has no flags")
    kind = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    if not 0 < kind <= _LARGEST_CLASS:
        raise ValueError(f"an array of the unknown class {kind}")
    if kind in (_FUNCTION, _OPAQUE):
        return  # not taken apart
    _, sizes, at = _element(data, at, order)
    shape = np.frombuffer(sizes[: len(sizes) // 4 * 4], f"{order}i4")
    count = math.prod(int(n) for n in shape)
    _, _, at = _element(data, at, order)  # its name
    if kind in (_STRUCT, _OBJECT):
        if kind == _OBJECT:
            _, _, at = _element(data, at, order)
        _, length, at = _element(data, at, order)
        _, names, at = _element(data, at, order)
        longest = struct.unpack_from(f"{order}i", length)[0] if len(length) >= 4 else 0
        if longest < 1:
            raise ValueError("the fields of a struct have no names")
        parts = count * (len(names) // longest)
        _expect(parts * 8, len(data) - at)
        _expect(count, len(data))  # also where a struct has no fields
        _walk(data[at:], order, depth + 1)
    elif kind == _CELL:
        _expect(count * 8, len(data) - at)
        _walk(data[at:], order, depth + 1)
    elif kind != _SPARSE:
        _expect(count, len(data) - at)


def _expect(needed: int, there: int) -> None:
    if min(needed, there) < 0 or needed > there:
        raise ValueError("an array announces more than the file holds")
