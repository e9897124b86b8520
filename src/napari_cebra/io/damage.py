"""Turning what a damaged file makes a library raise into one sentence."""

from __future__ import annotations

import math
import pickle
import struct
import tokenize
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What numpy, tifffile, h5py, zarr, zipfile and the codecs raise on bytes that make
# no sense. Found by damaging files at random; all of them are errors of the file.
DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    SystemError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def reading(name: str, as_what: str, so: str) -> Iterator[None]:
    """Raise `InvalidInput` where a library fails on a damaged file.

    Parameters
    ----------
    name : str
        Of the file.
    as_what : str
        What it should have been, as "HDF5".
    so : str
        What to do, as "save it again".
    """
    try:
        yield
    except InvalidInput:
        raise
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if len(reason) > 160:
            reason = reason[:157] + "..."
        raise InvalidInput(
            f"{name} cannot be read as {as_what} ({reason.rstrip('.')}); it is damaged "
            f"or something else: {so}."
        ) from error


def open_npy(path: Path, so: str = "save it again with numpy.save") -> np.memmap:
    """Map an npy file; pickled objects are refused.

    Raises
    ------
    InvalidInput
        If it is damaged, cut short or holds Python objects.
    """
    with reading(path.name, "an npy array", so):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def open_npz(path: Path) -> np.lib.npyio.NpzFile:
    """Open an npz file whose arrays hold what they announce; use within `reading`."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                shape, dtype = npy_header(stream)
            needed = math.prod(shape) * dtype.itemsize
            packed = 2000 * (member.compress_size + 1024)
            if not needed <= member.file_size <= packed:
                raise ValueError(f"{member.filename} does not hold what it announces")
    return np.load(path, allow_pickle=False)


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and dtype at the beginning of npy data; use within `reading`."""
    if np.lib.format.read_magic(stream) == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    return shape, dtype
