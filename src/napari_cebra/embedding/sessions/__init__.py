"""Several recordings: trained together, or one model taken to another."""

from napari_cebra.embedding.sessions.adapting import adapt
from napari_cebra.embedding.sessions.encoders import MultiEncoder
from napari_cebra.embedding.sessions.masks import Masks
from napari_cebra.embedding.sessions.pairs import SessionBatch, bind_sessions
from napari_cebra.embedding.sessions.training import Session, SessionTraining
from napari_cebra.embedding.sessions.unified import UnifiedEncoder, UnifiedTraining

__all__ = [
    "Masks",
    "MultiEncoder",
    "Session",
    "SessionBatch",
    "SessionTraining",
    "UnifiedEncoder",
    "UnifiedTraining",
    "adapt",
    "bind_sessions",
]
