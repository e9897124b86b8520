"""From what was chosen in step 1 to what is opened in the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.units import MICROMETRES
from napari_cebra.pipeline.align import Aligned, aligning
from napari_cebra.pipeline.align_config import AlignConfig
from napari_cebra.pipeline.behaviour import (
    attach_movie,
    is_row_by_row,
    read_variables,
)
from napari_cebra.pipeline.config import PipelineConfig, SourceConfig
from napari_cebra.pipeline.load import load_recording
from napari_cebra.pipeline.run import exhaust
from napari_cebra.recording import Progress, Recording, RoiSet, Traces
from napari_cebra.widgets.column_form import Columns
from napari_cebra.widgets.recognise import axes_choices
from napari_cebra.widgets.source_form import Recognised, SourceChoice

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from napari_cebra.io import Stack, Table
    from napari_cebra.io.movies import Movie
    from napari_cebra.io.tables.summary import ColumnSummary
    from napari_cebra.widgets.behaviour_form import BehaviourChoice, TableChoice

TABLE, MOVIE = "Reading the table", "Opening the movie"
"""What is being done, so that an error can be told at the right field."""

WITHOUT_COMPANY = dict.fromkeys(
    (
        "variables",
        "variables_part",
        "columns",
        "movie",
        "shown_column",
        "repeat_column",
        "trial_column",
        "valid_column",
        "time_column",
        "stimulus_log",
        "stimulus_time_column",
    )
)


@dataclass(frozen=True, eq=False)
class Accompaniment:
    """Table and movie that go with the images, and what the columns mean."""

    table: Table | None = None
    movie: Movie | None = None
    columns: Columns = field(default_factory=Columns)
    source: SourceConfig = field(default_factory=SourceConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    stimulus_log: Table | None = None

    def is_waiting(self, n_frames: int) -> bool:
        """Whether the table has first to be aligned, in the Align step."""
        by_row = self.align.behaviour.method == "same rows"
        table = self.table
        return table is not None and by_row and not is_row_by_row(table, n_frames)

    @property
    def movie_is_waiting(self) -> bool:
        """Whether nothing says yet which frame of the movie was shown when."""
        return self.movie is not None and self.source.shown_column is None

    def aligning(self, recording: Recording) -> Generator[Progress, None, Aligned]:
        """Put variables, stimulus, trials and rows to use beside the traces."""
        if self.is_waiting(recording.n_frames):
            return Aligned(recording)
        return (
            yield from aligning(
                recording,
                self.source,
                self.align,
                table=self.table,
                stimulus_log=self.stimulus_log,
            )
        )

    def attach(self, recording: Recording) -> Recording:
        """Return the recording with variables, stimulus, trials and rows to use."""
        return self.attach_movie(self.attach_table(recording))

    def attach_table(self, recording: Recording) -> Recording:
        """Return the recording with what the tables say."""
        return exhaust(self.aligning(recording)).recording

    def attach_movie(self, recording: Recording) -> Recording:
        """Return the recording with the frames and the clock of the movie."""
        if self.movie_is_waiting or self.is_waiting(recording.n_frames):
            return recording
        return attach_movie(recording, self.movie, self.source.movie_rate)


@dataclass(frozen=True, eq=False)
class Opened:
    """What loading gives: a stack to extract from, or a recording, or both."""

    source: SourceConfig
    stack: Stack | None = None
    rois: RoiSet | None = None
    recording: Recording | None = None
    accompaniment: Accompaniment = field(default_factory=Accompaniment)
    limits: tuple[float, float] | None = None
    select: dict[str, int] = field(default_factory=dict)


def source_config(
    path: Path | None, choice: SourceChoice, behaviour: BehaviourChoice
) -> SourceConfig:
    """Return the choices as a script would give them."""
    columns = behaviour.columns
    fields: dict[str, Any] = {
        "rate": choice.rate,
        "variables": _text(behaviour.table),
        "columns": columns.variables if behaviour.table else None,
        "movie": _text(behaviour.movie),
        "shown_column": columns.shown,
        "repeat_column": columns.repeat,
        "trial_column": columns.trial,
        "valid_column": columns.valid,
        "time_column": columns.time,
    }
    if behaviour.reading is not None:
        fields |= {
            "variables_part": behaviour.reading.part,
            "likelihood": behaviour.reading.likelihood,
            "longest_gap": behaviour.reading.longest_gap,
        }
    if choice.kind == "stack":
        chosen = dict(choice.select)
        fields |= {"dataset": choice.data_set, "axes": choice.axes or None}
        fields |= {"channel": chosen.get("C"), "plane": chosen.get("Z")}
        fields["stack"] = _text(path)
    elif choice.kind in ("suite2p", "program"):
        fields["rois"] = _text(path)
    elif choice.kind == "spikes":
        fields |= {"spikes": _text(path), "bin_s": choice.bin_s}
    else:
        fields |= {"traces": _text(path), "traces_key": choice.data_set}
        fields["traces_kind"] = choice.trace_kind
        if choice.time_axis is not None:
            fields["time_axis"] = choice.time_axis
    return SourceConfig(**fields)


def opening(
    config: SourceConfig,
    columns: Columns,
    data: Any = None,
    select: Iterable[tuple[str, int]] = (),
    pixel_um: tuple[float, float] | None = None,
) -> Generator[Progress, None, Opened]:
    """Open what `config` names; nothing that is open now is touched.

    Parameters
    ----------
    config : SourceConfig
        From `source_config`.
    columns : Columns
        What the table's columns mean.
    data : array-like, optional
        Of an open layer, instead of a file.
    select : iterable of (letter, position)
        Channel or plane to load.
    pixel_um : (y, x), optional
        Size of a pixel, where the file does not say or is wrong.
    """
    from napari_cebra import io

    yield Progress(0, 0, "", "Opening")
    positions = dict(select)
    stack = recording = rois = None
    if data is not None:
        axes = config.axes or "TYX"
        stack = io.stack_from_array(
            data, axes, "layer", config.rate, positions, pixel_um
        )
    elif config.stack is not None:
        stack = io.open_stack(
            config.stack,
            config.axes,
            config.dataset,
            config.rate,
            positions,
            pixel_um=pixel_um,
        )
    else:
        bare = replace(config, **WITHOUT_COMPANY)
        recording = yield from load_recording(PipelineConfig(source=bare))
        movie = _movie_of(config, recording)
        if movie is not None:
            stack, config = movie
    try:
        accompaniment = yield from _accompaniment(config, columns)
        whole = recording
        if (
            stack is not None and recording is None
        ):  # refuse now what would be refused after extraction
            blank = np.zeros((stack.shape[0], 1), np.float32)
            whole = Recording(Traces(blank, rate=stack.rate), name=stack.name)
        if whole is not None:
            yield Progress(0, 0, "", TABLE)
            whole = accompaniment.attach_table(whole)
            yield Progress(0, 0, "", MOVIE)
            whole = accompaniment.attach_movie(whole)
        if recording is not None:
            recording, rois = whole, recording.rois
            if config.rois is not None:  # also those that are not accepted
                rois = io.read_roi_file(config.rois, rate=config.rate).rois
    except BaseException:
        if stack is not None:
            stack.close()
        raise
    limits = None if stack is None else contrast_limits(stack)
    return Opened(config, stack, rois, recording, accompaniment, limits, positions)


def _movie_of(
    config: SourceConfig, recording: Recording
) -> tuple[Stack, SourceConfig] | None:
    """Open the movie that suite2p kept beside its traces, if there is one."""
    from napari_cebra import io
    from napari_cebra.io.binary import registered_movie
    from napari_cebra.io.suite2p import suite2p_plane

    plane = None if config.rois is None else suite2p_plane(config.rois)
    if plane is None or recording.rois is None:
        return None
    found = registered_movie(plane, recording.rois.shape, recording.n_frames)
    if found is None:
        return None
    path, layout = found
    config = replace(config, dataset=str(layout))
    return io.open_stack(path, None, config.dataset, recording.rate), config


def built_in(which: str, seed: int) -> Generator[Progress, None, Opened]:
    """Open a built-in recording, made first if it is not in the cache."""
    from napari_cebra import simulate
    from napari_cebra.pipeline.demo import demo_config

    if which == "ca1":
        yield Progress(0, 0, "", "Simulating place cells")
        activity = simulate.simulate_ca1()
        return Opened(SourceConfig(), recording=activity.recording)
    files = yield from simulate.make_v1_files(simulate.V1Movie(seed=seed))
    from napari_cebra.io import read_roi_file

    config = demo_config(files, seed).source
    columns = Columns(shown=config.shown_column, repeat=config.repeat_column)
    opened = yield from opening(config, columns)
    yield Progress(0, 0, "", "Reading the ROIs")
    return replace(opened, rois=read_roi_file(files.rois).rois)


# Looking at files before loading.


def could_be_stack(layer: Any) -> bool:
    """Return True for an image layer with frames over time."""
    is_image = type(layer).__name__ == "Image"
    return is_image and not layer.rgb and layer.ndim >= 3 and not layer.multiscale


def recognise_layer(layer: Any) -> Recognised:
    """Return what is known of an open layer."""
    shape, axes = layer.data.shape, "TCZYX"[-layer.ndim :]
    axes = "TYX" if layer.ndim == 3 else axes
    if layer.ndim == 4:
        axes = "TCYX"
    spelt = " × ".join(str(n) for n in shape)
    return Recognised(
        "stack",
        f"{spelt} ({' × '.join(axes)}) · {layer.data.dtype} · layer “{layer.name}”",
        axes=axes,
        axes_choices=axes_choices(axes),
        to_choose=tuple((a, n) for a, n in zip(axes, shape, strict=True) if a in "CZ"),
        lengths=tuple(shape),
        pixel_um=_pixel_of(layer),
    )


def _pixel_of(layer: Any) -> tuple[float, float] | None:
    """Return the size of a layer's pixels, where its scale is a length."""
    y, x = (float(abs(step)) for step in layer.scale[-2:])
    units = [MICROMETRES.get(str(unit)) for unit in layer.units[-2:]]
    if units[0] is None or units[1] is None or not (y > 0 and x > 0):
        return None
    return y * units[0], x * units[1]


def reading_table(
    choice: TableChoice,
) -> Generator[Progress, None, tuple[Table, tuple[ColumnSummary, ...]]]:
    """Read a table in the background, and describe its columns."""
    from napari_cebra.io import read_table
    from napari_cebra.io.tables.summary import summarise

    yield Progress(0, 0, "", f"Reading {choice.path.name}")
    table = read_table(choice.path, choice.part, choice.likelihood, choice.longest_gap)
    return table, summarise(table)


def looking_at_movie(path: Path) -> Generator[Progress, None, str]:
    """Return in words what a stimulus movie holds."""
    from napari_cebra.io import open_movie

    yield Progress(0, 0, "", f"Looking at {path.name}")
    movie = open_movie(path)
    try:
        m, height, width = movie.array.shape[:3]
        rate = "rate unknown" if movie.rate is None else f"{movie.rate:g} Hz"
        return f"{m} frames of {height} × {width} pixels, {rate}."
    finally:
        movie.close()


def _accompaniment(
    config: SourceConfig, columns: Columns
) -> Generator[Progress, None, Accompaniment]:
    from napari_cebra import io

    table = movie = None
    if config.variables is not None:
        yield Progress(0, 0, "", TABLE)
        table = read_variables(config)
    if config.movie is not None:
        yield Progress(0, 0, "", MOVIE)
        movie = io.open_movie(config.movie, config.movie_rate)
    return Accompaniment(table, movie, columns, config)


def contrast_limits(stack: Stack) -> tuple[float, float] | None:
    """Return limits from three frames, None where they hold no finite value.

    napari would sample the whole stack.
    """
    last = stack.shape[0] - 1
    frames = [stack.read(at, at + 1) for at in sorted({0, last // 2, last})]
    pixels = np.concatenate(frames)
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        return None
    low, high = np.percentile(pixels, (0.5, 99.8))
    return (float(low), float(high) if high > low else float(low) + 1)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
