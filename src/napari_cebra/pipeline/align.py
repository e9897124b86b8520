"""Stimulus and behaviour on the imaging clock, and the frames that were dropped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.pipeline.align_clocks import (
    LogAlignment,
    frame_times_of,
    on_frame_clock,
    place_log,
)
from napari_cebra.pipeline.align_times import table_of
from napari_cebra.pipeline.align_words import report, unchecked
from napari_cebra.pipeline.behaviour import (
    attach_shown,
    attach_table,
    read_variables,
    table_variables,
)
from napari_cebra.pipeline.placed import Placed, SameRows
from napari_cebra.recording import (
    ClockMap,
    FrameGaps,
    InvalidInput,
    Progress,
    Recording,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from napari_cebra.io import Table
    from napari_cebra.pipeline.align_config import AlignConfig, LogConfig
    from napari_cebra.pipeline.config import SourceConfig, TargetConfig
    from napari_cebra.recording import Variable

FRAMES = "Reading the frame times"
BEHAVIOUR, STIMULUS_LOG = "Aligning the behaviour", "Aligning the stimulus"
ROWS = "Putting the behaviour beside the traces"
"""What is being done, so that an error can be told at the right field."""

ALIGNED = "align clocks"
"""The step in the provenance that says how."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A recording with its variables and stimulus on the imaging clock.

    Parameters
    ----------
    recording : Recording
    gaps : FrameGaps or None
        Dropped frames; None where the frames have no times of their own, or uneven
        ones.
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
    same_rows = align.behaviour.method == "same rows"
    if table is None and source.variables is not None:
        yield Progress(0, 0, "", ROWS if same_rows else BEHAVIOUR)
        table = read_variables(source)
    if stimulus_log is None and source.stimulus_log is not None:
        yield Progress(0, 0, "", STIMULUS_LOG)
        stimulus_log = table_of(source.stimulus_log)
    yield Progress(0, 0, "", FRAMES)
    recording, gaps, notes = on_frame_clock(recording, source, align, table)
    clocked = table is not None and not same_rows
    clocked |= stimulus_log is not None
    at = frame_times_of(recording) if clocked else None
    logs: list[LogAlignment] = []
    if table is not None:
        yield Progress(0, 0, "", ROWS if same_rows else BEHAVIOUR)
        placed: Placed = SameRows()
        if at is not None and not same_rows:
            column = source.time_column
            placed, log = place_log("behaviour", table, column, align.behaviour, at)
            logs.append(log)
            table, placed = _events_on_frames(table, log.clock, at, placed)
            if variables is None:
                variables = table_variables(table, source, target)
            clocks = (column, _own_column(align.behaviour, source.variables))
            variables = [v for v in variables if v.name not in clocks]
        else:
            table = table.on_frames(
                recording.n_frames, recording.frame_times, recording.name
            )
        recording = attach_table(
            recording, table, source, target, variables=variables, placed=placed
        )
    if at is not None and stimulus_log is not None:
        yield Progress(0, 0, "", STIMULUS_LOG)
        if source.shown_column is None:
            raise InvalidInput(
                f"Name the column of {stimulus_log.name} that holds the number of the "
                "stimulus frame."
            )
        column = source.stimulus_time_column
        on, log = place_log("stimulus", stimulus_log, column, align.stimulus, at)
        logs.append(log)
        recording = attach_shown(recording, stimulus_log, source, on)
        recording = recording.with_step("read stimulus log", stimulus_log.name)
    if gaps is not None and gaps.after.size:
        recording = replace(recording, trials=gaps.split(recording.trials))
    notes += unchecked(logs)
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


def _events_on_frames(
    table: Table, clock: ClockMap, at: np.ndarray, placed: Placed
) -> tuple[Table, Placed]:
    """Put events frame by frame; they last, and are not resampled."""
    from napari_cebra.io import EventTable

    if not isinstance(table, EventTable):
        return table, placed
    return table.moved(clock.to).on_frames(at.size, at, "the recording"), SameRows()


def _own_column(log: LogConfig, file: str | None) -> str | None:
    """Return the column of a log that holds its pulses, which are no variable."""
    pulses = log.pulses
    if pulses is None or pulses.file not in (None, file):
        return None
    return pulses.column
