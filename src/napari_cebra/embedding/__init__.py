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
    from napari_cebra.embedding.alignment import (
        OrthogonalProcrustesAlignment,
        ensemble_embeddings,
    )
    from napari_cebra.embedding.architectures import published_names, receptive_field
    from napari_cebra.embedding.attribution import (
        Attribution,
        AttributionConfig,
        RoiAttribution,
        attribute,
        attribute_rois,
        separation,
    )
    from napari_cebra.embedding.consistency import consistency_score
    from napari_cebra.embedding.devices import (
        default_threads,
        describe_device,
        resolve_device,
    )
    from napari_cebra.embedding.encoder import Encoder
    from napari_cebra.embedding.estimator import CEBRA
    from napari_cebra.embedding.masks import Masks
    from napari_cebra.embedding.pairs import (
        ContinuousPairs,
        DiscretePairs,
        HybridPairs,
        MixedPairs,
        MoviePairs,
        TimePairs,
        pairs_for,
    )
    from napari_cebra.embedding.reference_files import (
        ReferenceModel,
        read_reference_model,
        write_reference_model,
    )
    from napari_cebra.embedding.sessions import (
        MultiEncoder,
        Session,
        SessionTraining,
        UnifiedEncoder,
        UnifiedTraining,
        adapt,
    )
    from napari_cebra.embedding.training import Training, TrainReport
    from napari_cebra.embedding.xcebra import Subspace, XcebraConfig, XcebraTraining

_HOME = {
    "CEBRA": "estimator",
    "OrthogonalProcrustesAlignment": "alignment",
    "ensemble_embeddings": "alignment",
    "consistency_score": "consistency",
    "published_names": "published",
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
    "Masks": "masks",
    "MultiEncoder": "sessions",
    "Session": "sessions",
    "SessionTraining": "sessions",
    "UnifiedEncoder": "sessions",
    "UnifiedTraining": "sessions",
    "adapt": "sessions",
    "ReferenceModel": "reference_files",
    "read_reference_model": "reference_files",
    "write_reference_model": "reference_files",
    "Training": "training",
    "TrainReport": "training",
}

__all__ = [
    "CEBRA",
    "Attribution",
    "AttributionConfig",
    "ContinuousPairs",
    "DiscretePairs",
    "Encoder",
    "HybridPairs",
    "Masks",
    "MixedPairs",
    "MoviePairs",
    "MultiEncoder",
    "OrthogonalProcrustesAlignment",
    "ReferenceModel",
    "RoiAttribution",
    "Session",
    "SessionTraining",
    "Subspace",
    "TimePairs",
    "TrainConfig",
    "TrainReport",
    "Training",
    "TrainingError",
    "UnifiedEncoder",
    "UnifiedTraining",
    "XcebraConfig",
    "XcebraTraining",
    "adapt",
    "attribute",
    "attribute_rois",
    "consistency_score",
    "default_threads",
    "describe_device",
    "ensemble_embeddings",
    "pairs_for",
    "published_names",
    "read_reference_model",
    "receptive_field",
    "recommended",
    "resolve_device",
    "separation",
    "write_reference_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
