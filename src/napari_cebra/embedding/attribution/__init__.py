"""Which neurons a latent comes from: attribution of a trained encoder (xCEBRA).

Settings and results load without PyTorch, so that a project can be opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cebra.embedding.attribution.config import METHODS, AttributionConfig
from napari_cebra.embedding.attribution.result import Attribution, RoiAttribution
from napari_cebra.embedding.attribution.score import Separation, separation

if TYPE_CHECKING:
    from napari_cebra.embedding.attribution.over_rows import attribute, attribute_rois

__all__ = [
    "METHODS",
    "Attribution",
    "AttributionConfig",
    "RoiAttribution",
    "Separation",
    "attribute",
    "attribute_rois",
    "separation",
]


def __getattr__(name: str) -> Any:
    if name not in ("attribute", "attribute_rois"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.over_rows"), name)
