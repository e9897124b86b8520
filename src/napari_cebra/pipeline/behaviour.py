"""What was shown and done at each imaging frame, put beside the traces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, Recording, Stimulus

if TYPE_CHECKING:
    from napari_cebra.io import Movie, Table
    from napari_cebra.pipeline.config import SourceConfig, TargetConfig

_CLOCKS = {"frame", "frames", "frame_index", "imaging_frame", "time", "time_s", "t"}


def attach_table(
    recording: Recording,
    table: Table,
    source: SourceConfig,
    target: TargetConfig | None = None,
) -> Recording:
    """Return the recording with the columns of a table that has T rows.

    Columns without a role become variables, of the kind their values suggest;
    the target is of the kind that was asked for.

    Parameters
    ----------
    recording : Recording
    table : Table
    source : SourceConfig
        Names the columns with a role.
    target : TargetConfig, optional

    Raises
    ------
    InvalidInput
        If the table is of another length, has no such column, or one does not
        hold what it should.
    """
    table.check_length(recording.n_frames, recording.name)
    changes: dict[str, Any] = {}
    if source.trial_column is not None:
        changes["trials"] = table.trials(source.trial_column)
    if source.time_column is not None:
        changes["frame_times"] = table.frame_times(source.time_column)
    recording = replace(recording, **changes)
    if source.shown_column is not None:
        stimulus = Stimulus(table.shown(source.shown_column))
        if source.repeat_column is not None:
            stimulus = replace(stimulus, repeat=table.repeat(source.repeat_column))
        recording = replace(recording, stimulus=stimulus)
    elif source.repeat_column is not None:
        raise InvalidInput(
            "A repeat column without a shown-frame column says nothing; name the "
            "column that holds the movie frame shown."
        )
    if source.valid_column is not None:
        unused = ~table.valid(source.valid_column)
        recording = recording.exclude(unused, f"not {source.valid_column}", look=True)
    variables = [
        table.variable(
            name,
            target.kind if target is not None and name == target.name else None,
            period=target.period if target and name == target.name else None,
        )
        for name in _free_columns(table, source)
    ]
    recording = replace(recording, variables=(*recording.variables, *variables))
    return recording.with_step("read table", table.name)


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
