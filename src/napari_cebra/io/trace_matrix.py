"""Traces alone: a (T, N) matrix from npy, npz, CSV, TSV, MAT or HDF5."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.damage import open_npy, open_npz, reading
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.tables import read_table
from napari_cebra.io.tables.matlab import mat5_arrays
from napari_cebra.recording import InvalidInput, Traces

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_cebra.recording.traces import TraceKind

_PREFERRED = ("traces", "dff", "df_f", "f_dff", "values", "activity", "data", "f", "x")
_CLOCKS = ("time_s", "frame_times", "timestamps", "time", "times", "t", "seconds")
_RATES = ("rate_hz", "rate", "fs", "fps", "frame_rate", "sampling_rate")
_INDICES = ("frame", "frames", "frame_index", "index")


@dataclass(frozen=True, eq=False)
class TraceMatrix:
    """Traces as a file holds them, with its clock where it has one.

    Parameters
    ----------
    traces : Traces
        (T, N).
    frame_times : (T,) float64 or None
        Seconds of each row.
    names : tuple of str
        Column names where the file has them, else empty.
    key : str
        Array or data set they come from.
    keys : tuple of str
        All arrays of the file that could be traces.
    source : SourceFile
        The file.
    notes : tuple of str
        What was assumed, in sentences.
    """

    traces: Traces
    frame_times: np.ndarray | None
    names: tuple[str, ...]
    key: str
    keys: tuple[str, ...]
    source: SourceFile
    notes: tuple[str, ...] = ()


@dataclass
class _Content:
    """Arrays of a file by name; `time_axis` where the format fixes it."""

    arrays: dict[str, np.ndarray]
    beside: dict[str, np.ndarray] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    time_axis: int | None = None


def read_traces(
    path: str | os.PathLike[str],
    key: str | None = None,
    time_axis: int | None = None,
    rate: float | None = None,
    kind: TraceKind = "dff",
) -> Traces:
    """Read a trace matrix; see `read_trace_matrix`, which also gives the clock."""
    return read_trace_matrix(path, key, time_axis, rate, kind).traces


def read_trace_matrix(
    path: str | os.PathLike[str],
    key: str | None = None,
    time_axis: int | None = None,
    rate: float | None = None,
    kind: TraceKind = "dff",
) -> TraceMatrix:
    """Read a trace matrix and what the file says about its clock.

    Parameters
    ----------
    path : path
        npy, npz, CSV, TSV, MAT or HDF5.
    key : str, optional
        Array or data set; default one with a telling name, else the only or
        largest matrix.
    time_axis : {0, 1}, optional
        Default: the axis as long as the file's clock; rows in a table with a
        header; else the longer axis, which is then said in `notes`.
    rate : float, optional
        Frames per second; default from the file.
    kind : str
        What the values are.

    Raises
    ------
    InvalidInput
        If there is no numeric matrix, or it holds NaN (the text names the
        column).
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}; choose the traces again.")
    content = _content(path)
    name = _choose(content.arrays, key, path.name)
    matrix = content.arrays[name]
    notes: list[str] = []
    clock = _clock(content.beside)
    if time_axis is None:
        time_axis = content.time_axis
    if time_axis is None:
        time_axis = _time_axis(matrix, clock, notes)
    if time_axis not in (0, 1):
        raise InvalidInput(f"The time axis must be 0 (rows) or 1, not {time_axis}.")
    if time_axis == 1:
        matrix = matrix.T
    names = content.names if len(content.names) == matrix.shape[1] else ()
    _refuse_gaps(matrix, names, path.name)
    if clock is not None and clock.size != matrix.shape[0]:
        clock = None
    if rate is None:
        rate = _rate(content.beside, clock)
    made_by = {"step": "read_traces", "file": path.name, "key": name}
    traces = Traces(matrix, kind, rate, made_by)
    return TraceMatrix(
        traces,
        clock,
        names,
        name,
        tuple(content.arrays),
        SourceFile.of(path),
        tuple(notes),
    )


def _content(path: Path) -> _Content:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _from_table(path)
    if suffix == ".npy":
        array = open_npy(path)
        return _Content({"": array} if _is_matrix(array) else {})
    with reading(path.name, "a trace matrix", "save it again as plain numbers"):
        if suffix == ".npz":
            return _from_npz(path)
        if suffix == ".mat" and not _is_hdf5(path):
            return _sorted(mat5_arrays(path)[0])
        if suffix in (".h5", ".hdf5", ".hdf", ".nwb", ".mat"):
            return _from_hdf5(path)
    raise InvalidInput(
        f"{path.name} is not a trace matrix that can be read; choose npy, npz, CSV, "
        "TSV, MAT or HDF5."
    )


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _sorted(arrays: Mapping[str, np.ndarray]) -> _Content:
    """Matrices, and what lies beside them."""
    content = _Content({})
    for name, array in arrays.items():
        if _is_matrix(array):
            content.arrays[name] = array
        elif array.ndim <= 1:
            content.beside[name] = array
    return content


def _is_matrix(array: Any) -> bool:
    return array.ndim == 2 and array.dtype.kind in "iufb" and array.size > 0


def _from_npz(path: Path) -> _Content:
    with open_npz(path) as stored:
        return _sorted({name: stored[name] for name in stored.files})


def _from_hdf5(path: Path) -> _Content:
    import h5py

    content = _Content({})

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.dtype.kind not in "iufb" or not holds_what_it_announces(item):
            return
        if item.ndim == 2 and item.size > 1 and min(item.shape) == 1:
            content.beside[name] = item[()].ravel()
        elif _is_matrix(item):
            content.arrays[name] = item
        elif item.ndim <= 1:
            content.beside[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        for key in _RATES:
            if key in file.attrs:
                content.beside[key] = np.asarray(file.attrs[key])
        content.arrays = {name: item[()] for name, item in content.arrays.items()}
    return content


def _from_table(path: Path) -> _Content:
    table = read_table(path)
    numeric = {n: v for n, v in table.columns.items() if v.dtype.kind != "U"}
    words = [n for n in table.names if n not in numeric]
    if words:
        raise InvalidInput(
            f"Column {words[0]!r} of {path.name} holds words; a trace matrix needs "
            "numbers in every column."
        )
    beside = {n: v for n, v in numeric.items() if n.lower() in (*_CLOCKS, *_INDICES)}
    columns = {n: v for n, v in numeric.items() if n not in beside}
    if not columns:
        raise InvalidInput(f"{path.name} has no column of traces; choose another file.")
    matrix = np.stack(list(columns.values()), axis=1)
    headed = not all(name.startswith("column_") for name in table.names)
    return _Content({"": matrix}, beside, tuple(columns), 0 if headed else None)


def _choose(arrays: Mapping[str, np.ndarray], key: str | None, file: str) -> str:
    if not arrays:
        raise InvalidInput(
            f"{file} holds no numeric matrix (time × ROIs); choose another file."
        )
    if key is not None:
        if key in arrays:
            return key
        raise InvalidInput(
            f"{file} holds no matrix {key!r}; it has {', '.join(map(repr, arrays))}."
        )
    for wanted in _PREFERRED:
        for name in arrays:
            if name.rpartition("/")[2].lower() == wanted:
                return name
    return max(arrays, key=lambda name: arrays[name].size)


def _clock(beside: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for wanted in _CLOCKS:
        for name, values in beside.items():
            if name.rpartition("/")[2].lower() != wanted or values.ndim != 1:
                continue
            if values.dtype.kind in "iuf" and values.size > 1:
                times = values.astype(np.float64)
                if np.all(np.diff(times) > 0):
                    return times
    return None


def _rate(beside: Mapping[str, np.ndarray], clock: np.ndarray | None) -> float | None:
    for wanted in _RATES:
        for name, values in beside.items():
            if name.rpartition("/")[2].lower() == wanted and values.size == 1:
                rate = float(values.reshape(())) if values.dtype.kind in "iuf" else 0.0
                if np.isfinite(rate) and rate > 0:
                    return rate
    return None if clock is None else float(1 / np.median(np.diff(clock)))


def _time_axis(matrix: np.ndarray, clock: np.ndarray | None, notes: list[str]) -> int:
    rows, columns = matrix.shape
    if clock is not None and rows != columns and clock.size in (rows, columns):
        return 0 if clock.size == rows else 1
    axis = 0 if rows >= columns else 1
    reason = "because it is the longer one" if rows != columns else "unless you say so"
    notes.append(
        f"The matrix is {rows}×{columns}; its {('rows', 'columns')[axis]} are taken as "
        f"time points {reason}."
    )
    return axis


def _refuse_gaps(matrix: np.ndarray, names: tuple[str, ...], file: str) -> None:
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=0))
    if not bad.size:
        return
    column = int(bad[0])
    row = int(np.flatnonzero(~np.isfinite(matrix[:, column]))[0])
    called = f" ({names[column]!r})" if names else ""
    raise InvalidInput(
        f"{bad.size} of {matrix.shape[1]} traces in {file} hold NaN or infinity "
        f"(first: column {column}{called} at time point {row}); remove those columns "
        "or mend the file, and load it again."
    )
