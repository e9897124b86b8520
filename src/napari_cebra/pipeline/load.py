"""From the files that a configuration names to a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cebra.pipeline.align import aligning
from napari_cebra.pipeline.align_times import table_of
from napari_cebra.pipeline.behaviour import attach_movie, read_variables
from napari_cebra.pipeline.config import DETECT, STIMULUS
from napari_cebra.pipeline.motion import corrected_stack, estimate_motion
from napari_cebra.pipeline.roi_traces import (
    program_traces,
    read_rois,
    roi_traces,
    with_dff,
)
from napari_cebra.recording import InvalidInput, Progress, Recording
from napari_cebra.traces import dff
from napari_cebra.traces.detection import detect

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.io import RoiFile, Table
    from napari_cebra.pipeline.config import PipelineConfig, SourceConfig
    from napari_cebra.traces import DffSettings


def load_recording(config: PipelineConfig) -> Generator[Progress, None, Recording]:
    """Load, extract and align everything `config.source` names.

    Yields
    ------
    Progress

    Returns
    -------
    Recording

    Raises
    ------
    InvalidInput
        If a file cannot be read, or parts do not fit together.
    """
    source = config.source
    _check_files(config)
    named = source.shown_column is not None or source.valid_column is not None
    if source.variables is None and source.stimulus_log is None and named:
        raise InvalidInput(
            "Columns were named, but no table that holds them; give the table of "
            "variables too."
        )
    if source.variables is None and config.align.behaviour.method != "same rows":
        raise InvalidInput(
            "There is no table whose rows could be aligned; give the table of "
            "variables too."
        )
    # Tables are small: what is wrong with them is said before minutes are spent.
    table = log = None
    if source.variables is not None:
        yield Progress(0, 1, "files", "Reading the table of variables")
        table = read_variables(source)
    if source.stimulus_log is not None:
        yield Progress(0, 1, "files", "Reading the stimulus log")
        log = table_of(source.stimulus_log)
    recording = yield from _activity(config, table)
    aligned = yield from aligning(
        recording, source, config.align, config.target, table=table, stimulus_log=log
    )
    recording = aligned.recording
    movie = None
    if source.movie is not None:
        from napari_cebra.io import open_movie

        movie = open_movie(source.movie, source.movie_rate)
    recording = attach_movie(recording, movie, source.movie_rate)
    _check_target(recording, config)
    return recording


def _activity(
    config: PipelineConfig, table: Table | None
) -> Generator[Progress, None, Recording]:
    source, settings = config.source, config.dff
    if source.stack is not None:
        return (yield from _from_stack(config, table))
    if source.traces is not None:
        return _from_traces(source, settings)
    if source.spikes is not None:
        from napari_cebra.io import bin_spikes, read_spikes

        yield Progress(0, 1, "files", "Reading spikes")
        return bin_spikes(read_spikes(source.spikes), source.bin_s)
    if source.rois is not None and not _is_made(source.rois):
        yield Progress(0, 1, "files", "Reading ROIs and traces")
        return _from_program(source, _roi_file(source), settings)
    raise InvalidInput(
        "There is no activity to load; give a stack with ROIs, ROIs that bring their "
        "own traces (suite2p, CaImAn, minian, NWB), a table of traces, or spike times."
    )


def _from_stack(
    config: PipelineConfig, table: Table | None
) -> Generator[Progress, None, Recording]:
    from napari_cebra.io import open_stack

    source, settings = config.source, config.dff
    assert source.stack is not None
    if source.rois is None:
        raise InvalidInput(
            "A stack needs ROIs: give a file or folder of ROIs (label image, ImageJ, "
            "suite2p, CaImAn, minian, NWB), detect to have cells found, or grid:N for "
            "tiles of N × N pixels."
        )
    with open_stack(
        source.stack, source.axes, source.dataset, source.rate, source.select
    ) as stack:
        shape = stack.shape[1:]
        if table is not None and config.align.behaviour.method == "same rows":
            table.check_length(stack.shape[0], stack.name)
        if source.rois.startswith("grid:"):
            rois = read_rois(source.rois, shape)
        elif source.rois == DETECT:
            motion = yield from estimate_motion(stack, config.motion)
            still = corrected_stack(stack, motion)
            rois = (yield from detect(still, config.detection)).rois
            made = yield from roi_traces(stack, rois, settings, motion)
            return made.recording.with_step("detect", **config.detection.to_json())
        else:
            yield Progress(0, 1, "files", "Reading ROIs")
            file = _roi_file(source, shape)
            if file.activity is not None and not source.reextract:
                recording = _from_program(source, file, settings)
                if stack.shape[0] != recording.n_frames:
                    raise InvalidInput(
                        f"{file.source.name} has traces of {recording.n_frames} frames "
                        f"but the stack has {stack.shape[0]}; choose the ROIs of this "
                        "stack, or ask for the traces to be extracted again."
                    )
                return recording
            rois = file.rois
        motion = yield from estimate_motion(stack, config.motion)
        made = yield from roi_traces(stack, rois, settings, motion)
    return made.recording


def _roi_file(source: SourceConfig, shape: tuple[int, int] | None = None) -> RoiFile:
    from napari_cebra.io import read_roi_file

    assert source.rois is not None
    return read_roi_file(source.rois, shape, source.rate)


def _from_program(
    source: SourceConfig, file: RoiFile, settings: DffSettings
) -> Recording:
    assert source.rois is not None
    name = Path(source.rois).name
    return program_traces(file, settings, source.accepted_only, name).recording


def _from_traces(source: SourceConfig, settings: DffSettings) -> Recording:
    from napari_cebra.io.trace_matrix import read_trace_matrix

    assert source.traces is not None
    matrix = read_trace_matrix(
        source.traces,
        key=source.traces_key,
        time_axis=source.time_axis,
        rate=source.rate,
        kind=source.traces_kind,
    )
    traces, raw, made = matrix.traces, None, None
    if traces.kind == "raw":
        made = dff(traces, None, settings)
        traces, raw = made.traces, traces
    recording = Recording(
        traces,
        raw=raw,
        frame_times=None if source.rate is not None else matrix.frame_times,
        name=Path(source.traces).stem,
    )
    notes = list(matrix.notes)
    recording = recording.with_step("read traces", source.traces, notes=notes)
    return recording if made is None else with_dff(recording, made)


def _check_files(config: PipelineConfig) -> None:
    """Ask for every file before the first of them is read for minutes."""
    source = config.source
    whats = ("stack", "traces", "spikes", "variables", "stimulus_log", "movie")
    files = [(what.replace("_", " "), getattr(source, what)) for what in whats]
    files += [("times", path) for path in config.align.files]
    for what, path in files:
        if path is not None and not Path(path).exists():
            raise InvalidInput(
                f"There is no file {path} ({what}); check the path and its spelling."
            )
    rois = source.rois
    if rois is not None and not _is_made(rois) and not Path(rois).exists():
        raise InvalidInput(
            f"There are no ROIs at {rois}; give a file or folder of ROIs, detect, or "
            "grid:N."
        )


def _is_made(rois: str) -> bool:
    """Whether the ROIs come from no file."""
    return rois == DETECT or rois.startswith("grid:")


def _check_target(recording: Recording, config: PipelineConfig) -> None:
    name = config.target.name
    if name == STIMULUS and recording.stimulus is None:
        raise InvalidInput(
            "To decode the stimulus, name the column of the variables table that says "
            "which movie frame was shown."
        )
    if name is not None and name != STIMULUS:
        recording.variable(name)
