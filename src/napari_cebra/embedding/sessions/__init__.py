"""Several recordings: trained together, or one model taken to another."""

from napari_cebra.embedding.sessions.adapting import adapt
from napari_cebra.embedding.sessions.encoders import MultiEncoder
from napari_cebra.embedding.sessions.pairs import SessionBatch, bind_sessions
from napari_cebra.embedding.sessions.training import Session, SessionTraining

__all__ = [
    "MultiEncoder",
    "Session",
    "SessionBatch",
    "SessionTraining",
    "adapt",
    "bind_sessions",
]
