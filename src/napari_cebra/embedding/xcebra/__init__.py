"""Jacobian-regularised and multi-objective training (xCEBRA)."""

from napari_cebra.embedding.xcebra.config import Subspace, XcebraConfig
from napari_cebra.embedding.xcebra.training import XcebraTraining, renormalized

__all__ = ["Subspace", "XcebraConfig", "XcebraTraining", "renormalized"]
