"""Tables of events: when each began, how long it lasted, what it was."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.names import leaf, seconds_per_unit, without_unit
from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_cebra.recording.variable import VariableKind

SECONDS, FRAMES = "onsets in seconds", "onsets in frames"
_ONSET = re.compile(r"^(onset|start|begin|on)s?([_ ]?(time|frame))?s?$", re.I)
_OFFSET = re.compile(r"^(offset|stop|end|off)s?([_ ]?(time|frame))?s?$", re.I)
_DURATION = re.compile(r"^(duration|dur|length)s?([_ ]?frame)?s?$", re.I)
_TYPES = re.compile(
    r"^(trial_?type|event_?type|type|event|events|label|stimulus|stim|condition|name|"
    r"code|behaviou?r)$",
    re.I,
)
_IDS = re.compile(r"^(id|index|row|event_?id|trial_?id)$", re.I)
_MOST_TYPES = 64


@dataclass(frozen=True, eq=False)
class EventTable(Table):
    """A table whose rows are events; its columns are those it will have by frame.

    Each type of event is a column of its own, 1 while such an event lasts, so that
    events that overlap stay apart. Other columns hold the value of the event that
    began last of those that last.

    Parameters
    ----------
    onset, offset : (n,) float64
        Seconds, or frames from 0, at which each event begins and ends; the same
        for an event without a duration, which fills the frame it falls into.
    in_frames : bool
        Whether they count frames.
    """

    onset: np.ndarray = None  # type: ignore[assignment]
    offset: np.ndarray = None  # type: ignore[assignment]
    in_frames: bool = False

    @property
    def row_times(self) -> np.ndarray | None:
        """(n,) float64: the different onsets, in order; None where they are frames."""
        return None if self.in_frames else np.unique(self.onset)

    def check_length(self, n_frames: int, of: str = "the stack") -> None:
        """Accept any number of events."""

    def moved(self, to: Callable[[np.ndarray], np.ndarray]) -> EventTable:
        """Return the events in seconds on another clock, to which `to` leads."""
        return replace(
            self, onset=to(self.onset), offset=to(self.offset), in_frames=False
        )

    def on_frames(
        self, n_frames: int, frame_times: np.ndarray | None, of: str = "the stack"
    ) -> Table:
        """Return a table with one row per imaging frame.

        A frame belongs to an event if any part of it does: from the frame during
        which the event begins to the last that begins before it ends.

        Raises
        ------
        InvalidInput
            If seconds meet a recording of unknown rate, or no event falls into it.
        """
        if self.in_frames:
            edges = np.arange(n_frames + 1, dtype=np.float64)
        elif frame_times is None:
            raise InvalidInput(
                f"The events in {self.name} have times in seconds, but the frame rate "
                "of the recording is not known; enter it, or choose “onsets in frames”."
            )
        else:
            last = np.median(np.diff(frame_times)) if n_frames > 1 else 1.0
            edges = np.append(frame_times, frame_times[-1] + last)
        first = np.searchsorted(edges, self.onset, "right") - 1
        # Where frames were dropped, none is on during what follows the one before.
        reach = edges + 1.5 * np.median(np.diff(edges))
        dropped = (first >= 0) & (self.onset >= reach[first])
        first += dropped
        end = np.searchsorted(edges, self.offset, "left")
        end = np.where(dropped, end, np.maximum(end, first + 1))
        inside = (self.offset >= edges[0]) & (self.onset < edges[-1]) & (end > first)
        if not inside.any():
            unit = "frame" if self.in_frames else "second"
            raise InvalidInput(
                f"None of the {self.n_rows} events in {self.name} falls into {of}, "
                f"which goes from {unit} {edges[0]:g} to {edges[-1]:g} while they "
                f"begin from {self.onset.min():g} to {self.onset.max():g}; choose the "
                "events of this recording, or the other unit of their onsets."
            )
        notes = list(self.notes)
        if not inside.all():
            outside = int((~inside).sum())
            notes.append(
                f"{outside} events outside the recording, or between frames that were "
                "dropped, were left out."
            )
        begun = np.argsort(self.onset, kind="stable")
        spans = [
            (k, max(first[k], 0), min(end[k], n_frames)) for k in begun if inside[k]
        ]
        columns = {}
        for name, values in self.columns.items():
            indicator = values.dtype == bool
            filled = np.full(n_frames, 0.0 if indicator else np.nan)
            if values.dtype.kind == "U":
                filled = np.full(n_frames, "", dtype=values.dtype)
            for k, start, stop in spans:
                if not indicator or values[k]:
                    filled[start:stop] = values[k]
            columns[name] = filled
        return Table(
            self.name, columns, kinds=self.kinds, units=self.units, part=self.part,
            parts=self.parts, notes=tuple(notes),
        )  # fmt: skip


def is_event_table(table: Table) -> bool:
    """Whether the columns name an onset, and a duration, an end or a type."""
    onset = _find(table, _ONSET)
    if onset is None or table.columns[onset].dtype.kind == "U":
        return False
    if 2 * np.unique(table.columns[onset]).size < table.n_rows:
        return False  # flags, row by row
    return any(_find(table, p) is not None for p in (_OFFSET, _DURATION, _TYPES))


def as_events(
    table: Table, part: str | None = None, called: str = "event"
) -> EventTable:
    """Return a table of events by what its columns are called.

    Parameters
    ----------
    table : Table
        With a column for the onset, as `is_event_table` finds it.
    part : {"onsets in seconds", "onsets in frames"}, optional
        Default: frames where the name of the column says so.
    called : str
        Of the variable that is 1 during an event, where there are no types.

    Raises
    ------
    InvalidInput
        If an onset is missing, an event ends before it begins, or there are too
        many types.
    """
    onset_name = _find(table, _ONSET)
    assert onset_name is not None
    parts = (SECONDS, FRAMES)
    if part is not None and part not in parts:
        raise InvalidInput(
            f"{table.name} holds events; choose {SECONDS!r} or {FRAMES!r}, not "
            f"{part!r}."
        )
    in_frames = "frame" in onset_name.lower() if part is None else part == FRAMES
    offset_name, duration_name = _find(table, _OFFSET), _find(table, _DURATION)
    onset = _times(table, onset_name, in_frames)
    unknown = np.flatnonzero(~np.isfinite(onset))
    if unknown.size:
        raise InvalidInput(
            f"Event {unknown[0] + 1} in {table.name} has no onset; enter it, or remove "
            "the row."
        )
    offset = onset.copy()
    if duration_name is not None:
        offset = onset + np.nan_to_num(_times(table, duration_name, in_frames))
    elif offset_name is not None:
        ends = _times(table, offset_name, in_frames)
        offset = np.where(np.isfinite(ends), ends, onset)
    wrong = np.flatnonzero(offset < onset)
    if wrong.size:
        k = wrong[0]
        raise InvalidInput(
            f"Event {k + 1} in {table.name} ends at {offset[k]:g}, before it begins at "
            f"{onset[k]:g}; mend that row."
        )
    types_name = _find(table, _TYPES)
    used = {onset_name, offset_name, duration_name, types_name}
    columns, kinds = _indicators(table, types_name, called)
    for name, values in table.columns.items():
        if name not in used and name not in columns and not _IDS.match(leaf(name)):
            columns[name] = values
            kinds[name] = table.guess_kind(name)
    unit = "frames" if in_frames else "seconds"
    return EventTable(
        table.name,
        columns,
        kinds=kinds,
        units=table.units,
        part=FRAMES if in_frames else SECONDS,
        parts=parts,
        notes=(
            *table.notes,
            f"{table.n_rows} events with {unit} in {onset_name!r}; each type is a "
            "variable that is 1 while it lasts.",
        ),
        onset=onset,
        offset=offset,
        in_frames=in_frames,
    )


def _find(table: Table, pattern: re.Pattern[str]) -> str | None:
    return next((n for n in table.names if pattern.match(leaf(n))), None)


def _times(table: Table, name: str, in_frames: bool) -> np.ndarray:
    values = table.columns[name]
    if values.dtype.kind == "U":
        raise InvalidInput(
            f"Column {name!r} of {table.name} holds words, but times of events are "
            "expected; mend it, or rename the column."
        )
    return values if in_frames else values * seconds_per_unit(name)


def _indicators(
    table: Table, types_name: str | None, called: str
) -> tuple[dict[str, np.ndarray], dict[str, VariableKind]]:
    """One column of flags per type of event."""
    if types_name is None:
        every: Mapping[str, np.ndarray] = {called: np.ones(table.n_rows, bool)}
    else:
        values = table.columns[types_name]
        if values.dtype.kind == "U":
            types = [t for t in dict.fromkeys(values.tolist()) if t]
            every = {t: values == t for t in sorted(types)}
        else:
            known = np.unique(values[np.isfinite(values)])
            stem = without_unit(types_name)
            every = {f"{stem} {code:g}": values == code for code in known}
    if len(every) > _MOST_TYPES:
        raise InvalidInput(
            f"Column {types_name!r} of {table.name} names {len(every)} types of "
            f"events, more than the {_MOST_TYPES} that can each be a variable; rename "
            "it if it is not the type."
        )
    return dict(every), dict.fromkeys(every, "discrete")
