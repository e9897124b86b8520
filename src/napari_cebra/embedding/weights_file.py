"""One kind of file for all that is learnt: safetensors with a JSON header."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.torch
import torch

from napari_cebra.recording import InvalidInput
from napari_cebra.recording.atomic import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor


@dataclass(frozen=True)
class FileKind:
    """What such a file holds.

    Parameters
    ----------
    format : str
        Its name in the header.
    version : int
        The latest that this program writes and reads.
    what : str
        Its name in error texts, as "encoder file".
    remedy : str
        What to do with one whose parts do not fit together.
    """

    format: str
    version: int
    what: str
    remedy: str = "choose another file"

    def write(
        self,
        path: str | Path,
        header: Mapping[str, str],
        tensors: Mapping[str, Tensor],
    ) -> None:
        """Write tensors and header, so that there is never half a file.

        The versions it was written with and a checksum of all of it are added
        to the header.

        Raises
        ------
        InvalidInput
            If the file cannot be written; what stood there is still there.
        """
        # a tensor of its own each: two names of one array are refused
        whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        found = {
            "format": self.format,
            "version": str(self.version),
            "written_with": json.dumps(_versions()),
            **header,
        }
        found[_CHECKSUM] = checksum(found, whole)
        write_whole(path, safetensors.torch.save(whole, found))

    def read(self, path: str | Path) -> tuple[dict[str, str], dict[str, Tensor]]:
        """Return header and tensors. Nothing in the file is executed.

        Raises
        ------
        InvalidInput
            If it is no such file, is cut short or damaged, or is from a later
            version.
        """
        if not Path(path).is_file():
            raise InvalidInput(f"There is no {self.what} {path}; choose another file.")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                # a copy, so that the file is not kept mapped
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
        except (safetensors.SafetensorError, OSError, *_MISFITS) as error:
            raise InvalidInput(
                f"{path} is no {self.what}, or it is cut short ({error}); choose a "
                "file that this program wrote."
            ) from error
        if header.get("format") != self.format:
            found = header.get("format", "the weights of another program")
            raise InvalidInput(
                f"{path} is no {self.what} but holds {found!r}; choose another file."
            )
        version = header.get("version", "")[:9]
        if not version.isdecimal() or int(version) > self.version:
            raise InvalidInput(
                f"{path} was written by a later version of this program (format "
                f"{version}); update napari-cebra to open it."
            )
        # files of earlier versions have none
        unsigned = _CHECKSUM not in header and int(version) < self.version
        if not unsigned and header.get(_CHECKSUM) != checksum(header, tensors):
            raise InvalidInput(
                f"The {self.what} {path} was damaged or changed after it was written "
                f"(its checksum does not match); {self.remedy}."
            )
        return header, tensors

    @contextmanager
    def fitting(self, path: str | Path) -> Iterator[None]:
        """Turn what parts that do not fit together raise into one sentence."""
        try:
            yield
        except _MISFITS as error:
            plain = isinstance(error, InvalidInput)
            kind = "" if plain else f"{type(error).__name__}: "
            raise InvalidInput(
                f"The {self.what} {path} does not fit together ({kind}{error}); "
                f"{self.remedy}."
            ) from error


# whatever reading parts raises that are there but are not what was written
_MISFITS = (
    *(LookupError, TypeError, ValueError),
    *(AttributeError, RuntimeError, ArithmeticError),
)


_CHECKSUM = "sha256"


def checksum(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a file's header (but for itself) and tensors."""
    digest = hashlib.sha256()
    settings = {key: text for key, text in header.items() if key != _CHECKSUM}
    shapes = {key: [str(v.dtype), *v.shape] for key, v in tensors.items()}
    digest.update(json.dumps([settings, shapes], sort_keys=True).encode())
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    return {
        "napari-cebra": metadata.version("napari-cebra"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }


def group(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without the beginning."""
    return {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


def named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors with names that begin so."""
    return {f"{prefix}{key}": value for key, value in tensors.items()}
