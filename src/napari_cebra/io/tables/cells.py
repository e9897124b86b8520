"""From cells of text to columns of numbers or words."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY = {
    "", "na", "n/a", "nan", "null", "none", "-", "#n/a", "#div/0!", "#value!", "#ref!",
    "#num!", "#name?", "#null!",
}  # fmt: skip
BLOCK = 20_000
"""Cells turned into numbers at once; other threads wait meanwhile."""
_FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_FRAME_COLUMNS = ("frame", "frame_index", "imaging_frame", "frames")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d")


def table_of_cells(
    file: str,
    rows: Sequence[Sequence[str]],
    decimal: str = ".",
    part: str = "",
    parts: tuple[str, ...] = (),
    notes: Sequence[str] = (),
) -> Table:
    """Build a table from rows of text, the first of which may be a header.

    Parameters
    ----------
    file : str
        Name of the file, for errors.
    rows : sequence of rows of str
        Cells without blanks around them.
    decimal : {".", ","}
        Sign before the fraction.
    part, parts, notes
        As in `Table`.

    Raises
    ------
    InvalidInput
        If there are no rows, they have unequal lengths, or a column of numbers
        has a word in it.
    """
    told = list(notes)
    names = _header(rows, told)
    first_line = 1 if names is None else 2
    if names is None:
        names = [f"column_{k}" for k in range(len(rows[0]))]
    else:
        rows = rows[1:]
    if not rows:
        raise InvalidInput(
            f"{file} has a header but no rows; choose a table with one row per frame."
        )
    for k, row in enumerate(rows):
        if len(row) != len(names):
            raise InvalidInput(
                f"Row {k + first_line} of {file} has {len(row)} cells but the "
                f"table has {len(names)} columns; mend that row."
            )
    columns = {
        name: _column(cells, decimal, name, file, first_line, told)
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }
    table = Table(file, columns, part=part, parts=parts, notes=tuple(told))
    return _in_frame_order(table).with_clock()


def table_of_numbers(
    file: str, header: Sequence[Sequence[str]], values: np.ndarray
) -> Table:
    """Build a table from (n, columns) numbers and the row above them, if any."""
    notes: list[str] = []
    names = _header(header, notes) if header else None
    if names is None:
        names = [f"column_{k}" for k in range(values.shape[1])]
    columns = dict(zip(names, values.T, strict=True))
    table = Table(file, columns, notes=tuple(notes))
    return _in_frame_order(table).with_clock()


def is_number(cell: str) -> bool:
    """Whether a cell is a number as Python writes it, without underscores."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _header(rows: Sequence[Sequence[str]], notes: list[str]) -> list[str] | None:
    first = rows[0]
    if all(is_number(c.replace(",", ".")) or c.lower() in EMPTY for c in first):
        return None
    names: list[str] = []
    for k, cell in enumerate(first):
        name = called = cell.lstrip("#").strip() or f"column_{k}"
        count = 1
        while name in names:
            count += 1
            name = f"{called}_{count}"
        if count > 1:
            notes.append(
                f"There are several columns {called!r}; this one is {name!r} here."
            )
        names.append(name)
    return names


def _column(
    cells: Sequence[str],
    decimal: str,
    name: str,
    file: str,
    first_line: int,
    notes: list[str],
) -> np.ndarray:
    quick = _plain_numbers(cells) if decimal == "." else None
    if quick is not None:
        return quick
    numbers = np.full(len(cells), np.nan)
    words: list[int] = []
    filled = 0
    for k, cell in enumerate(cells):
        low = cell.lower()
        if low in EMPTY:
            continue
        filled += 1
        plain = cell.replace(",", ".") if decimal == "," else cell
        if low in _FLAGS:
            numbers[k] = _FLAGS[low]
        elif is_number(plain):
            numbers[k] = float(plain)
        else:
            words.append(k)
    if not words:
        return numbers
    dates = _dates(cells, name, notes) if _DATE.search(cells[words[0]]) else None
    if dates is not None:
        return dates
    if len(words) < 0.5 * filled:
        raise InvalidInput(
            f"Column {name!r} of {file} holds numbers, but line "
            f"{words[0] + first_line} says {cells[words[0]]!r}; mend that cell or "
            "leave it empty."
        )
    if len(words) < filled:
        notes.append(
            f"Column {name!r} mixes words and numbers; all of it is taken as words."
        )
    return np.array(["" if c.lower() in EMPTY else c for c in cells], dtype=str)


def _plain_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Numbers where every cell is one or empty; the common case, done fast."""
    values = np.empty(len(cells))
    for start in range(0, len(cells), BLOCK):
        filled = [cell or "nan" for cell in cells[start : start + BLOCK]]
        if any("_" in cell for cell in filled):
            return None
        try:
            values[start : start + BLOCK] = np.array(filled, dtype=np.float64)
        except ValueError:
            return None
    return values


def _dates(cells: Sequence[str], name: str, notes: list[str]) -> np.ndarray | None:
    """Seconds from the first of a column of ISO dates or times of day."""
    try:
        moments = [
            None if c.lower() in EMPTY else datetime.fromisoformat(_iso(c))
            for c in cells
        ]
        first = next(moment for moment in moments if moment is not None)
        seconds = [
            np.nan if m is None else (m - first).total_seconds() for m in moments
        ]
    except (ValueError, TypeError):  # TypeError: with and without a time zone
        return None
    notes.append(f"Column {name!r} holds dates; it is taken as seconds since {first}.")
    return np.array(seconds)


def _iso(cell: str) -> str:
    # More than six digits of a second, as Bonsai writes, are cut by Python itself.
    return cell if "-" in cell[:8] else f"2000-01-01T{cell}"


def _in_frame_order(table: Table) -> Table:
    for name in table.names:
        if name.lower() not in _FRAME_COLUMNS:
            continue
        frames = table.columns[name]
        if frames.dtype.kind == "U" or np.all(np.diff(frames) > 0):
            return table
        order = np.argsort(frames, kind="stable")
        rises = np.diff(frames[order])
        # Only a column that numbers the rows is an order; another one is data.
        if np.all(rises == 1):
            return table.with_columns(
                {key: column[order] for key, column in table.columns.items()}
            )
        if np.all(rises >= 0) and np.any(rises == 0) and frames.size:
            twice = frames[order][np.flatnonzero(rises == 0)[0]]
            if np.unique(frames).size >= 0.9 * frames.size:
                raise InvalidInput(
                    f"{table.name} names frame {twice:g} twice in column {name!r}; "
                    "each imaging frame needs exactly one row."
                )
    return table
