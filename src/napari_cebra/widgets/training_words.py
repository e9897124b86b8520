"""The settings of a training in a line, and how two of them differ."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from napari_cebra.embedding.descriptions import receptive_field
from napari_cebra.pipeline.encoder_shape import EncoderShape
from napari_cebra.pipeline.fit_split import in_words
from napari_cebra.viewer.numbers import count
from napari_cebra.widgets.encoder_form import KIND_NAMES

if TYPE_CHECKING:
    from napari_cebra.embedding import TrainConfig

_NAMES = {
    "model_architecture": "encoder",
    "max_iterations": "steps",
    "stop_iteration": "last step",
    "output_dimension": "latents",
    "num_hidden_units": "hidden units",
    "time_offsets": "time offset",
}
# They choose among equals, and a comparison draws its own seeds.
_NO_MATTER = frozenset({"seed", "device", "threads"})


def settings_text(training: TrainConfig, rate: float | None) -> str:
    """Return "hidden layer, 1.6 s (48 frames), 500 steps, temperature 0.1, 8 latents".

    Parameters
    ----------
    training : TrainConfig
    rate : float or None
        Imaging frames per second; None leaves the window in frames.

    Raises
    ------
    InvalidInput
        If the encoder's description cannot be read.
    """
    shape = EncoderShape.of(training)
    encoder = training.model_architecture
    if shape is not None:
        encoder = KIND_NAMES[shape.kind].lower()
    frames = sum(receptive_field(training.model_architecture, training.first_kernel))
    is_learned = training.temperature_mode == "auto"
    parts = (
        encoder,
        in_words(frames, rate),
        f"{count(training.last_iteration)} steps",
        f"temperature {training.temperature:g}{' (learned)' if is_learned else ''}",
        f"{count(training.output_dimension)} latents",
    )
    return ", ".join(parts)


def differences(one: TrainConfig, other: TrainConfig) -> list[str]:
    """Return the names of the settings that differ and can change a result."""
    return [
        _NAMES.get(item.name, item.name.replace("_", " "))
        for item in fields(one)
        if item.name not in _NO_MATTER
        and getattr(one, item.name) != getattr(other, item.name)
    ]
