"""Tables with one row per imaging frame, from CSV or TSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from napari_cebra.recording import InvalidInput, Variable
from napari_cebra.recording.variable import VariableKind

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_EMPTY = {"", "na", "n/a", "nan", "null", "none", "-", "#n/a"}
_FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_ANGLES = ("angle", "heading", "phase", "orientation", "azimuth", "theta")
_FRAME_COLUMNS = ("frame", "frame_index", "imaging_frame", "frames")


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    name : str
        File name, for errors.
    columns : mapping of str to (T,) array
        float64 with NaN where empty, or str for a column of words.
    """

    name: str
    columns: Mapping[str, np.ndarray]

    @property
    def n_rows(self) -> int:
        """Number of rows, T."""
        return len(next(iter(self.columns.values())))

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, as in the file."""
        return tuple(self.columns)

    def column(self, name: str) -> np.ndarray:
        """Return a column by name.

        Raises
        ------
        InvalidInput
            If there is none; the text lists those there are.
        """
        if name in self.columns:
            return self.columns[name]
        raise InvalidInput(
            f"{self.name} has no column {name!r}; it has {', '.join(self.names)}."
        )

    def check_length(self, n_frames: int, of: str = "the stack") -> None:
        """Refuse a table that does not have one row per imaging frame.

        Raises
        ------
        InvalidInput
            With both numbers, and the likely reason where one can be told.
        """
        if self.n_rows == n_frames:
            return
        off = self.n_rows - n_frames
        hint = (
            "a header line that looks like data, or a dropped frame, is the usual cause"
            if abs(off) == 1
            else "choose the table of this recording, or resample it to the frames"
        )
        raise InvalidInput(
            f"{self.name} has {self.n_rows} rows but {of} has {n_frames} frames; the "
            f"table needs one row per frame: {hint}."
        )

    def guess_kind(self, name: str) -> VariableKind:
        """Guess the kind of variable a column holds; shown and editable.

        Words, flags and a few repeated whole numbers are discrete; a name that
        speaks of an angle with values inside one turn is circular; all else is
        continuous.
        """
        values = self.column(name)
        if values.dtype.kind == "U":
            return "discrete"
        known = values[np.isfinite(values)]
        if known.size == 0:
            return "continuous"
        low, high = known.min(), known.max()
        named_angle = any(word in name.lower() for word in _ANGLES)
        if named_angle and high - low <= 360.5 and low >= -180.5 and high <= 360.5:
            return "circular"
        different = np.unique(known).size
        whole = np.all(known == np.round(known))
        if whole and low >= 0 and different <= min(20, max(2, known.size // 10)):
            return "discrete"
        return "continuous"

    def categories(self, name: str) -> tuple[str, ...]:
        """Names of the codes 0, 1, … of a column of words; else empty."""
        values = self.column(name)
        if values.dtype.kind != "U":
            return ()
        return tuple(np.unique(values[values != ""]).tolist())

    def variable(
        self,
        name: str,
        kind: VariableKind | None = None,
        units: str = "",
        period: float | None = None,
    ) -> Variable:
        """Return a column as a variable.

        Parameters
        ----------
        name : str
            Column.
        kind : str, optional
            Default as `guess_kind` says.
        units : str
            For axis labels; default from the name, as in ``speed (cm/s)``.
        period : float, optional
            Of a circular variable; default 2π if all values fit one turn in
            radians, else 360.

        Raises
        ------
        InvalidInput
            If there is no such column, it is empty, or the kind does not fit.
        """
        values = self.column(name)
        kind = self.guess_kind(name) if kind is None else kind
        if kind not in get_args(VariableKind):
            raise InvalidInput(
                f"Unknown kind {kind!r} for {name!r}; use continuous, circular or "
                "discrete."
            )
        if values.dtype.kind == "U":
            if kind != "discrete":
                raise InvalidInput(
                    f"Column {name!r} of {self.name} holds words "
                    f"(first: {next((v for v in values if v), '')!r}), so it can only "
                    "be discrete."
                )
            known = self.categories(name)
            codes = np.searchsorted(known, values)
            values = np.where(values == "", -1, codes)
        elif not np.isfinite(values).any():
            raise InvalidInput(
                f"Column {name!r} of {self.name} is empty; choose another one."
            )
        if kind == "circular" and period is None:
            low, high = np.nanmin(values), np.nanmax(values)
            period = 2 * np.pi if low >= -np.pi - 1e-3 and high <= 6.2842 else 360.0
        if not units and name.endswith(")") and "(" in name:
            units = name[name.rindex("(") + 1 : -1].strip()
        return Variable(name, values, kind, units, period)

    def shown(self, name: str) -> np.ndarray:
        """Return (T,) int64 movie frame on the screen, -1 where empty.

        Raises
        ------
        InvalidInput
            If a number is not whole or below -1.
        """
        shown = self._whole(name, "movie-frame numbers")
        if shown.min(initial=0) < -1:
            raise InvalidInput(
                f"Column {name!r} of {self.name} goes down to {int(shown.min())}; "
                "movie frames are numbered from 0, and -1 or an empty cell means none."
            )
        return shown

    def repeat(self, name: str) -> np.ndarray:
        """Return (T,) int64 number of the showing, -1 where empty."""
        return self._numbered(name, "repeat numbers")

    def trials(self, name: str) -> np.ndarray:
        """Return (T,) int64 trial of each row; words become numbers."""
        return self._numbered(name, "trial numbers")

    def valid(self, name: str) -> np.ndarray:
        """Return (T,) bool: rows with a true, yes or non-zero cell.

        Raises
        ------
        InvalidInput
            If it is a column of other words, or selects no row.
        """
        values = self.column(name)
        if values.dtype.kind == "U":
            raise InvalidInput(
                f"Column {name!r} of {self.name} cannot select rows: it holds words; "
                "use 0 and 1, or true and false."
            )
        chosen = np.nan_to_num(values) != 0
        if not chosen.any():
            raise InvalidInput(
                f"Column {name!r} of {self.name} selects no row at all; rows to use "
                "must hold 1 or true."
            )
        return chosen

    def frame_times(self, name: str) -> np.ndarray:
        """Return (T,) float64 seconds of each row.

        Raises
        ------
        InvalidInput
            If they do not rise from row to row.
        """
        times = self.column(name)
        if times.dtype.kind == "U" or not np.all(np.diff(times) > 0):
            raise InvalidInput(
                f"Column {name!r} of {self.name} is not a clock: its seconds must rise "
                "from row to row, without empty cells."
            )
        return times

    def _numbered(self, name: str, what: str) -> np.ndarray:
        values = self.column(name)
        if values.dtype.kind == "U":
            codes = np.searchsorted(self.categories(name), values)
            return np.where(values == "", -1, codes).astype(np.int64)
        return self._whole(name, what)

    def _whole(self, name: str, what: str) -> np.ndarray:
        values = self.column(name)
        if values.dtype.kind == "U":
            raise InvalidInput(
                f"Column {name!r} of {self.name} holds words, but {what} are expected; "
                "choose another column."
            )
        filled = np.where(np.isfinite(values), values, -1.0)
        if np.any(filled != np.round(filled)) or np.abs(filled).max() > 2**53:
            row = int(np.flatnonzero(filled != np.round(filled))[:1].sum())
            raise InvalidInput(
                f"Column {name!r} of {self.name} must hold whole numbers ({what}), but "
                f"row {row + 1} holds {values[row]:g}; choose another column."
            )
        return filled.astype(np.int64)


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
