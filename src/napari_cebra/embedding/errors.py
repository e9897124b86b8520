"""What can go wrong while training."""

from __future__ import annotations

from napari_cebra.recording import NapariCebraError


class TrainingError(NapariCebraError):
    """Training could not go on; the text says at which step, why, and what to do."""
