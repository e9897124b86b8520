"""The clock of the imaging frames, and that of a log brought onto it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.pipeline.align_times import read_times, row_times
from napari_cebra.pipeline.placed import AtTimes
from napari_cebra.recording import (
    Alignment,
    ClockMap,
    FrameGaps,
    InvalidInput,
    Recording,
    align_onsets,
    align_pulses,
    find_gaps,
)
from napari_cebra.recording.clock.frames import rising_times

if TYPE_CHECKING:
    from napari_cebra.io import Table
    from napari_cebra.pipeline.align_config import AlignConfig, LogConfig
    from napari_cebra.pipeline.config import SourceConfig

_UNEVEN = 0.1


@dataclass(frozen=True, eq=False)
class LogAlignment:
    """How one log came onto the imaging clock.

    Parameters
    ----------
    what : str
        "behaviour" or "stimulus".
    clock : ClockMap
        From the clock of the log (from row numbers, by "rates") to that of imaging.
    fit : Alignment or None
        Pairs and residuals, where there were pulses or onsets.
    pulses, imaging : (n,), (m,) float64
        Pulses of the log, already on the imaging clock, and those of imaging.
    methods : dict
        What was done to each variable, in words.
    covered : float
        Share of the time of imaging that the log spans.
    """

    what: str
    clock: ClockMap
    fit: Alignment | None
    pulses: np.ndarray
    imaging: np.ndarray
    methods: dict[str, str]
    covered: float


def on_frame_clock(
    recording: Recording, source: SourceConfig, align: AlignConfig, table: Table | None
) -> tuple[Recording, FrameGaps | None, list[str]]:
    """Give the frames their times, and find where frames were dropped."""
    times, n = recording.frame_times, recording.n_frames
    if align.frames is not None:
        times = _one_per_frame(read_times(align.frames), align.skip, n)
    elif table is not None and align.behaviour.method == "same rows":
        table.check_length(n, recording.name)
        if source.time_column is not None:
            times = table.frame_times(source.time_column, align.behaviour.per_second)
    is_own = times is not recording.frame_times or has_own_times(recording)
    if times is None or n < 2 or not is_own:
        return recording, None, []
    gaps = find_gaps(times)
    notes = []
    if gaps.after.size > _UNEVEN * n:
        notes = [
            f"The frame times are too uneven to tell dropped frames from late ones "
            f"({gaps.after.size} steps of more than one and a half intervals)."
        ]
        return replace(recording, frame_times=times), None, notes
    rate, paced = recording.traces.rate, 1 / gaps.interval
    if rate is not None and abs(paced / rate - 1) > 0.01:
        notes = [
            f"The frames came at {paced:.4g} Hz by their times, not at the {rate:.4g} "
            "Hz of the recording."
        ]
    return replace(recording, frame_times=times), gaps, notes


def has_own_times(recording: Recording) -> bool:
    """Return whether the frames have times that were measured, not a rate alone."""
    times, rate = recording.frame_times, recording.traces.rate
    if times is None or rate is None:
        return times is not None
    return not np.array_equal(times, np.arange(times.size) / rate)


def _one_per_frame(times: np.ndarray, skip: int | None, n_frames: int) -> np.ndarray:
    first = skip or 0
    if (skip is None and times.size != n_frames) or times.size < first + n_frames:
        hint = (
            "say how many of them come before the first frame"
            if times.size > n_frames and skip is None
            else "choose the log of this recording"
        )
        after = f" after the {skip} that are skipped" if skip else ""
        raise InvalidInput(
            f"There are {times.size - first} frame times{after} for {n_frames} imaging "
            f"frames; {hint}."
        )
    return rising_times(times[first : first + n_frames], "frame times")


def _one_per_row(times: np.ndarray, table: Table) -> np.ndarray:
    if times.size != table.n_rows:
        raise InvalidInput(
            f"There are {times.size} times for the {table.n_rows} rows of "
            f"{table.name}; choose the times of its rows, one for each."
        )
    return times


def frame_times_of(recording: Recording) -> np.ndarray:
    """Return the (T,) seconds of the imaging frames."""
    if recording.frame_times is None:
        raise InvalidInput(
            "The frame rate is not known, so the imaging frames have no times; give "
            "the rate in step 1, or a file with the time of each frame."
        )
    return recording.frame_times


def place_log(
    what: str, table: Table, column: str | None, log: LogConfig, at: np.ndarray
) -> tuple[AtTimes, LogAlignment]:
    """Bring one log onto the imaging clock."""
    fit, source, target = None, np.zeros(0), np.zeros(0)
    if log.method == "rates":
        own = np.arange(table.n_rows, dtype=np.float64)
        if log.rate is None:
            raise InvalidInput(
                f"Give the rows per second of {table.name}, by which its rows are to "
                "be counted."
            )
        clock = ClockMap.from_rates(1.0, log.rate, 0.0, log.start_s)
    else:
        rows = row_times(table, column, log.per_second)
        if log.times is not None:
            rows = _one_per_row(read_times(log.times), table)
        if rows is None:
            raise InvalidInput(
                f"{table.name} has {table.n_rows} rows for {at.size} imaging frames "
                "and no times of its own; name the column, or the file, that holds "
                "them."
            )
        own = rising_times(rows, f"times of {table.name}")
        clock = ClockMap(offset=log.start_s)
    if log.method in ("pulses", "onsets"):
        source = own if log.pulses is None else read_times(log.pulses, table)
        target = at if log.imaging is None else read_times(log.imaging, table)
        limits = {"tolerance_s": log.tolerance_s, "min_match": log.min_match}
        names = (what, "imaging")
        if log.method == "onsets":
            fit = align_onsets(source, target, names=names, **limits)
        else:
            fit = align_pulses(source, target, pin=log.pin, names=names, **limits)
        clock = fit.clock
    placed = AtTimes(clock.to(own), at, log, what)
    if not (placed.times[0] <= at[-1] and placed.times[-1] >= at[0]):
        raise InvalidInput(
            f"{table.name} runs from {placed.times[0]:.3f} to {placed.times[-1]:.3f} s "
            f"on the imaging clock, but imaging from {at[0]:.3f} to {at[-1]:.3f} s; "
            "check the start, the unit of its times, or choose the log of this "
            "recording."
        )
    shared = min(placed.times[-1], at[-1]) - max(placed.times[0], at[0])
    covered = float(shared / (at[-1] - at[0])) if at[-1] > at[0] else 1.0
    logged = LogAlignment(
        what, clock, fit, clock.to(source), target, placed.methods, covered
    )
    return placed, logged
