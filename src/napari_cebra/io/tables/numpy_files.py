"""Arrays of npz and npy files; objects, which would be pickles, are never loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.damage import open_npy, open_npz, reading

if TYPE_CHECKING:
    from pathlib import Path


def npz_arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of an npz file by name, and notes."""
    found: dict[str, np.ndarray] = {}
    pickled = []
    with reading(path.name, "npz", "save it again with numpy.savez"):
        with open_npz(path) as stored:
            for name in stored.files:
                try:
                    found[name] = stored[name]
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
                    pickled.append(name)
    notes = []
    if pickled:
        notes.append(
            f"{', '.join(pickled)} left out: objects of Python, which can run anything "
            "when they are loaded; save them as plain arrays."
        )
    return found, notes


def npy_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the array of an npy file, or the fields of one with named fields."""
    array = open_npy(path)
    with reading(path.name, "npy", "save it again with numpy.save"):
        if array.dtype.names is None:
            return {path.stem: np.asarray(array)}
        return {name: np.asarray(array[name]) for name in array.dtype.names}
