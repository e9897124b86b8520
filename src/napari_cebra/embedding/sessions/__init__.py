"""Several recordings: trained together, or one model taken to another."""

from napari_cebra.embedding.sessions.adapting import adapt
from napari_cebra.embedding.sessions.encoders import MultiEncoder
from napari_cebra.embedding.sessions.pairs import SessionBatch, bind_sessions
from napari_cebra.embedding.sessions.session import Session
from napari_cebra.embedding.sessions.training import SessionTraining
from napari_cebra.embedding.sessions.unified import UnifiedTraining
from napari_cebra.embedding.sessions.unified_encoder import UnifiedEncoder

__all__ = [
    "MultiEncoder",
    "Session",
    "SessionBatch",
    "SessionTraining",
    "UnifiedEncoder",
    "UnifiedTraining",
    "adapt",
    "bind_sessions",
]
