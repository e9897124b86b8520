"""Which neurons a latent comes from: attribution of a trained encoder (xCEBRA)."""

from napari_cebra.embedding.attribution.config import METHODS, AttributionConfig
from napari_cebra.embedding.attribution.over_rows import attribute, attribute_rois
from napari_cebra.embedding.attribution.result import Attribution, RoiAttribution
from napari_cebra.embedding.attribution.score import Separation, separation

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
