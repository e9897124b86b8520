"""CEBRA: encoders, pairs, losses and training. Knows `recording` only.

`TrainConfig` and `recommended` load without PyTorch; the rest loads it on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cebra.embedding.config import TrainConfig, recommended
from napari_cebra.embedding.errors import TrainingError

if TYPE_CHECKING:
    from napari_cebra.embedding.architectures import receptive_field
    from napari_cebra.embedding.attribution import (
        Attribution,
        AttributionConfig,
        RoiAttribution,
        attribute,
        attribute_rois,
        separation,
    )
    from napari_cebra.embedding.devices import (
        default_threads,
        describe_device,
        resolve_device,
    )
    from napari_cebra.embedding.encoder import Encoder
    from napari_cebra.embedding.pairs import (
        ContinuousPairs,
        DiscretePairs,
        HybridPairs,
        MixedPairs,
        MoviePairs,
        TimePairs,
        pairs_for,
    )
    from napari_cebra.embedding.training import Training, TrainReport
    from napari_cebra.embedding.xcebra import Subspace, XcebraConfig, XcebraTraining

_HOME = {
    "Attribution": "attribution",
    "AttributionConfig": "attribution",
    "RoiAttribution": "attribution",
    "Subspace": "xcebra",
    "XcebraConfig": "xcebra",
    "XcebraTraining": "xcebra",
    "attribute": "attribution",
    "attribute_rois": "attribution",
    "separation": "attribution",
    "receptive_field": "architectures",
    "default_threads": "devices",
    "describe_device": "devices",
    "resolve_device": "devices",
    "Encoder": "encoder",
    "ContinuousPairs": "pairs",
    "DiscretePairs": "pairs",
    "HybridPairs": "pairs",
    "MixedPairs": "pairs",
    "MoviePairs": "pairs",
    "TimePairs": "pairs",
    "pairs_for": "pairs",
    "Training": "training",
    "TrainReport": "training",
}

__all__ = [
    "Attribution",
    "AttributionConfig",
    "ContinuousPairs",
    "DiscretePairs",
    "Encoder",
    "HybridPairs",
    "MixedPairs",
    "MoviePairs",
    "RoiAttribution",
    "Subspace",
    "TimePairs",
    "TrainConfig",
    "TrainReport",
    "Training",
    "TrainingError",
    "XcebraConfig",
    "XcebraTraining",
    "attribute",
    "attribute_rois",
    "default_threads",
    "describe_device",
    "pairs_for",
    "receptive_field",
    "recommended",
    "resolve_device",
    "separation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
