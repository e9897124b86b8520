"""Behaviour in NWB files: series with their clocks, and tables of intervals.

Layout: the schema of Neurodata Without Borders 2 (``nwb.base.yaml``,
``nwb.behavior.yaml``, ``nwb.epoch.yaml``). A ``TimeSeries`` (``SpatialSeries``, …) has
``data`` (time first) with ``unit``, ``conversion`` and ``offset``, and ``timestamps``,
or a ``starting_time`` with a ``rate``. An ``IntervalSeries`` marks beginnings by
positive and ends by negative numbers. ``TimeIntervals`` (trials, epochs) and
``EventsTable`` have a column per property.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.roi_file import stored
from napari_cebra.io.tables.arrays import MOST_COLUMNS
from napari_cebra.io.tables.clock import not_a_clock
from napari_cebra.io.tables.events import EventTable, as_events
from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.recording.variable import VariableKind

_NO_BEHAVIOUR = (
    "TwoPhotonSeries", "OnePhotonSeries", "ImageSeries", "ImageMaskSeries",
    "OpticalSeries", "RoiResponseSeries", "ElectricalSeries", "SpikeEventSeries",
    "PatchClampSeries", "CurrentClampSeries", "VoltageClampSeries",
)  # fmt: skip
_TABLES = ("TimeIntervals", "EventsTable")
_UNITS = {
    "meters": "m", "meter": "m", "metres": "m", "centimeters": "cm", "degrees": "deg",
    "radians": "rad", "radian": "rad", "seconds": "s", "pixels": "px", "volts": "V",
    "meters/second": "m/s", "n/a": "", "n.a.": "", "unknown": "", "no unit": "",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Series:
    """One series of numbers, with the times of its rows."""

    path: str
    values: np.ndarray
    times: np.ndarray
    unit: str
    kind: VariableKind | None
    spatial: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def nwb_table(name: str, file: Any, part: str | None = None) -> Table:
    """Read the behaviour of an open NWB file; use within `damage.reading`.

    Parameters
    ----------
    name : str
        Of the file, for errors.
    file : h5py.File
    part : str, optional
        The series on one clock, or a table of intervals; default the clock with
        the most series of behaviour.

    Returns
    -------
    Table
        Series on a common clock, with its times, and for each table of intervals
        the number of the interval of each row and its properties; or an
        `EventTable` of the intervals.

    Raises
    ------
    InvalidInput
        If the file has no behaviour, or no such part.
    """
    notes: list[str] = []
    series, marks, tables = _content(name, file, notes)
    clocks = _clocks(series)
    parts = (*clocks, *(key for key in tables if key not in clocks))
    if not parts:
        reason = f" ({notes[0].rstrip('.')})" if notes else ""
        raise InvalidInput(
            f"{name} holds no behaviour that can be used{reason}: series with times, "
            "or intervals, were looked for; choose another file."
        )
    if part is not None and part not in parts:
        raise InvalidInput(
            f"{name} has no part {part!r}; choose one of {', '.join(parts)}."
        )
    chosen = parts[0] if part is None else part
    if chosen not in clocks:
        events = tables[chosen]
        return replace(events, part=chosen, parts=parts, notes=(*notes, *events.notes))
    table = _of_series(name, clocks[chosen])
    times = clocks[chosen][0].times
    columns, kinds = dict(table.columns), dict(table.kinds)
    for key, events in (*marks.items(), *tables.items()):
        for column, values in _beside(key, events, times).items():
            columns.setdefault(column, values)
            kinds.setdefault(column, events.kinds[column.removeprefix(f"{key}.")])
    return replace(
        table, columns=columns, kinds=kinds, part=chosen, parts=parts,
        notes=tuple(notes),
    )  # fmt: skip


def _content(
    name: str, file: Any, notes: list[str]
) -> tuple[list[_Series], dict[str, EventTable], dict[str, EventTable]]:
    """Series, series of marks, and tables of intervals."""
    import h5py

    groups: list[tuple[str, Any, str]] = []

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            groups.append((path, item, _text(item.attrs.get("neurodata_type", ""))))

    file.visititems(visit)
    series: list[_Series] = []
    marks: dict[str, EventTable] = {}
    tables: dict[str, EventTable] = {}
    for path, group, kind in groups:
        short = path.rpartition("/")[2]
        if kind in _TABLES:
            found = _intervals(name, short, group, notes)
            if found is not None:
                tables[short] = found
        elif kind == "IntervalSeries":
            marks |= _marks(name, short, group)
        elif "data" in group and kind not in _NO_BEHAVIOUR and kind:
            one = _series(path, group, notes)
            if one is not None:
                series.append(one)
    return series, marks, tables


def _series(path: str, group: Any, notes: list[str]) -> _Series | None:
    data = group["data"]
    if data.dtype.kind not in "iufb" or data.ndim not in (1, 2) or not data.size:
        return None
    if data.ndim == 2 and data.shape[1] > MOST_COLUMNS:
        notes.append(f"{path} left out: {data.shape[1]} columns are no variables.")
        return None
    times = _times(group, data.shape[0])
    wrong = times if isinstance(times, str) else not_a_clock(times)
    if wrong:
        notes.append(f"{path} left out, as its times are no clock: {wrong}.")
        return None
    assert not isinstance(times, str)
    values = stored(data).astype(np.float64)
    factor = float(data.attrs.get("conversion", 1.0))
    if np.isfinite(factor) and factor not in (0.0, 1.0):
        values = values * factor
    values = values + float(data.attrs.get("offset", 0.0))
    unit = _text(data.attrs.get("unit", ""))
    parent = _text(group.parent.attrs.get("neurodata_type", ""))
    circular = parent == "CompassDirection" and values.ndim == 1
    return _Series(
        path,
        values,
        times,
        _UNITS.get(unit.lower(), unit),
        "circular" if circular else None,
        _text(group.attrs.get("neurodata_type", "")) == "SpatialSeries",
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _times(group: Any, n: int) -> np.ndarray | str:
    """Seconds of each row, or why there are none."""
    if "timestamps" in group:
        times = stored(group["timestamps"]).astype(np.float64).ravel()
        return times if times.size == n else f"{times.size} timestamps for {n} values"
    start = group.get("starting_time")
    if start is None:
        return "it has neither timestamps nor a starting time"
    rate = float(np.asarray(start.attrs.get("rate", np.nan)).reshape(-1)[0])
    if not (np.isfinite(rate) and rate > 0):
        return f"its rate is {rate:g}"
    return float(np.asarray(start[()]).reshape(-1)[0]) + np.arange(n) / rate


def _clocks(series: list[_Series]) -> dict[str, list[_Series]]:
    """Series by common clock, behaviour with most of them first."""
    by_clock: dict[bytes, list[_Series]] = {}
    for one in series:
        by_clock.setdefault(one.times.tobytes(), []).append(one)
    order = sorted(
        by_clock.values(),
        key=lambda those: (
            any("behavior" in s.path.lower() for s in those),
            sum(s.values.ndim for s in those),
            those[0].times.size,
        ),
        reverse=True,
    )
    named: dict[str, list[_Series]] = {}
    for those in order:
        names = ", ".join(s.name for s in those[:3]) + (" …" if len(those) > 3 else "")
        named[f"{names} ({those[0].times.size} rows)"] = those
    return named


def _of_series(name: str, series: list[_Series]) -> Table:
    names = [one.name for one in series]
    columns: dict[str, np.ndarray] = {}
    kinds: dict[str, VariableKind] = {}
    units: dict[str, str] = {}
    for one in series:
        twice = names.count(one.name) > 1
        stem = ".".join(one.path.split("/")[-2:]) if twice else one.name
        values = one.values if one.values.ndim == 2 else one.values[:, None]
        width = values.shape[1]
        letters = "xyz" if one.spatial and width <= 3 else "".join(map(str, range(10)))
        for k, column in enumerate(values.T):
            end = letters[k] if k < len(letters) else str(k)
            called = stem if width == 1 else f"{stem}_{end}"
            columns[called], units[called] = column, one.unit
            if one.kind is not None:
                kinds[called] = one.kind
    return Table(name, columns, series[0].times, kinds=kinds, units=units)


def _intervals(file: str, name: str, group: Any, notes: list[str]) -> EventTable | None:
    """Return a table of intervals as events, numbered; None if it is empty."""
    import h5py

    ids = group.get("id")
    n = 0 if ids is None else int(ids.size)
    columns: dict[str, np.ndarray] = {}
    for key, item in group.items():
        if not isinstance(item, h5py.Dataset) or item.shape != (n,) or key == "id":
            continue
        if f"{key}_index" in group or key.endswith("_index"):
            continue  # of several values per row
        if not holds_what_it_announces(item):
            raise ValueError(f"{item.name} does not hold what it announces")
        if h5py.check_string_dtype(item.dtype) is not None:
            columns[key] = np.array([str(text) for text in item.asstr()[()]])
        elif item.dtype.kind in "iufb":
            columns[key] = stored(item).astype(np.float64)
        elif h5py.check_enum_dtype(item.dtype) is not None:
            columns[key] = np.asarray(item[()]).astype(np.float64)
    if "timestamp" in columns:  # of an EventsTable
        columns = {"start_time": columns.pop("timestamp"), **columns}
    if not n or "start_time" not in columns:
        return None
    try:
        events = as_events(Table(file, columns), called=name)
    except InvalidInput as error:
        notes.append(f"The intervals {name!r} were left out: {error}")
        return None
    numbers = np.arange(n, dtype=np.float64)
    return replace(
        events,
        columns={**events.columns, name: numbers},
        kinds={**events.kinds, name: "discrete"},
    )


def _marks(file: str, name: str, group: Any) -> dict[str, EventTable]:
    """Beginnings and ends of an IntervalSeries as events."""
    if "data" not in group or "timestamps" not in group:
        return {}
    signs = stored(group["data"]).ravel()
    times = stored(group["timestamps"]).astype(np.float64).ravel()
    if signs.size != times.size or not_a_clock(times):
        return {}
    found = {}
    codes = np.unique(np.abs(signs[signs != 0]))
    for code in codes:
        onset, offset = times[signs == code], times[signs == -code]
        if not onset.size:
            continue
        after = np.searchsorted(offset, onset)
        ends = np.append(offset, np.inf)[after]
        called = name if codes.size == 1 else f"{name} {code:g}"
        found[called] = EventTable(
            file, {called: np.ones(onset.size, bool)}, kinds={called: "discrete"},
            onset=onset, offset=ends,
        )  # fmt: skip
    return found


def _beside(key: str, events: EventTable, times: np.ndarray) -> dict[str, np.ndarray]:
    """Return columns of intervals at the times of a series."""
    try:
        on_frames = events.on_frames(times.size, times)
    except InvalidInput:
        return {}  # none of them during this series
    return {
        name if name == key else f"{key}.{name}": values
        for name, values in on_frames.columns.items()
    }
