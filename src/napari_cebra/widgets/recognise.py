"""What a file or folder can be loaded as, told before anything is loaded."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.widgets.source_form import Recognised

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.io import StackInfo

_TABLES = (".csv", ".tsv", ".txt", ".npz")
_HDF5 = (".h5", ".hdf5", ".hdf", ".nwb", ".mat")


def recognising(
    path: Path, data_set: str | None = None
) -> Generator[Progress, None, Recognised]:
    """Look at what is at a path; long only where the disk is.

    Raises
    ------
    InvalidInput
        If nothing that can be loaded is there.
    """
    yield Progress(0, 0, "", f"Looking at {path.name}")
    return recognise(path, data_set)


def recognise(path: Path, data_set: str | None = None) -> Recognised:
    """Return what is at a path; see `recognising`."""
    if not path.exists():
        raise InvalidInput(
            f"There is no file or folder {path}; choose it again with Browse."
        )
    if is_project(path):
        return Recognised("project", f"{path.name}")
    if suite2p_plane(path) is not None:
        return _suite2p(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = _npy_header(path)
        if array.ndim == 2:
            return _matrix(path, array.shape, array.dtype)
    elif suffix in _TABLES and path.is_file():
        return Recognised("traces", f"{path.name} · {_size(path.stat().st_size)}")
    elif suffix in _HDF5 and path.is_file():
        return _hdf5(path, data_set)
    return _stack(path, data_set)


def is_project(path: Path) -> bool:
    """Return True for a project folder or the file inside it."""
    if path.is_dir():
        return (path / "project.cebra.json").is_file()
    return path.name.endswith(".cebra.json")


def suite2p_plane(path: Path) -> Path | None:
    """Return the folder that holds the traces of a suite2p plane, or None."""
    if not path.is_dir():
        return None
    for folder in (path, path / "plane0", path / "suite2p" / "plane0"):
        if (folder / "stat.npy").is_file() or (folder / "F.npy").is_file():
            return folder
    return None


def stack_facts(info: StackInfo) -> str:
    """Return shape, type and size of a stack in words."""
    shape = " × ".join(str(n) for n in info.shape)
    facts = f"{shape} ({' × '.join(info.axes)}) · {info.dtype} · {_size(info.nbytes)}"
    if info.n_files > 1:
        facts += f" · {info.n_files} files"
    return facts


def axes_choices(axes: str) -> tuple[str, ...]:
    """Return the orders that are likely where the detected one is wrong."""
    if len(axes) <= 3:
        others = {"".join(order) for order in permutations(axes)}
    else:
        others = {_swapped(axes, *pair) for pair in combinations(range(len(axes)), 2)}
    return (axes, *sorted(others - {axes}))


def _stack(path: Path, data_set: str | None) -> Recognised:
    from napari_cebra.io import inspect_stack

    info = inspect_stack(path, data_set)
    return Recognised(
        "stack",
        stack_facts(info),
        axes=info.axes,
        axes_choices=axes_choices(info.axes),
        rate=info.rate,
        data_sets=tuple((name, name) for name in info.datasets),
        data_set=info.dataset,
        to_choose=tuple(info.to_choose.items()),
        notes=info.notes,
    )


def _hdf5(path: Path, data_set: str | None) -> Recognised:
    import h5py

    try:
        return _stack(path, data_set)
    except InvalidInput as error:
        not_a_stack = error
    with h5py.File(path, "r") as file:
        tables: dict[str, tuple[int, ...]] = {}

        def note(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim == 2 and item.size > 4:
                tables[name] = item.shape

        file.visititems(note)
        if any(name.rsplit("/", 1)[-1] == "UnitTimes" for name in _groups(file)):
            return Recognised("spikes", f"{path.name} · {_size(path.stat().st_size)}")
    if not tables:
        raise not_a_stack
    names = sorted(tables, key=lambda name: -int(np.prod(tables[name])))
    chosen = data_set if data_set in tables else names[0]
    return _matrix(
        path,
        tables[chosen],
        None,
        tuple((n, f"{n}  ({tables[n][0]} × {tables[n][1]})") for n in names),
        chosen,
    )


def _groups(file: object) -> list[str]:
    import h5py

    found: list[str] = []
    file.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Group) else None
    )
    return found


def _matrix(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype | None,
    data_sets: tuple[tuple[str, str], ...] = (),
    data_set: str | None = None,
) -> Recognised:
    axes = "TN" if shape[0] >= shape[1] else "NT"
    facts = f"{shape[0]} × {shape[1]}"
    facts += f" · {dtype}" if dtype is not None else ""
    return Recognised(
        "traces",
        f"{facts} · {_size(path.stat().st_size)}",
        axes=axes,
        axes_choices=(axes, axes[::-1]),
        data_sets=data_sets,
        data_set=data_set,
    )


def _suite2p(path: Path) -> Recognised:
    plane = suite2p_plane(path)
    facts, rate = path.name, None
    if plane is not None and (plane / "F.npy").is_file():
        shape = _npy_header(plane / "F.npy").shape
        facts = f"{shape[0]} ROIs × {shape[1]} frames"
    return Recognised("suite2p", facts, rate=rate)


def _npy_header(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path.name} is not a numpy array that can be read ({error}); save it "
            "again with numpy.save."
        ) from error


def _swapped(axes: str, i: int, j: int) -> str:
    letters = list(axes)
    letters[i], letters[j] = letters[j], letters[i]
    return "".join(letters)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"
