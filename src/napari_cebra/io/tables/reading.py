"""From a file to a table, whatever wrote it: the one place that tells formats apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.damage import reading
from napari_cebra.io.tables import deeplabcut
from napari_cebra.io.tables.arrays import table_of_arrays
from napari_cebra.io.tables.cells import table_of_cells, table_of_numbers
from napari_cebra.io.tables.events import as_events, is_event_table
from napari_cebra.io.tables.excel import OLD_EXCEL, excel_cells, is_excel
from napari_cebra.io.tables.hdf5 import hdf5_arrays
from napari_cebra.io.tables.matlab import mat5_arrays, mat73_arrays
from napari_cebra.io.tables.numpy_files import npy_arrays, npz_arrays
from napari_cebra.io.tables.nwb import nwb_table
from napari_cebra.io.tables.pandas_frames import pandas_group, read_frame
from napari_cebra.io.tables.text import (
    decimal_sign,
    long_numbers,
    read_text,
    text_cells,
)
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_cebra.io.tables.table import Table

_MAT5 = b"MATLAB 5.0 MAT-file"


def read_table(
    path: str | os.PathLike[str],
    part: str | None = None,
    likelihood: float = deeplabcut.LIKELIHOOD,
    longest_gap: int = deeplabcut.LONGEST_GAP,
) -> Table:
    """Read what was shown and done, from any file that holds it.

    Known by their content are CSV, TSV, Excel, MAT (version 5 and 7.3), npz, npy,
    HDF5 (also as pandas writes it), NWB, poses of DeepLabCut (CSV and HDF5), and
    tables of events, whose rows have an onset. If a text table or a sheet has a
    ``frame`` column, the rows are put in its order, and it must name each once.

    Parameters
    ----------
    path : path
    part : str, optional
        Sheet, group of arrays of one length, clock or table of intervals, or the
        unit of onsets, where a file holds several: one of ``Table.parts``.
    likelihood : float
        Of poses: positions less likely are not used.
    longest_gap : int
        Of poses: gaps of at most so many rows are filled in by straight lines.

    Returns
    -------
    Table
        An `EventTable` where the rows are events.

    Raises
    ------
    InvalidInput
        If the file is none of these, damaged, empty, or has no such part.
    """
    path = Path(path)
    if not 0 <= likelihood <= 1:
        raise InvalidInput(
            f"The likelihood below which a position is not used must be between 0 and "
            f"1, not {likelihood:g}."
        )
    if longest_gap < 0:
        raise InvalidInput(
            f"The longest gap to fill in must be 0 rows or more, not {longest_gap}."
        )
    start = _start_of(path)
    if start[:4] == b"PK\x03\x04":
        with reading(path.name, "an Excel workbook or npz", "save it again"):
            excel = is_excel(path)
        if excel:
            rows, sheet, sheets = excel_cells(path, part)
            table = _of_cells(path, rows, likelihood, longest_gap)
            return replace(table, part=sheet, parts=sheets)
        return _of_arrays(path, *npz_arrays(path), part)
    if start[:6] == b"\x93NUMPY":
        return _of_arrays(path, npy_arrays(path), [], part)
    if start[: len(_MAT5)] == _MAT5 or _is_mat5(start):
        return _of_arrays(path, *mat5_arrays(path), part)
    if b"\x89HDF\r\n\x1a\n" in (start[:8], start[512:520]):
        return _of_hdf5(path, part, likelihood, longest_gap)
    _refuse_others(path, start)
    return _of_text(path, part, likelihood, longest_gap)


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(1024)
    except OSError as error:
        raise InvalidInput(
            f"{path.name} cannot be read ({error.strerror}); choose a table."
        ) from error


def _is_mat5(start: bytes) -> bool:
    # The text of the header is free; the mark of the byte order is not.
    return start[124:128] in (b"\x00\x01IM", b"\x01\x00MI") and start[:6] == b"MATLAB"


def _refuse_others(path: Path, start: bytes) -> None:
    if start[:8] == OLD_EXCEL:
        raise InvalidInput(
            f"{path.name} is a workbook of Excel 97-2003 or locked by a password; save "
            "it as .xlsx without a password."
        )
    if path.suffix.lower() in (".pkl", ".pickle") or start[:2] in (
        b"\x80\x03", b"\x80\x04", b"\x80\x05",
    ):  # fmt: skip
        raise InvalidInput(
            f"{path.name} is a pickle of Python, which can run anything when it is "
            "opened; save it as CSV or npz instead."
        )
    if path.suffix.lower() == ".mat":
        raise InvalidInput(
            f"{path.name} is not a MAT-file of version 5 or 7.3; save it in MATLAB "
            "with save(..., '-v7')."
        )


def _of_text(
    path: Path, part: str | None, likelihood: float, longest_gap: int
) -> Table:
    text = read_text(path)
    found = long_numbers(text)
    if found is not None:
        header, values = found
        if deeplabcut.is_deeplabcut_csv(header):
            labels = deeplabcut.header_labels(header)
            return deeplabcut.poses(
                path.name, labels, values[:, 1:], likelihood, longest_gap
            )
        if len(header) <= 1:
            return _whole(table_of_numbers(path.name, header, values), part)
    rows, decimal = text_cells(text, path.name)
    return _of_cells(path, rows, likelihood, longest_gap, decimal, part)


def _of_cells(
    path: Path,
    rows: list[list[str]],
    likelihood: float,
    longest_gap: int,
    decimal: str | None = None,
    part: str | None = None,
) -> Table:
    if deeplabcut.is_deeplabcut_csv(rows):
        return deeplabcut.deeplabcut_of_cells(path.name, rows, likelihood, longest_gap)
    if decimal is None:
        decimal = decimal_sign(rows[1:])
    return _whole(table_of_cells(path.name, rows, decimal), part)


def _whole(table: Table, part: str | None) -> Table:
    """Return a table that is all its file holds, or its rows as events."""
    if is_event_table(table):
        return as_events(table, part)
    if part is not None:
        raise InvalidInput(f"{table.name} has one part only, and none called {part!r}.")
    return table


def _of_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], notes: list[str], part: str | None
) -> Table:
    table = table_of_arrays(path.name, arrays, part, notes)
    if not is_event_table(table):
        return table
    events = as_events(table)
    return replace(events, part=table.part, parts=table.parts)


def _of_hdf5(
    path: Path, part: str | None, likelihood: float, longest_gap: int
) -> Table:
    import h5py

    with reading(path.name, "HDF5", "save it again"):
        with h5py.File(path, "r") as file:
            if "nwb_version" in file.attrs:
                return nwb_table(path.name, file, part)
            group = pandas_group(file)
            if group is not None:
                frame = read_frame(group)
                labels = [label for label, _ in frame]
                if deeplabcut.is_pose(labels):
                    values = np.stack([column for _, column in frame], axis=1)
                    return deeplabcut.poses(
                        path.name, labels, values, likelihood, longest_gap
                    )
                arrays = {".".join(label): column for label, column in frame}
                return _of_arrays(path, arrays, [], part)
            if any("MATLAB_class" in item.attrs for item in file.values()):
                return _of_arrays(path, *mat73_arrays(file), part)
            return _of_arrays(path, hdf5_arrays(file), [], part)
