"""Object arrays in npy files, read without running what they carry.

A pickle can call any function when it is loaded. Here nothing it names is
called: arrays, scalars and dtypes are rebuilt by own code that takes only plain
bytes, a few harmless types become blanks, and any other name is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import npy_header, reading
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN_DTYPE = re.compile(r"[<>|=]?([biufcSU?]\d*|O8?)")
_CORES = ("numpy.core", "numpy._core")
_BLANKS = {
    ("datetime", name) for name in ("datetime", "date", "time", "timedelta", "timezone")
} | {
    ("pathlib", name)
    for name in ("PosixPath", "WindowsPath", "Path", "PurePosixPath", "PureWindowsPath")
}
_BLANKS |= {("pathlib._local", name) for _, name in _BLANKS}


class _Refused(Exception):
    """A pickle that asks for something else than numbers, text and lists."""


def load_objects(path: Path) -> Any:
    """Return what an npy file of dtype object holds.

    Returns
    -------
    object
        Lists, dicts, numbers, text and plain numpy arrays. A 0-d object array
        (as ``ops.npy``) gives its element, a 1-D one (``stat.npy``) a list.

    Raises
    ------
    InvalidInput
        If the file is damaged, or names anything but numpy's array, scalar and
        dtype constructors; nothing of it has been run then.
    """
    try:
        with reading(path.name, "a suite2p file", "copy it again"):
            data = path.read_bytes()
            stream = io.BytesIO(data)
            shape, dtype = npy_header(stream)
            if not dtype.hasobject:
                return np.load(path, allow_pickle=False)
            body = data[stream.tell() :]
            _scan(body)
            values = _unwrapped(_Unpickler(io.BytesIO(body)).load())
    except _Refused as error:
        raise InvalidInput(
            f"{path.name} was not opened: it asks to run {error}, which a suite2p file "
            "does not need; get the file from its source again."
        ) from error
    if isinstance(values, np.ndarray):
        values = values.tolist() if values.dtype.hasobject else values
    if shape == () and isinstance(values, list) and len(values) == 1:
        return values[0]
    return values


def load_attribute(name: str, pickled: Any) -> Any:
    """Return what a pickle in an attribute of HDF5 holds, as PyTables writes it.

    Parameters
    ----------
    name : str
        What it belongs to, for the error.
    pickled : bytes, str or None
        None where there is no such attribute, which gives None.

    Raises
    ------
    InvalidInput
        If it asks for anything but numbers, text, lists and tuples.
    """
    if pickled is None:
        return None
    data = pickled.encode("latin-1") if isinstance(pickled, str) else bytes(pickled)
    try:
        _scan(data)
        return _unwrapped(_Unpickler(io.BytesIO(data)).load())
    except _Refused as error:
        raise InvalidInput(
            f"{name} was not opened: it asks to run {error}, which a table does not "
            "need; get the file from its source again."
        ) from error


def _scan(data: bytes) -> None:
    """Refuse lengths that go beyond the file, before anything is allocated."""
    operations = 0
    highest = 0
    for opcode, argument, _ in pickletools.genops(data):
        operations += 1
        if "PUT" in opcode.name and isinstance(argument, int):
            highest = max(highest, argument)
    if highest > 2 * operations + 1024:
        raise ValueError("its memo is out of proportion")


class _Dtype:
    def __init__(self, text: object, *_: object) -> None:
        if not isinstance(text, str) or not _PLAIN_DTYPE.fullmatch(text):
            raise _Refused(f"the data type {text!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # (version, byte order, subdtype, names, fields, ...): no structures.
        if any(part is not None for part in state[2:5]):
            raise _Refused("a structured data type")
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    def __init__(self, *_: object) -> None:
        self.values: Any = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.values = _array(content, dtype, shape, "F" if fortran else "C")


def _array(content: Any, dtype: Any, shape: Any, order: str = "C") -> Any:
    if not isinstance(dtype, _Dtype):
        raise _Refused("an array of unknown type")
    shape = tuple(int(n) for n in shape)
    if isinstance(content, list):
        if not dtype.dtype.hasobject or len(content) != np.prod(shape, dtype=object):
            raise ValueError("an array does not hold what it announces")
        return content
    if isinstance(content, str):
        content = content.encode("latin-1")
    if dtype.dtype.hasobject:
        raise _Refused("an array of addresses")
    flat = np.frombuffer(content, dtype.dtype)
    return flat.reshape(shape, order=order).copy()  # type: ignore[call-overload]


def _scalar(dtype: Any, content: Any = b"") -> Any:
    if isinstance(dtype, _Dtype) and dtype.dtype.hasobject:
        return content
    values = _array(content, dtype, (1,))
    return values[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin-1")


class _Blank:
    """Stands for a date or a path, which nothing here needs."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        core = module.rpartition(".")[0]
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("numpy", "ndarray"):
            return _Array
        if core in _CORES and name == "_reconstruct":
            return _Array
        if core in _CORES and name == "scalar":
            return _scalar
        if core in _CORES and name == "_frombuffer":
            return _array
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) in _BLANKS:
            return _Blank
        raise _Refused(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an external object")


def _unwrapped(value: Any, depth: int = 0) -> Any:
    """Replace the stand-ins for arrays by the arrays."""
    if depth > 12:
        raise ValueError("it is nested too deeply")
    if isinstance(value, _Array):
        return _unwrapped(value.values, depth + 1)
    if isinstance(value, dict):
        return {key: _unwrapped(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unwrapped(item, depth + 1) for item in value]
    if isinstance(value, _Blank):
        return None
    return value.dtype if isinstance(value, _Dtype) else value
