"""Stimulus and behaviour on the imaging clock, and the frames that were dropped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.pipeline.align_times import read_times, row_times, table_of
from napari_cebra.pipeline.align_words import report
from napari_cebra.pipeline.behaviour import (
    attach_shown,
    attach_table,
    read_variables,
    table_variables,
)
from napari_cebra.pipeline.placed import AtTimes, Placed, SameRows
from napari_cebra.recording import (
    Alignment,
    ClockMap,
    FrameGaps,
    InvalidInput,
    Progress,
    Recording,
    align_onsets,
    align_pulses,
    find_gaps,
)
from napari_cebra.recording.clock.frames import rising_times

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from napari_cebra.io import Table
    from napari_cebra.pipeline.align_config import AlignConfig, LogConfig
    from napari_cebra.pipeline.config import SourceConfig, TargetConfig
    from napari_cebra.recording import Variable

FRAMES = "Reading the frame times"
BEHAVIOUR, STIMULUS_LOG = "Aligning the behaviour", "Aligning the stimulus"
"""What is being done, so that an error can be told at the right field."""

ALIGNED = "align clocks"
"""The step in the provenance that says how."""

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
    """

    what: str
    clock: ClockMap
    fit: Alignment | None
    pulses: np.ndarray
    imaging: np.ndarray
    methods: dict[str, str]


@dataclass(frozen=True, eq=False)
class Aligned:
    """A recording with its variables and stimulus on the imaging clock.

    Parameters
    ----------
    recording : Recording
    gaps : FrameGaps or None
        Dropped frames; None where the frames have no times.
    logs : tuple of LogAlignment
        Logs that had a clock of their own.
    notes : tuple of str
        What was assumed or should be looked at, in sentences.
    """

    recording: Recording
    gaps: FrameGaps | None = None
    logs: tuple[LogAlignment, ...] = ()
    notes: tuple[str, ...] = ()


def aligning(
    recording: Recording,
    source: SourceConfig,
    align: AlignConfig,
    target: TargetConfig | None = None,
    *,
    table: Table | None = None,
    stimulus_log: Table | None = None,
    variables: Iterable[Variable] | None = None,
) -> Generator[Progress, None, Aligned]:
    """Put the tables a source names beside the traces.

    Frames that were dropped, as the frames' times show, become borders between
    trials. Rows of a table with a clock of its own are resampled to the frames.

    Parameters
    ----------
    recording : Recording
        Without variables of these tables.
    source : SourceConfig
        Names columns, and the tables where they are not given.
    align : AlignConfig
    target : TargetConfig, optional
        Of which kind the target is.
    table, stimulus_log : Table, optional
        Already read.
    variables : iterable of Variable, optional
        Columns of the table to take, as they stand there.

    Raises
    ------
    InvalidInput
        If a log has no times, is that of another recording, or does not fit.
    """
    if table is None and source.variables is not None:
        yield Progress(0, 0, "", BEHAVIOUR)
        table = read_variables(source)
    if stimulus_log is None and source.stimulus_log is not None:
        yield Progress(0, 0, "", STIMULUS_LOG)
        stimulus_log = table_of(source.stimulus_log)
    yield Progress(0, 0, "", FRAMES)
    recording, gaps, notes = _on_frame_clock(recording, source, align, table)
    logs: list[LogAlignment] = []
    if table is not None:
        yield Progress(0, 0, "", BEHAVIOUR)
        placed: Placed = SameRows()
        if align.behaviour.method != "same rows":
            at, column = _frame_times(recording), source.time_column
            placed, log = _placed("behaviour", table, column, align.behaviour, at)
            logs.append(log)
            table, placed = _events_on_frames(table, log.clock, at, placed)
            if variables is None:
                variables = table_variables(table, source, target)
            clocks = (column, _own_column(align.behaviour))
            variables = [v for v in variables if v.name not in clocks]
        else:
            table = table.on_frames(
                recording.n_frames, recording.frame_times, recording.name
            )
        recording = attach_table(
            recording, table, source, target, variables=variables, placed=placed
        )
    if stimulus_log is not None:
        yield Progress(0, 0, "", STIMULUS_LOG)
        if source.shown_column is None:
            raise InvalidInput(
                f"Name the column of {stimulus_log.name} that holds the number of the "
                "stimulus frame."
            )
        at, column = _frame_times(recording), source.stimulus_time_column
        on, log = _placed("stimulus", stimulus_log, column, align.stimulus, at)
        logs.append(log)
        recording = attach_shown(recording, stimulus_log, source, on)
        recording = recording.with_step("read stimulus log", stimulus_log.name)
    if gaps is not None and gaps.after.size:
        recording = replace(recording, trials=gaps.split(recording.trials))
    notes += [
        f"Nothing has checked the clock of the {log.what} log: it is as given."
        for log in logs
        if log.fit is None and log.clock.by == "rates"
    ]
    made = Aligned(recording, gaps, tuple(logs), tuple(notes))
    if logs or align.frames is not None:
        recording = recording.with_step(
            ALIGNED,
            **{log.what: asdict(log.clock) for log in logs},
            resampling={k: v for log in logs for k, v in log.methods.items()},
            report=report(made),
        )
    return replace(made, recording=recording)


def without_tables(
    recording: Recording, own: Recording | None, names: Iterable[str]
) -> Recording:
    """Return the recording as it was before tables were put beside it.

    Parameters
    ----------
    recording : Recording
    own : Recording or None
        What the source of the traces brings by itself; None for a stack, of
        which the rate alone is known.
    names : iterable of str
        Columns of the tables.
    """
    names = set(names)
    freed = [
        code
        for code, reason in enumerate(recording.reasons)
        if reason.endswith(" the behaviour log") or reason.removeprefix("not ") in names
    ]
    back = np.isin(recording.invalid_because, freed) & ~recording.valid
    tables = ("read table", "read stimulus log", ALIGNED)
    return replace(
        recording,
        variables=tuple(v for v in recording.variables if v.name not in names),
        stimulus=None if own is None else own.stimulus,
        frame_times=None if own is None else own.frame_times,
        trials=np.zeros_like(recording.trials) if own is None else own.trials,
        valid=recording.valid | back,
        invalid_because=np.where(back, 0, recording.invalid_because),
        provenance=tuple(s for s in recording.provenance if s.name not in tables),
    )


def _on_frame_clock(
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
    if times is None or n < 2:
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


def _events_on_frames(
    table: Table, clock: ClockMap, at: np.ndarray, placed: Placed
) -> tuple[Table, Placed]:
    """Put events frame by frame; they last, and are not resampled."""
    from napari_cebra.io import EventTable

    if not isinstance(table, EventTable):
        return table, placed
    return table.moved(clock.to).on_frames(at.size, at, "the recording"), SameRows()


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


def _frame_times(recording: Recording) -> np.ndarray:
    if recording.frame_times is None:
        raise InvalidInput(
            "The frame rate is not known, so the imaging frames have no times; give "
            "the rate in step 1, or a file with the time of each frame."
        )
    return recording.frame_times


def _own_column(log: LogConfig) -> str | None:
    """Return the column of a log that holds its pulses, which are no variable."""
    pulses = log.pulses
    return None if pulses is None or pulses.file is not None else pulses.column


def _placed(
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
        if rows is None:
            raise InvalidInput(
                f"{table.name} has {table.n_rows} rows for {at.size} imaging frames "
                f"and no times of its own; name the column that holds its times."
            )
        own = rising_times(rows, f"times of {table.name}")
        clock = ClockMap(offset=log.start_s)
    if log.method in ("pulses", "onsets"):
        source = own if log.pulses is None else read_times(log.pulses, table)
        target = at if log.imaging is None else read_times(log.imaging, table)
        if log.method == "onsets":
            fit = align_onsets(
                source, target, tolerance_s=log.tolerance_s, min_match=log.min_match
            )
        else:
            fit = align_pulses(
                source,
                target,
                pin=log.pin,
                tolerance_s=log.tolerance_s,
                min_match=log.min_match,
            )
        clock = fit.clock
    placed = AtTimes(clock.to(own), at, log, what)
    if not (placed.times[0] <= at[-1] and placed.times[-1] >= at[0]):
        raise InvalidInput(
            f"{table.name} runs from {placed.times[0]:.3f} to {placed.times[-1]:.3f} s "
            f"on the imaging clock, but imaging from {at[0]:.3f} to {at[-1]:.3f} s; "
            "check the start, the unit of its times, or choose the log of this "
            "recording."
        )
    logged = LogAlignment(what, clock, fit, clock.to(source), target, placed.methods)
    return placed, logged
