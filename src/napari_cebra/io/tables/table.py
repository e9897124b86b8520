"""Named columns of equal length, and what each of them can stand for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from napari_cebra.io.tables.angles import period_of
from napari_cebra.io.tables.clock import not_a_clock
from napari_cebra.io.tables.names import is_clock, seconds_per_unit, unit_in
from napari_cebra.recording import InvalidInput, Variable
from napari_cebra.recording.variable import VariableKind

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    name : str
        File name, for errors.
    columns : mapping of str to (T,) array
        float64 with NaN where empty, or str for a column of words.
    times : (T,) float64, optional
        Seconds of each row, rising, on the clock of the file; None where the file
        has no clock, and its rows are those of the imaging frames.
    measured : mapping of str to (T,) bool
        For the columns in which values were filled in or set aside: false where
        the value was not measured. What is there instead is in `columns`, NaN
        where nothing may be used. Columns that are not named are as measured.
    kinds : mapping of str to str
        Kind of the columns for which the file tells it.
    units : mapping of str to str
        Units the file states.
    part, parts : str, tuple of str
        Sheet, struct or object that was read, and all there are to choose from.
    notes : tuple of str
        What was assumed or left out, in sentences.
    """

    name: str
    columns: Mapping[str, np.ndarray]
    times: np.ndarray | None = None
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)
    kinds: Mapping[str, VariableKind] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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

    def with_columns(self, columns: Mapping[str, np.ndarray]) -> Table:
        """Return the table with other values; what is known of them is kept."""
        return replace(self, columns=columns)

    def with_clock(self) -> Table:
        """Return the table with the times of its rows, if a column is a clock.

        The first column that is called one and rises from row to row is taken; one
        that is called so and does not rise is named in the notes, with the row.
        """
        notes = list(self.notes)
        for name, values in self.columns.items():
            if not is_clock(name) or values.dtype.kind == "U":
                continue
            wrong = not_a_clock(values)
            if not wrong:
                times = values * seconds_per_unit(name)
                return replace(self, times=times, notes=tuple(notes))
            notes.append(
                f"Column {name!r} is not used as the clock of the rows: {wrong}."
            )
        return replace(self, notes=tuple(notes))

    def on_frames(
        self, n_frames: int, frame_times: np.ndarray | None, of: str = "the stack"
    ) -> Table:
        """Return the table with one row per imaging frame; this one has them.

        Raises
        ------
        InvalidInput
            If it does not.
        """
        self.check_length(n_frames, of)
        return self

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
            else "choose the table of this recording, or align its clock (--align, in "
            "the window the Align step)"
        )
        raise InvalidInput(
            f"{self.name} has {self.n_rows} rows but {of} has {n_frames} frames; the "
            f"table needs one row per frame: {hint}."
        )

    def guess_kind(self, name: str) -> VariableKind:
        """Guess the kind of variable a column holds; shown and editable.

        Words, flags and a few repeated whole numbers are discrete; values that
        jump by a turn and are called an angle, or wrap as one does, are
        circular; all else is continuous.
        """
        values = self.column(name)
        if name in self.kinds:
            return self.kinds[name]
        if values.dtype.kind == "U":
            return "discrete"
        if self.guess_period(name) is not None:
            return "circular"
        known = values[np.isfinite(values)]
        different = np.unique(known).size
        whole = np.all(known == np.round(known))
        few = different <= min(20, max(2, known.size // 10))
        if known.size and whole and known.min() >= 0 and few:
            return "discrete"
        return "continuous"

    def guess_period(self, name: str) -> float | None:
        """Return the length of a turn of a column that looks circular, else None."""
        values = self.column(name)
        if values.dtype.kind == "U":
            return None
        unit = self.units.get(name) or unit_in(name)
        return period_of(values[np.isfinite(values)], name, unit)

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
            Of a circular variable; default as `guess_period` says, else 2π if all
            values fit one turn in radians, else 360.

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
            period = self.guess_period(name)
        if kind == "circular" and period is None:
            low, high = np.nanmin(values), np.nanmax(values)
            period = 2 * np.pi if low >= -np.pi - 1e-3 and high <= 6.2842 else 360.0
        units = units or self.units.get(name) or unit_in(name)
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

    @property
    def row_times(self) -> np.ndarray | None:
        """(n,) float64 seconds at which the rows were; None without a clock."""
        return self.times

    def seconds(self, name: str, per_second: float = 1.0) -> np.ndarray:
        """Return a column of numbers in seconds.

        Its unit is the one its name states, as in "time_ms", unless `per_second`
        says another than seconds.
        """
        values = self.column(name)
        if per_second != 1:
            return values / per_second
        return values * seconds_per_unit(name)

    def frame_times(self, name: str, per_second: float = 1.0) -> np.ndarray:
        """Return (T,) float64 seconds of each row, as `seconds` says.

        Raises
        ------
        InvalidInput
            If they do not rise from row to row; the text names the row.
        """
        times = self.column(name)
        wrong = "it holds words" if times.dtype.kind == "U" else not_a_clock(times)
        if wrong:
            raise InvalidInput(
                f"Column {name!r} of {self.name} is not a clock: {wrong}, but its "
                "seconds must rise from row to row; choose another column or none."
            )
        return self.seconds(name, per_second)

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
