"""Traces of the ROIs in an NWB file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.roi_file import stored

if TYPE_CHECKING:
    from napari_cebra.recording.traces import TraceKind

# What a name contains that is no raw fluorescence; the first that is found.
_NAMED: tuple[tuple[str, TraceKind], ...] = (
    ("corrected", "other"),
    ("neuropil", "neuropil"),
    ("deconv", "events"),
    ("event", "events"),
    ("spike", "events"),
    ("dfoverf", "dff"),
    ("df_over_f", "dff"),
    ("dff", "dff"),
    ("denois", "other"),
    ("demix", "other"),
    ("baseline", "other"),
)


def response_series(
    table: Any, found: dict[str, list[Any]], n: int, notes: list[str]
) -> tuple[dict[TraceKind, np.ndarray], float | None]:
    """Return the traces (T, n) of each kind, and their rate.

    Parameters
    ----------
    table : h5py.Group
        The PlaneSegmentation.
    found : mapping
        All groups of the file by ``neurodata_type``.
    n : int
        Rows of the table.
    notes : list of str
        Is added to.
    """
    tables = found.get("PlaneSegmentation", [])
    traces: dict[TraceKind, np.ndarray] = {}
    rate: float | None = None
    for series in found.get("RoiResponseSeries", []):
        name = series.name.rpartition("/")[2]
        if not _is_of(series, table, tables):
            continue
        kind = _kind(series.name)
        if kind in traces:
            notes.append(f"A second series of {kind} traces, {name}, is not read.")
            continue
        usable = _values(series, n)
        if usable is None:
            notes.append(
                f"The traces {name} are not of all {n} ROIs; they are left out."
            )
            continue
        values, turned = usable
        if turned:
            notes.append(f"{name} is stored as (ROI, time), against the schema of NWB.")
        traces[kind] = values
        rate = series_rate(series) if rate is None else rate
    return traces, rate


def _is_of(series: Any, table: Any, tables: list[Any]) -> bool:
    """Whether a series is of this table; of the only one if it does not say."""
    rows = series.get("rois")
    reference = None if rows is None else rows.attrs.get("table")
    if not reference:
        return len(tables) == 1
    return bool(series.file[reference] == table)


def _kind(name: str) -> TraceKind:
    # The name of a series counts before that of what it lies in.
    for part in reversed(name.lower().split("/")[-2:]):
        for word, kind in _NAMED:
            if word in part:
                return kind
    return "raw"


def _values(series: Any, n: int) -> tuple[np.ndarray, bool] | None:
    """(T, n) in the order of the table, and whether they had to be turned."""
    data = series.get("data")
    if data is None or len(data.shape) != 2 or data.dtype.kind not in "iuf":
        return None
    rows = series.get("rois")
    rows = np.arange(n) if rows is None else stored(rows).astype(np.int64).ravel()
    if not np.array_equal(np.sort(rows), np.arange(n)):
        return None
    if data.shape[1] != n and data.shape[0] != n:
        return None
    values = stored(data)
    turned = data.shape[1] != n
    values = values.T if turned else values
    ordered = np.empty_like(values)
    ordered[:, rows] = values
    return ordered, turned


def series_rate(series: Any) -> float | None:
    """Return the samples per second of a time series; None if it does not say."""
    start, times = series.get("starting_time"), series.get("timestamps")
    rate = np.nan
    if start is not None:
        rate = np.asarray(start.attrs.get("rate", np.nan)).ravel()[0]
    elif times is not None and len(times.shape) == 1 and times.shape[0] > 1:
        step = float(np.median(np.diff(stored(times).astype(np.float64))))
        rate = 1 / step if step > 0 else np.nan
    rate = float(rate)
    return rate if np.isfinite(rate) and rate > 0 else None
