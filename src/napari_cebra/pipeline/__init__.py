"""The steps in order under one typed config: what window, command and script call."""

from napari_cebra.pipeline.config import (
    STIMULUS,
    DecodingConfig,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
)
from napari_cebra.pipeline.decode import DecodeReport, decode
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.embedding_result import (
    Display,
    Embedding,
    TrainingLog,
    display_coordinates,
)
from napari_cebra.pipeline.fit import Fit, FitReport, fit
from napari_cebra.pipeline.run import exhaust
from napari_cebra.pipeline.target import Target

__all__ = [
    "STIMULUS",
    "DecodeReport",
    "Decoding",
    "DecodingConfig",
    "Display",
    "Embedding",
    "Fit",
    "FitReport",
    "PipelineConfig",
    "SourceConfig",
    "Target",
    "TargetConfig",
    "TrainingLog",
    "decode",
    "display_coordinates",
    "exhaust",
    "fit",
]
