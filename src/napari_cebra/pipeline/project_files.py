"""Array files that are named after what they hold, and never changed."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io import replacing
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_cebra.embedding import Encoder

# Files that saving made, and drafts that a crash left of them.
_OURS = re.compile(
    r"[A-Za-z_.]+-[0-9a-f]{24}\.(npz|safetensors)"
    r"|\.[A-Za-z_.]+(-[0-9a-f]{24})?\.[0-9a-f]{8}\.part\.(npz|safetensors|json)"
    r"|\.{1,2}encoder-[0-9a-f]{24}\..+"
)


def arrays_digest(arrays: Mapping[str, np.ndarray], extra: str = "") -> str:
    """Return a name for these arrays: equal bits, equal name."""
    digest = hashlib.blake2b(extra.encode(), digest_size=12)
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def write_arrays(folder: Path, stem: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Write arrays to ``stem-digest.npz`` unless they stand there already.

    Returns
    -------
    str
        Name of the file inside `folder`.

    Raises
    ------
    InvalidInput
        If the folder cannot be written to, or the disk is full.
    """
    name = f"{stem}-{arrays_digest(arrays)}.npz"
    if not (folder / name).exists():
        with replacing(folder / name) as draft:
            np.savez(draft, **arrays)  # type: ignore[arg-type]
    return name


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote, and check that it is still the same.

    Raises
    ------
    InvalidInput
        If the file is missing, cut short, or was changed since.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        whole = path.stem.rpartition("-")[2] == arrays_digest(arrays)
    except FileNotFoundError as error:
        raise InvalidInput(_missing(path)) from error
    except (
        *(OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError),
        *(zipfile.BadZipFile, zlib.error, AttributeError),
    ) as error:
        raise InvalidInput(_damaged(path)) from error
    if not whole:
        raise InvalidInput(_damaged(path))
    return arrays


def write_encoder(folder: Path, encoder: Encoder) -> str:
    """Write an encoder to ``encoder-digest.safetensors`` unless it stands there.

    Returns the name of the file; raises as `write_arrays`.
    """
    name = f"encoder-{encoder_digest(encoder)}.safetensors"
    if not (folder / name).exists():
        encoder.save(folder / name)
    return name


def read_encoder(path: Path) -> Encoder:
    """Read what `write_encoder` wrote; raises as `read_arrays`."""
    from napari_cebra.embedding import Encoder  # not before there is one: torch

    if not path.exists():
        raise InvalidInput(_missing(path))
    try:
        encoder = Encoder.load(path)
    except InvalidInput as error:
        raise InvalidInput(_damaged(path)) from error
    if path.stem.rpartition("-")[2] != encoder_digest(encoder):
        raise InvalidInput(_damaged(path))
    return encoder


def encoder_digest(encoder: Encoder) -> str:
    """Return a name for this encoder: equal weights and settings, equal name."""
    tensors = {
        **encoder.network.state_dict(),
        "mean": encoder.standardization.mean,
        "scale": encoder.standardization.scale,
    }
    weights = {k: v.detach().cpu().numpy() for k, v in tensors.items()}
    return arrays_digest(weights, encoder.config.to_json() + str(encoder.training))


def remove_others(folder: Path, keep: Iterable[str]) -> None:
    """Remove the files that earlier saves or a crash left and nothing names.

    Only names that saving gives are touched. What cannot be removed now, as a
    file that another program holds open, is left for the next time.
    """
    keep = set(keep)
    for name in os.listdir(folder):
        if name not in keep and _OURS.fullmatch(name):
            with suppress(OSError):
                (folder / name).unlink()


def _missing(path: Path) -> str:
    return (
        f"The project lacks its file {path.name}; copy the whole folder "
        f"{path.parent.name} again, or open a backup of it."
    )


def _damaged(path: Path) -> str:
    return (
        f"The project file {path.name} is damaged or was changed from outside; "
        f"copy the folder {path.parent.name} again, or open a backup of it."
    )
