"""Moments that a file holds: listed, or as the edges of a signal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.io import Table
    from napari_cebra.pipeline.align_config import TimesConfig

_CLOCK = re.compile(r"^(time|times|t|seconds?|timestamps?)([_ ]?\(?s\)?)?$", re.I)


def read_times(config: TimesConfig, table: Table | None = None) -> np.ndarray:
    """Return the (n,) seconds of what is listed, or of the edges of a signal.

    Cells left empty at the end of a column, as where columns of a table are of
    unequal length, are no moments; empty cells before it are NaN.

    Parameters
    ----------
    config : TimesConfig
    table : Table, optional
        Where no file is named.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or the column is not there or holds none.
    """
    if config.file is not None:
        table = table_of(config.file)
    assert table is not None
    if config.edges is not None:
        return _edges(config, table)
    if config.column is None and table.row_times is not None:
        return table.row_times
    name = time_column(table) if config.column is None else config.column
    times = _seconds(table, name, config.per_second)
    filled = np.flatnonzero(np.isfinite(times))
    if not filled.size:
        raise InvalidInput(
            f"Column {name!r} of {table.name} is empty; choose the column that holds "
            "the times."
        )
    return times[: filled[-1] + 1]


def table_of(path: str) -> Table:
    """Read a table; a path without a file is named."""
    from napari_cebra.io import read_table

    if not Path(path).exists():
        raise InvalidInput(
            f"There is no file {path} to take times from; check the path and its "
            "spelling."
        )
    return read_table(path)


def time_column(table: Table) -> str:
    """Return the column that must be meant: the only one, or the one called time.

    Raises
    ------
    InvalidInput
        If there are several to choose from.
    """
    if len(table.names) == 1:
        return table.names[0]
    likely = likely_time_column(table)
    if likely is not None:
        return likely
    raise InvalidInput(
        f"{table.name} has the columns {', '.join(table.names)}; name the one that "
        "holds the times."
    )


def likely_time_column(table: Table) -> str | None:
    """Return the column that is called time; None if none or several are."""
    named = [name for name in table.names if _CLOCK.match(name)]
    return named[0] if len(named) == 1 else None


def row_times(
    table: Table, column: str | None, per_second: float = 1.0
) -> np.ndarray | None:
    """Return the (n,) seconds of each row of a log; None where it has no clock."""
    if column is not None:
        return _seconds(table, column, per_second)
    return table.row_times


def _edges(config: TimesConfig, table: Table) -> np.ndarray:
    """Where the signal crosses its threshold, between two samples.

    It must have come back by a quarter of its range beyond the threshold before
    it counts again, so that noise on one edge is not many.
    """
    name = table.names[0] if len(table.names) == 1 else config.column
    if name is None:
        raise InvalidInput(
            f"{table.name} has the columns {', '.join(table.names)}; name the one that "
            "holds the signal."
        )
    clock = _sample_times(config, table)
    signal = _numbers(table, name)
    lost = np.flatnonzero(~np.isfinite(signal))
    if lost.size:
        raise InvalidInput(
            f"The signal {name!r} of {table.name} has {lost.size} empty samples, the "
            f"first at row {lost[0]} (counting from 0); choose another channel, or "
            "fill them."
        )
    low, high = float(signal.min()), float(signal.max())
    level = (low + high) / 2 if config.threshold is None else config.threshold
    if config.edges == "falling":
        signal, level, low, high = -signal, -level, -high, -low
    state = np.zeros(signal.size, np.int8)
    state[signal >= level] = 1
    state[signal < level - min((high - low) / 4, (level - low) / 2)] = -1
    known = np.maximum.accumulate(np.where(state != 0, np.arange(state.size), 0))
    at = np.flatnonzero(np.diff(state[known]) == 2) + 1
    if not at.size:
        word = "falls below" if config.edges == "falling" else "rises through"
        level = -level if config.edges == "falling" else level
        raise InvalidInput(
            f"The signal {name!r} of {table.name} never {word} {level:g}: it goes from "
            f"{_numbers(table, name).min():g} to {_numbers(table, name).max():g}; "
            "choose another threshold or channel."
        )
    part = (level - signal[at - 1]) / (signal[at] - signal[at - 1])
    return clock[at - 1] + part * (clock[at] - clock[at - 1])


def _sample_times(config: TimesConfig, table: Table) -> np.ndarray:
    from napari_cebra.recording.clock.frames import rising_times

    if config.time_column is not None:
        times = _seconds(table, config.time_column, config.per_second)
        return rising_times(times, f"times of the samples of {table.name}")
    if table.row_times is not None:
        return table.row_times
    if config.per_second == 1:
        raise InvalidInput(
            f"Nothing says when the samples of {table.name} were taken; name their "
            "time column, or say how many there are per second."
        )
    return np.arange(table.n_rows) / config.per_second


def _seconds(table: Table, name: str, per_second: float) -> np.ndarray:
    _numbers(table, name)  # refuses words
    return table.seconds(name, per_second)


def _numbers(table: Table, name: str) -> np.ndarray:
    values = table.column(name)
    if values.dtype.kind == "U":
        raise InvalidInput(
            f"Column {name!r} of {table.name} holds words (first: "
            f"{next((v for v in values if v), '')!r}), but times or a signal are "
            "expected; choose another column."
        )
    return values
