"""The pickle inside a model of the reference, read without running what it names.

It holds numbers, text, tensors and a few classes. What it names is looked at
before it is unpickled, and anything but those is refused; the classes of the
reference are replaced by stand-ins, so that it need not be installed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


class Offset:
    """Stands for ``cebra.data.datatypes.Offset``."""

    __slots__ = ("left", "right")

    def __setstate__(self, state: object) -> None:
        slots = state[1] if isinstance(state, tuple) and len(state) == 2 else None
        if not isinstance(slots, dict) or set(slots) != {"left", "right"}:
            raise pickle.UnpicklingError("an Offset without left and right")
        if not all(type(n) is int and 0 <= n < 10**6 for n in slots.values()):
            raise pickle.UnpicklingError("an Offset that is not two counts")
        self.left, self.right = slots["left"], slots["right"]


class DType:
    """Stands for ``numpy.dtype``: keeps its name alone."""

    def __init__(self, name: object = None, *_: object) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[<>|=]?[biufcSU?]\d*", name):
            raise pickle.UnpicklingError(f"the data type {name!r}")
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignore the byte order; labels are not in the file."""


class _Text(str):
    """Stands for ``torch.torch_version.TorchVersion``."""

    __slots__ = ()


STAND_INS: list[Any] = [
    (Offset, "cebra.data.datatypes.Offset"),
    (DType, "numpy.dtype"),
    (_Text, "torch.torch_version.TorchVersion"),
]
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Byte")
_ALLOWED = {
    *(name for _, name in STAND_INS),
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch.Size",
    "torch.device",
    *(f"torch.{kind}Storage" for kind in (*_STORAGES, "Bool", "Char")),
}
_NAMING = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")


def unpickled(path: Path) -> dict[str, Any]:
    """Return the dict in a file.

    Raises
    ------
    InvalidInput
        If it cannot be read, names what a model does not need, or holds no dict.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no model file {path}.") from error
    except OSError as error:
        raise InvalidInput(
            f"{path} could not be read ({error.strerror}); choose another file."
        ) from error
    try:
        unknown = _names(data) - _ALLOWED
        if not unknown:
            with torch.serialization.safe_globals(STAND_INS):
                content = torch.load(
                    io.BytesIO(data), map_location="cpu", weights_only=True
                )
    except Exception as error:  # whatever a damaged file makes the readers raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InvalidInput(
            f"{path.name} is not a model of the reference, or it is cut short "
            f"({said}); copy it again."
        ) from error
    if any(name.startswith("cebra.integrations") for name in unknown):
        raise InvalidInput(
            f"{path.name} was saved with backend='torch', which needs code to be run; "
            "open it in the published package and save it again as it does by default."
        )
    if unknown:
        raise InvalidInput(
            f"{path.name} was not opened: it asks for {', '.join(sorted(unknown))}, "
            "which a model does not need; get the file from its source again."
        )
    if not isinstance(content, dict):
        raise InvalidInput(
            f"{path.name} holds a {type(content).__name__}, not a model that the "
            "published package saved; choose another file."
        )
    return content


def _names(data: bytes) -> set[str]:
    """Return what the pickle in an archive names, without unpickling it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its parts are compressed")
        pickles = [e for e in entries if e.filename.endswith(".pkl")]
        if len(pickles) != 1 or not pickles[0].filename.endswith("/data.pkl"):
            raise ValueError("it does not hold one pickle called data.pkl")
        body = archive.read(pickles[0])
    names = set()
    for opcode, argument, _ in pickletools.genops(body):
        if opcode.name == "GLOBAL":
            names.add(str(argument).replace(" ", "."))
        elif opcode.name in _NAMING:
            raise ValueError(f"it uses {opcode.name}, which torch.save does not")
    return names


# Only the pickler that is written in Python lets a class go by another name.
_PythonPickler: Any = pickle._Pickler


class _Pickler(_PythonPickler):
    """Names the stand-in after the class it stands for."""

    def save_global(self, obj: object, name: str | None = None) -> None:
        if obj is Offset:
            self.write(pickle.GLOBAL + b"cebra.data.datatypes\nOffset\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)


def pickled(content: dict[str, Any]) -> bytes:
    """Return the file of a dict, as ``torch.save`` makes it."""
    stream = io.BytesIO()
    module = SimpleNamespace(__name__="pickle", Pickler=_Pickler)
    torch.save(content, stream, pickle_module=module)
    return stream.getvalue()
