"""Tables put beside the open recording again, on other clocks than before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.pipeline.align import (
    BEHAVIOUR,
    STIMULUS_LOG,
    Aligned,
    without_tables,
)
from napari_cebra.pipeline.align_config import AlignConfig
from napari_cebra.pipeline.align_times import table_of
from napari_cebra.pipeline.behaviour import read_variables
from napari_cebra.pipeline.load import load_recording
from napari_cebra.recording import Progress, Recording, Traces
from napari_cebra.widgets.opening import WITHOUT_COMPANY, Accompaniment

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.io import Stack, Table
    from napari_cebra.pipeline import PipelineConfig


@dataclass(frozen=True, eq=False)
class Realigned:
    """What the Align step found, to be looked at before it is used.

    Parameters
    ----------
    aligned : Aligned
    accompaniment : Accompaniment
        With which it was made, and later traces are.
    config : PipelineConfig
        As a script would give it.
    made_of : Recording or None
        What was open; None where there were no traces yet.
    """

    aligned: Aligned
    accompaniment: Accompaniment
    config: PipelineConfig
    made_of: Recording | None


def reading(path: Path) -> Generator[Progress, None, Table]:
    """Read a table in the background, for its columns."""
    yield Progress(0, 0, "", f"Reading {path.name}")
    return table_of(str(path))


def realigning(
    recording: Recording | None,
    stack: Stack | None,
    accompaniment: Accompaniment,
    config: PipelineConfig,
) -> Generator[Progress, None, Realigned]:
    """Align what is open as the settings say; nothing that is open is touched.

    Parameters
    ----------
    recording : Recording or None
        None where traces are still to be extracted from the stack.
    stack : Stack or None
    accompaniment : Accompaniment
        Tables and movie that were loaded.
    config : PipelineConfig
        Its `source` and `align` are what is wanted now.
    """
    source, table, log = config.source, accompaniment.table, None
    if table is None and source.variables is not None:
        yield Progress(0, 0, "", BEHAVIOUR)
        table = read_variables(source)
    if source.stimulus_log is not None:
        yield Progress(0, 0, "", STIMULUS_LOG)
        log = table_of(source.stimulus_log)
    names = () if table is None else table.names
    company = replace(
        accompaniment,
        table=table,
        source=source,
        align=config.align,
        stimulus_log=log,
    )
    if recording is None:
        assert stack is not None
        blank = np.zeros((stack.shape[0], 1), np.float32)
        bare = Recording(Traces(blank, rate=stack.rate), name=stack.name)
    else:
        own = None
        if stack is None and (source.traces or source.spikes):
            alone = replace(source, **WITHOUT_COMPANY)
            own = yield from load_recording(
                replace(config, source=alone, align=AlignConfig())
            )
        elif stack is None and source.rois is None:
            own = recording  # built in: all on one clock
        bare = without_tables(recording, own, names)
    made = yield from company.aligning(bare)
    whole = company.attach_movie(made.recording)
    if recording is not None and company.movie is None:
        whole = _with_movie_of(recording, whole)
    return Realigned(replace(made, recording=whole), company, config, recording)


def _with_movie_of(before: Recording, after: Recording) -> Recording:
    """Keep the movie of a reopened project, which is not open as a file."""
    old, new = before.stimulus, after.stimulus
    if old is None or old.movie is None or new is None:
        return after
    movie = replace(old, shown=new.shown, repeat=new.repeat)
    return replace(after, stimulus=movie)
