"""Every choice between the files and the results, in one typed object.

The window, the command line and a script fill the same `PipelineConfig`; its
JSON beside the results is what repeats them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_cebra.decoding.knn import Weighting
from napari_cebra.embedding.config import TrainConfig, recommended
from napari_cebra.embedding.json_settings import json_object
from napari_cebra.pipeline.align_config import AlignConfig
from napari_cebra.pipeline.checks import one_of as _one_of
from napari_cebra.pipeline.checks import positive as _positive
from napari_cebra.pipeline.checks import section as _section
from napari_cebra.pipeline.column_config import ColumnConfig
from napari_cebra.pipeline.encoder_shape import EncoderConfig
from napari_cebra.recording import InvalidInput
from napari_cebra.recording.traces import TraceKind
from napari_cebra.recording.variable import VariableKind
from napari_cebra.traces.detection.settings import DetectionSettings
from napari_cebra.traces.motion.settings import MotionSettings
from napari_cebra.traces.settings import DffSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.recording import Recording

STIMULUS = "stimulus frame"
"""Name of the target that is the frame of the stimulus movie."""
DETECT = "detect"
"""Source of ROIs that are found in the stack itself."""

Mode = Literal["time", "behavior", "hybrid"]
_SCHEMA = 1


@dataclass(frozen=True)
class SourceConfig:
    """Where the recording comes from.

    Parameters
    ----------
    stack : str, optional
        Imaging stack, of any kind that `io.open_stack` reads.
    dataset, axes : str, optional
        Data set inside the file, and its order of axes ("TYX").
    channel, plane : int, optional
        Of a stack that has several, from 0.
    rate : float, optional
        Imaging frames per second, where the file does not say or is wrong.
    rois : str, optional
        "grid:N" (tiles of N × N pixels), "detect" (found in the stack), or a
        file or folder of ROIs: label image, RoiSet.zip of ImageJ, suite2p,
        CaImAn, minian or NWB.
    traces : str, optional
        A (T, N) table instead of a stack: npy, npz, csv or HDF5.
    traces_key : str, optional
        Array inside an npz or HDF5 file.
    time_axis : int, optional
        Axis of `traces` that is time.
    traces_kind : {"dff", "raw", "neuropil", "events", "rates", "other"}
        What the table holds.
    spikes : str, optional
        Spike times with a position track, instead of traces.
    bin_s : float
        Width of the bins spike times are counted in.
    reextract : bool
        Extract from the stack although traces came with the ROIs.
    accepted_only : bool
        Of a suite2p folder, use the cells it accepts.
    variables : str, optional
        Table with one row per imaging frame, or (see `AlignConfig`) on a clock of
        its own: CSV, Excel, MAT, npz, HDF5, NWB, poses of DeepLabCut, or events.
    variables_part : str, optional
        Sheet, struct, clock or table inside that file, one of ``Table.parts``.
    columns : tuple of ColumnConfig, optional
        Columns of it to keep as variables, or texts as ``"heading:circular:360"``;
        default all without a role.
    likelihood, longest_gap : float, int
        Of poses: below which likelihood a position is not used, and how many
        rows without one are filled in at most.
    shown_column, repeat_column, trial_column, valid_column, time_column : str
        Columns of that table: movie frame shown, number of the showing, trial,
        rows to use (not 0), seconds.
    stimulus_log : str, optional
        Another table, a row for each stimulus frame as it came on, which then
        holds the shown and the repeat column.
    stimulus_time_column : str, optional
        Its seconds.
    movie : str, optional
        Stimulus movie: TIFF, MP4 or npy.
    movie_rate : float, optional
        Movie frames per second, where the file does not say. Default: the
        imaging rate.
    """

    stack: str | None = None
    dataset: str | None = None
    axes: str | None = None
    channel: int | None = None
    plane: int | None = None
    rate: float | None = None
    rois: str | None = None
    traces: str | None = None
    traces_key: str | None = None
    time_axis: int | None = None
    traces_kind: TraceKind = "dff"
    spikes: str | None = None
    bin_s: float = 0.1
    reextract: bool = False
    accepted_only: bool = True
    variables: str | None = None
    variables_part: str | None = None
    columns: tuple[ColumnConfig, ...] | None = None
    likelihood: float = 0.6
    longest_gap: int = 10
    shown_column: str | None = None
    repeat_column: str | None = None
    trial_column: str | None = None
    valid_column: str | None = None
    time_column: str | None = None
    stimulus_log: str | None = None
    stimulus_time_column: str | None = None
    movie: str | None = None
    movie_rate: float | None = None

    @property
    def select(self) -> dict[str, int]:
        """Channel and plane as `io.open_stack` takes them."""
        chosen = {"C": self.channel, "Z": self.plane}
        return {axis: at for axis, at in chosen.items() if at is not None}

    def __post_init__(self) -> None:
        for name in ("rate", "movie_rate", "bin_s"):
            _positive(name, getattr(self, name))
        _one_of("traces_kind", self.traces_kind, get_args(TraceKind))
        if self.columns is not None:
            columns = tuple(ColumnConfig.of(column) for column in self.columns)
            object.__setattr__(self, "columns", columns)
        given = [n for n in ("stack", "traces", "spikes") if getattr(self, n)]
        if len(given) > 1:
            raise InvalidInput(
                f"Give one source of activity, not {' and '.join(given)}; leave out "
                "all but one."
            )


@dataclass(frozen=True)
class TargetConfig:
    """What is learnt from, and decoded.

    Parameters
    ----------
    name : str, optional
        A variable, or "stimulus frame"; None for an embedding of time alone.
    kind : {"continuous", "circular", "discrete"}, optional
        How its column is to be read.
    period : float, optional
        One turn of a circular variable.
    mode : {"behavior", "time", "hybrid"}
        What makes two moments alike: the target, nearness in time, or both.
    """

    name: str | None = None
    kind: VariableKind | None = None
    period: float | None = None
    mode: Mode = "behavior"

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, get_args(Mode))
        if self.kind is not None:
            _one_of("kind", self.kind, get_args(VariableKind))
        _positive("period", self.period)
        if self.name is None and self.mode != "time":
            object.__setattr__(self, "mode", "time")


@dataclass(frozen=True)
class DecodingConfig:
    """How the target is decoded and judged.

    Parameters
    ----------
    ks : tuple of int
        Numbers of neighbours to choose from, on validation rows.
    weighting : {"auto", "uniform", "distance"}
        How neighbours are weighed, see `KnnDecoder`.
    sigmas : tuple of float
        Smoothing (σ in frames) the raw population may choose from.
    folds : {"last", "all"}
        With repeats: test the last, or each in turn.
    n_blocks : int
        Without repeats: number of contiguous blocks, each tested in turn.
    calcium_decay_s : float
        Kept apart, beside the receptive field, at the border of a block.
    calcium_decay_frames : int
        Instead, where the rate is not known.
    n_controls : int
        Encoders trained on broken labels.
    """

    ks: tuple[int, ...] = (1, 4, 9, 16, 25, 49, 100)
    weighting: Weighting = "auto"
    sigmas: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0)
    folds: Literal["last", "all"] = "last"
    n_blocks: int = 5
    calcium_decay_s: float = 1.5
    calcium_decay_frames: int = 10
    n_controls: int = 3

    def __post_init__(self) -> None:
        _one_of("weighting", self.weighting, get_args(Weighting))
        _one_of("folds", self.folds, ("last", "all"))
        object.__setattr__(self, "ks", tuple(self.ks))
        object.__setattr__(self, "sigmas", tuple(self.sigmas))
        if not self.ks or any(not isinstance(k, int) or k < 1 for k in self.ks):
            raise InvalidInput(
                f"ks must be whole numbers of neighbours from 1, not {self.ks}."
            )
        if not self.sigmas or any(not s >= 0 for s in self.sigmas):
            raise InvalidInput(
                f"sigmas must be frames of smoothing from 0, not {self.sigmas}."
            )
        for name, least in (
            ("n_blocks", 3),
            ("n_controls", 0),
            ("calcium_decay_frames", 0),
            ("calcium_decay_s", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not value >= least:
                raise InvalidInput(f"{name} must be at least {least}, not {value!r}.")

    def gap(self, receptive_field: tuple[int, int], rate: float | None) -> int:
        """Return the frames left out at the border of a block."""
        decay: float = self.calcium_decay_frames
        if rate is not None:
            decay = self.calcium_decay_s * rate
        return sum(receptive_field) + int(-(-decay // 1))


@dataclass(frozen=True)
class PipelineConfig:
    """Source, traces, target, training, decoding, seed.

    Parameters
    ----------
    source : SourceConfig
    motion : MotionSettings, optional
        How the stack is registered before extraction; None leaves it as it is.
    align : AlignConfig
        How tables on clocks of their own come onto the imaging clock.
    detection : DetectionSettings
        How ROIs are found, where they are.
    dff : DffSettings
    target : TargetConfig
    training : TrainConfig, optional
        None takes what is recommended for the recording.
    training_changes : mapping
        Settings of `TrainConfig` that replace those, recommended or not.
    encoder : EncoderConfig
        Changes of the encoder that `training` names: its length and kind.
    decoding : DecodingConfig
    seed : int
        Of everything random; replaces the seed in `training`.

    Raises
    ------
    InvalidInput
        If a setting is out of range; the text names it.
    """

    source: SourceConfig = field(default_factory=SourceConfig)
    motion: MotionSettings | None = None
    align: AlignConfig = field(default_factory=AlignConfig)
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    dff: DffSettings = field(default_factory=DffSettings)
    target: TargetConfig = field(default_factory=TargetConfig)
    training: TrainConfig | None = None
    training_changes: Mapping[str, Any] = field(default_factory=dict)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise InvalidInput(
                f"The seed must be a whole number from 0, not {self.seed!r}."
            )
        TrainConfig.from_dict(self.training_changes)  # refuses what is unknown
        if self.training is not None and self.training.seed != self.seed:
            training = replace(self.training, seed=self.seed)
            object.__setattr__(self, "training", training)

    def resolved(self, recording: Recording) -> PipelineConfig:
        """Return the settings with nothing left open for this recording.

        What is recommended for its rate, size and target is filled in, and the
        number of threads, so that the results can be repeated.
        """
        training = self.training
        if training is None:
            training = TrainConfig(
                **recommended(
                    recording.rate,
                    recording.traces.n_rois,
                    int(recording.valid.sum()),
                    self._kind_of_target(recording),
                )
            )
        training = replace(training, **self.training_changes)
        encoder = self.encoder.settings(training, recording.rate)
        training = replace(training, **encoder)
        if training.threads is None:
            from napari_cebra.embedding import default_threads

            training = replace(training, threads=default_threads())
        return replace(
            self, training=training, training_changes={}, encoder=EncoderConfig()
        )

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Frames before a row, and from it on, that the (resolved) encoder sees."""
        from napari_cebra.embedding.descriptions import receptive_field

        assert self.training is not None
        return receptive_field(
            self.training.model_architecture, self.training.first_kernel
        )

    def gap(self, rate: float | None) -> int:
        """Return the frames left out at the border of a block.

        The receptive field of the (resolved) training plus the calcium decay.
        """
        return self.decoding.gap(self.receptive_field, rate)

    def _kind_of_target(self, recording: Recording) -> str | None:
        if self.target.name is None:
            return None
        if self.target.name == STIMULUS:
            return "movie"
        return recording.variable(self.target.name).kind

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        stored: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {"schema": _SCHEMA, **stored}

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PipelineConfig:
        """Build from `to_dict`; what is missing takes its default.

        Raises
        ------
        InvalidInput
            If a name is unknown, or a value is out of range or of the wrong type.
        """
        parts = dict(stored)
        schema = parts.pop("schema", _SCHEMA)
        if not isinstance(schema, int) or schema > _SCHEMA:
            raise InvalidInput(
                "The settings were written by a newer version of napari-cebra "
                f"(schema {schema}, this version knows {_SCHEMA}); update it."
            )
        sections = {
            "source": SourceConfig,
            "motion": MotionSettings,
            "align": AlignConfig,
            "detection": DetectionSettings,
            "dff": DffSettings,
            "target": TargetConfig,
            "training": TrainConfig,
            "encoder": EncoderConfig,
            "decoding": DecodingConfig,
        }
        for name, kind in sections.items():
            if parts.get(name) is not None:
                parts[name] = _section(kind, name, parts[name])
            elif name not in ("training", "motion"):
                parts.pop(name, None)
        return _section(cls, "config", parts)

    @classmethod
    def from_json(cls, text: str) -> PipelineConfig:
        """Build from JSON text, also of a summary, which holds the settings.

        Raises
        ------
        InvalidInput
            If the text is not a JSON object of known settings.
        """
        stored = json_object(text, "The settings")
        held = stored.get("config")
        return cls.from_dict(held if isinstance(held, dict) else stored)
