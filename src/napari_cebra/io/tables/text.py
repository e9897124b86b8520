"""CSV and TSV tables, in the ways loggers and spreadsheets write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os

_EMPTY = {"", "na", "n/a", "nan", "null", "none", "-", "#n/a"}
_FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_FRAME_COLUMNS = ("frame", "frame_index", "imaging_frame", "frames")


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a CSV or TSV file with one row per imaging frame.

    The separator (comma, semicolon, tab or blanks), the decimal sign (point, or
    comma where the separator is another), a byte-order mark and a missing header
    are recognised; empty cells become NaN. If there is a ``frame`` column, the
    rows are put in its order, and it must name each frame once.

    Raises
    ------
    InvalidInput
        If the file is empty, not text, its rows have unequal lengths, or a
        column mixes words and numbers.
    """
    path = Path(path)
    rows, decimal = _cells(path)
    header = _header(rows)
    if header is None:
        names = [f"column_{k}" for k in range(len(rows[0]))]
        first_line = 1
    else:
        names, rows, first_line = header, rows[1:], 2
    if not rows:
        raise InvalidInput(
            f"{path.name} has a header but no rows; choose a table with one row per "
            "frame."
        )
    for k, row in enumerate(rows):
        if len(row) != len(names):
            raise InvalidInput(
                f"Row {k + first_line} of {path.name} has {len(row)} cells but the "
                f"table has {len(names)} columns; mend that row."
            )
    columns = {
        name: _column([row[k] for row in rows], decimal, name, path.name, first_line)
        for k, name in enumerate(names)
    }
    return _in_frame_order(Table(path.name, columns))


def _cells(path: Path) -> tuple[list[list[str]], str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path.name} cannot be read ({error.strerror}); choose a CSV or TSV file."
        ) from error
    text = _decoded(data, path.name)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidInput(f"{path.name} is empty; choose a table with a header line.")
    separator = _separator(lines)
    source = io.StringIO("\n".join(lines))
    try:
        if separator == " ":
            rows = [line.split() for line in lines]
        else:
            rows = list(
                csv.reader(
                    source, delimiter=separator, strict=True, skipinitialspace=True
                )
            )
    except csv.Error as error:
        raise InvalidInput(
            f"{path.name} is not a table that can be read ({error}); save it as CSV."
        ) from error
    rows = [[cell.strip() for cell in row] for row in rows]
    # A separator at the end of every line, as some loggers write, is no column.
    if len(rows[0]) > 1 and all(row and row[-1] == "" for row in rows):
        rows = [row[:-1] for row in rows]
    decimal = "," if separator != "," and _decimal_comma(rows[1:]) else "."
    return rows, decimal


def _decoded(data: bytes, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise InvalidInput(
            f"{name} is not a text table but a binary file; save it as CSV or TSV."
        )
    return text


def _separator(lines: list[str]) -> str:
    """Find the separator that cuts the first lines into the same number of cells."""
    probe = lines[:50]
    best, most = ",", 0
    for separator in ("\t", ";", ",", " "):
        counts = [
            len(line.split()) - 1 if separator == " " else line.count(separator)
            for line in probe
        ]
        if min(counts) > 0 and len(set(counts)) == 1 and counts[0] > most:
            # A decimal comma beside semicolons or tabs must not win.
            if best in ("\t", ";") and most:
                continue
            best, most = separator, counts[0]
    if not most:
        counted = {s: lines[0].count(s) for s in ("\t", ";", ",")}
        best = max(counted, key=lambda s: counted[s])
    return best


def _decimal_comma(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows[:200] for cell in row if cell]
    commas = [c for c in cells if c.count(",") == 1 and "." not in c]
    return bool(commas) and all(_is_number(c.replace(",", ".")) for c in commas)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _header(rows: list[list[str]]) -> list[str] | None:
    first = rows[0]
    blank = [c.lower() in _EMPTY for c in first]
    if all(
        _is_number(c.replace(",", ".")) or b for c, b in zip(first, blank, strict=True)
    ):
        return None
    names: list[str] = []
    for k, cell in enumerate(first):
        name = cell.lstrip("#").strip() or f"column_{k}"
        while name in names:
            name += "_"
        names.append(name)
    return names


def _column(
    cells: list[str], decimal: str, name: str, table: str, first_line: int
) -> np.ndarray:
    numbers = np.full(len(cells), np.nan)
    words = 0
    first_word = 0
    for k, cell in enumerate(cells):
        low = cell.lower()
        if low in _EMPTY:
            continue
        plain = cell.replace(",", ".") if decimal == "," else cell
        if low in _FLAGS:
            numbers[k] = _FLAGS[low]
        elif _is_number(plain):
            numbers[k] = float(plain)
        else:
            first_word = first_word if words else k
            words += 1
    if not words:
        return numbers
    filled = sum(cell.lower() not in _EMPTY for cell in cells)
    if words < 0.5 * filled:
        raise InvalidInput(
            f"Column {name!r} of {table} holds numbers, but line "
            f"{first_word + first_line} says {cells[first_word]!r}; mend that cell or "
            "leave it empty."
        )
    return np.array(["" if c.lower() in _EMPTY else c for c in cells], dtype=str)


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
            return Table(
                table.name, {key: col[order] for key, col in table.columns.items()}
            )
        if np.all(rises >= 0) and np.any(rises == 0) and frames.size:
            twice = frames[order][np.flatnonzero(rises == 0)[0]]
            if np.unique(frames).size >= 0.9 * frames.size:
                raise InvalidInput(
                    f"{table.name} names frame {twice:g} twice in column {name!r}; "
                    "each imaging frame needs exactly one row."
                )
    return table
