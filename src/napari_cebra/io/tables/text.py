"""Cells of CSV and TSV files, in the ways loggers and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import re
from statistics import mode
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.cells import EMPTY, is_number
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 28
_LONG = 1 << 20  # characters
_MOST_HEADER = 4
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")  # 1.234.567,8


def read_text(path: Path) -> str:
    """Return what a text file says; its encoding and byte-order mark are recognised.

    Raises
    ------
    InvalidInput
        If the file is too large, cannot be read, or is not text.
    """
    return _decoded(_bytes(path), path.name)


def text_cells(text: str, name: str) -> tuple[list[list[str]], str]:
    """Return the rows of a CSV or TSV text, and its decimal sign.

    The separator (comma, semicolon, tab or blanks) and the decimal sign (point, or
    comma where the separator is another) are recognised; comments before the header
    are passed over.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for errors.

    Raises
    ------
    InvalidInput
        If the text is empty or badly quoted.
    """
    lines = _lines(text)
    if not lines:
        raise InvalidInput(f"{name} is empty; choose a table with a header line.")
    separator = _separator(lines)
    lines = _without_comments(lines, separator)
    if any(separator in line for line in lines):
        lines = [line for line in lines if line.strip(" ")]
    try:
        if separator == " ":
            rows = [line.split() for line in lines]
        else:
            source = io.StringIO("\n".join(lines))
            reader = csv.reader(
                source, delimiter=separator, strict=True, skipinitialspace=True
            )
            rows = [[cell.strip() for cell in row or [""]] for row in reader]
    except csv.Error as error:
        raise InvalidInput(
            f"{name} is not a table that can be read ({error}); save it as CSV."
        ) from error
    # A separator at the end of every line, as some loggers write, is no column.
    if len(rows[0]) > 1 and all(row and row[-1] == "" for row in rows):
        rows = [row[:-1] for row in rows]
    decimal = "." if separator == "," else decimal_sign(rows[1:])
    return (_ungrouped(rows), ",") if decimal == "," else (rows, ".")


def _lines(text: str) -> list[str]:
    """Lines without those that are blank at either end.

    A blank line between others is an empty cell where there is one column. One of
    tabs alone is a row.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    filled = [k for k, line in enumerate(lines) if line.strip(" ")]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def long_numbers(text: str) -> tuple[list[list[str]], np.ndarray] | None:
    """Read a long table of numbers without making a text of every cell.

    Returns
    -------
    (rows, values) or None
        The rows of the header, and (n, columns) numbers with NaN where empty. None
        where the table is short or anything about it is unusual: then it has to be
        read cell by cell, which also tells what is wrong with it.
    """
    import pandas as pd

    if len(text) < _LONG or '"' in text:
        return None
    start = text[:_LONG].splitlines(keepends=True)[:-1]
    separator = _separator([line for line in start if line.strip()])
    remarks = len(start) - len(_without_comments(start, separator))
    header: list[list[str]] = []
    for line in start[remarks : remarks + _MOST_HEADER]:
        cells = [cell.strip() for cell in line.split(separator)]
        if all(is_number(c.replace(",", ".")) or c.lower() in EMPTY for c in cells):
            break
        header.append(cells)
    body = text[sum(map(len, start[: remarks + len(header)])) :]
    width = start[-1].count(separator) + 1
    lines = body.count("\n") + (not body.endswith("\n"))
    usual = separator != " " and body.count(separator) == lines * (width - 1)
    if not usual or any(len(row) != width for row in header):
        return None
    decimal = "," if separator != "," and "," in start[-1] else "."
    try:
        frame = pd.read_csv(
            io.StringIO(body),
            sep=separator,
            decimal=decimal,
            header=None,
            dtype=np.float64,
            na_values=[*EMPTY, *map(str.upper, EMPTY)],
            skipinitialspace=True,
        )
    except ValueError:  # a word among the numbers
        return None
    values = frame.to_numpy()
    if values.shape != (lines, width) or np.isnan(values[:, -1]).all():
        return None
    return header, values


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise InvalidInput(
                f"{path.name} is a text file of {size / 1e6:.0f} MB, of which at most "
                f"{_LARGEST >> 20} MB are read; save the columns you need, or save it "
                "as npz or MAT."
            )
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{path.name} cannot be read ({error.strerror}); choose a CSV or TSV file."
        ) from error


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif len(data) >= 4 and len(data) % 2 == 0:  # the same without its mark
        start = data[:200]
        odd, even = set(start[1::2]), set(start[::2])
        if (odd == {0}) != (even == {0}):
            encoding = "utf-16-le" if odd == {0} else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise InvalidInput(
            f"{name} is not a text table but a binary file that is not known here; "
            "save it as CSV, Excel, MAT, npz or HDF5."
        )
    return text


def _separator(lines: list[str]) -> str:
    """Find the separator that cuts nearly all lines into the same number of cells."""
    probe = lines[-50:]  # not the first: remarks may come before the header
    best, most = ",", 0
    for separator in ("\t", ";", ",", " "):
        counts = [
            len(line.split()) - 1 if separator == " " else line.count(separator)
            for line in probe
        ]
        usual = mode(counts)
        if usual > most and counts.count(usual) >= 0.9 * len(counts):
            # A decimal comma beside semicolons or tabs must not win.
            if best in ("\t", ";") and most:
                continue
            best, most = separator, usual
    if not most:
        counted = {s: sum(line.count(s) for line in probe) for s in ("\t", ";", ",")}
        best = max(counted, key=lambda s: counted[s])
    return best


def _without_comments(lines: list[str], separator: str) -> list[str]:
    """Pass over lines of remarks; a header may begin with # as well."""
    width = mode(line.count(separator) for line in lines[-50:])
    start = 0
    while (
        start < len(lines) - 1
        and lines[start].lstrip()[:1] in ("#", "%")
        and (lines[start].count(separator) != width or lines[start + 1][:1] == "#")
    ):
        start += 1
    return lines[start:]


def decimal_sign(rows: list[list[str]]) -> str:
    """Return "," where all cells with a comma are numbers by it, else "."."""
    cells = [cell for row in rows[:200] for cell in row if "," in cell]
    commas = bool(cells) and all(
        is_number(cell.replace(",", ".")) or _GROUPED.fullmatch(cell) for cell in cells
    )
    return "," if commas else "."


def _ungrouped(rows: list[list[str]]) -> list[list[str]]:
    """Take the points out of 1.234,5 where the table groups thousands with them."""
    if not any("," in cell and _GROUPED.fullmatch(cell) for r in rows for cell in r):
        return rows
    return [
        [cell.replace(".", "") if _GROUPED.fullmatch(cell) else cell for cell in row]
        for row in rows
    ]
