"""What was shown and done at each imaging frame, put beside the traces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.pipeline.column_config import ColumnConfig
from napari_cebra.pipeline.placed import Placed, SameRows
from napari_cebra.recording import InvalidInput, Recording, Stimulus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_cebra.io import Movie, Table
    from napari_cebra.pipeline.config import SourceConfig, TargetConfig
    from napari_cebra.recording import Variable

_CLOCKS = {"frame", "frames", "frame_index", "imaging_frame", "time", "time_s", "t"}


def read_variables(source: SourceConfig) -> Table:
    """Read the table of variables that a source names, with its settings.

    Raises
    ------
    InvalidInput
        If it cannot be read; see `io.read_table`.
    """
    from napari_cebra.io import read_table

    assert source.variables is not None
    return read_table(
        source.variables, source.variables_part, source.likelihood, source.longest_gap
    )


def is_row_by_row(table: Table, n_frames: int) -> bool:
    """Return whether a table needs no clock to go with so many imaging frames."""
    try:
        table.check_length(n_frames)
    except InvalidInput:
        return False
    return True


def attach_table(
    recording: Recording,
    table: Table,
    source: SourceConfig,
    target: TargetConfig | None = None,
    *,
    variables: Iterable[Variable] | None = None,
    placed: Placed | None = None,
) -> Recording:
    """Return the recording with the columns of a table.

    Columns without a role become variables, of the kind their values suggest;
    the target is of the kind that was asked for.

    Parameters
    ----------
    recording : Recording
    table : Table
        One row per imaging frame, whose seconds its time column then holds, unless
        `placed` says when each row was.
    source : SourceConfig
        Names the columns with a role.
    target : TargetConfig, optional
    variables : iterable of Variable, optional
        Columns of the table to take instead, row by row as they stand there.
    placed : Placed, optional
        How rows on another clock come to the imaging frames. Frames without
        data are not valid.

    Raises
    ------
    InvalidInput
        If the table is of another length, has no such column, or one does not
        hold what it should.
    """
    changes: dict[str, Any] = {}
    if placed is None:
        table = table.on_frames(
            recording.n_frames, recording.frame_times, recording.name
        )
        placed = SameRows()
        if source.time_column is not None:
            changes["frame_times"] = table.frame_times(source.time_column)
    if source.trial_column is not None:
        changes["trials"] = placed.codes(table.trials(source.trial_column))
    recording = replace(recording, **changes)
    if source.stimulus_log is None:
        recording = attach_shown(recording, table, source, placed)
    if variables is None:
        variables = table_variables(table, source, target)
    variables = list(variables)
    for reason, rows in placed.without_data(variables).items():
        recording = recording.exclude(rows, reason, look=True)
    if source.valid_column is not None:
        used = placed.codes(table.valid(source.valid_column).astype(np.int64))
        recording = recording.exclude(
            used != 1, f"not {source.valid_column}", look=True
        )
    kept = [placed.variable(variable) for variable in variables]
    recording = replace(recording, variables=(*recording.variables, *kept))
    return recording.with_step("read table", table.name)


def attach_shown(
    recording: Recording,
    table: Table,
    source: SourceConfig,
    placed: Placed | None = None,
) -> Recording:
    """Return the recording with which stimulus frame was on, as a table says.

    Raises
    ------
    InvalidInput
        If a column is not there, or does not hold whole numbers.
    """
    if source.shown_column is None:
        if source.repeat_column is None:
            return recording
        raise InvalidInput(
            "A repeat column without a shown-frame column says nothing; name the "
            "column that holds the movie frame shown."
        )
    placed = placed or SameRows()
    stimulus = Stimulus(placed.shown(table.shown(source.shown_column)))
    if source.repeat_column is not None:
        repeat = placed.shown(table.repeat(source.repeat_column))
        stimulus = replace(stimulus, repeat=repeat)
    return replace(recording, stimulus=stimulus)


def attach_movie(
    recording: Recording, movie: Movie | None, rate: float | None = None
) -> Recording:
    """Return the recording with the stimulus movie and its clock.

    The times of the movie's frames are, in this order, those in the file, the
    rate that is given, or the pace at which the shown frame advances on the
    imaging clock; unknown where that is unknown.

    Raises
    ------
    InvalidInput
        If no shown-frame index was attached before, or it goes beyond the movie.
    """
    stimulus = recording.stimulus
    if stimulus is None:
        if movie is None:
            return recording
        raise InvalidInput(
            "A stimulus movie needs the column of the variables table that says which "
            "of its frames was shown at each imaging frame; name that column."
        )
    times = None if movie is None else movie.frame_times
    count = stimulus.n_frames if movie is None else movie.n_frames
    if times is None:
        pace = rate or _shown_rate(stimulus, recording.frame_times)
        times = None if pace is None else np.arange(count) / pace
    return replace(
        recording,
        stimulus=Stimulus(
            stimulus.shown,
            stimulus.repeat,
            None if movie is None else movie.array,
            times,
            count,
        ),
    )


def table_variables(
    table: Table, source: SourceConfig, target: TargetConfig | None = None
) -> list[Variable]:
    """Return the columns chosen, or all without a role; the target in any case."""
    free = [ColumnConfig(name) for name in _free_columns(table, source)]
    chosen = free if source.columns is None else list(source.columns)
    if target is not None and target.name in table.names:
        if target.name not in {c.column for c in chosen}:
            chosen.append(ColumnConfig(target.name))
        chosen = [
            replace(c, kind=target.kind or c.kind, period=target.period or c.period)
            if c.column == target.name
            else c
            for c in chosen
        ]
    return [table.variable(c.column, c.kind, c.units, c.period) for c in chosen]


def _free_columns(table: Table, source: SourceConfig) -> list[str]:
    roles = {
        source.shown_column,
        source.repeat_column,
        source.trial_column,
        source.valid_column,
        source.time_column,
    }
    return [
        name
        for name in table.names
        if name not in roles
        and name.lower() not in _CLOCKS
        and _has_values(table, name)
    ]


def _has_values(table: Table, name: str) -> bool:
    values = table.column(name)
    if values.dtype.kind == "U":
        return bool((values != "").any())
    return bool(np.isfinite(values).any())


def _shown_rate(stimulus: Stimulus, frame_times: np.ndarray | None) -> float | None:
    """Movie frames per second: the median pace over the repeats."""
    if frame_times is None:
        return None
    paces = []
    for number in stimulus.repeats:
        rows = np.flatnonzero((stimulus.repeat == number) & (stimulus.shown >= 0))
        if rows.size < 2:
            continue
        frames = int(stimulus.shown[rows[-1]] - stimulus.shown[rows[0]])
        if frames > 0:
            paces.append(frames / (frame_times[rows[-1]] - frame_times[rows[0]]))
    return float(np.median(paces)) if paces else None
