"""What is asked of an attribution, in one frozen object. Loads without PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from napari_cebra.embedding.json_settings import JsonSettings
from napari_cebra.recording import InvalidInput

METHODS = (
    "jacobian-based",
    "neuron-gradient",
    "feature-ablation",
    "integrated-gradients",
    "neuron-gradient-shap",
)
"""Names as published; each may end in ``-batched``, which all of them are."""

GRADIENTS = METHODS[:2]
PARTS = METHODS[3:]
"""Methods whose maps add up, over frames and neurons, to the whole change."""


@dataclass(frozen=True)
class AttributionConfig(JsonSettings):
    """Settings of one attribution.

    Parameters
    ----------
    method : str
        One of `METHODS`. ``jacobian-based`` and ``neuron-gradient`` are the
        same numbers under two published names.
    baseline : {"zero", "rows"}
        What an input is compared with: zero (with a standardised encoder the
        mean of each neuron), or the window of another row drawn at random.
        Gradients compare with nothing and ignore it.
    n_steps : int
        Points of the Gauss-Legendre rule of integrated gradients.
    n_samples : int
        Draws per row of ``neuron-gradient-shap``.
    noise : float
        SD of the noise which those draws add to the input.
    ablate : {"neuron", "frame"}
        Take a neuron out of its whole window, or, as published, out of one
        frame of it after the other (slower by the frames of the window).
    max_rows : int or None
        Attribute so many rows, drawn at random; None is all.
    seed : int
        Of rows, baselines, draws and noise.
    """

    what: ClassVar[str] = "attribution"

    method: str = "jacobian-based"
    baseline: str = "zero"
    n_steps: int = 50
    n_samples: int = 5
    noise: float = 0.0
    ablate: str = "neuron"
    max_rows: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.method, str):
            object.__setattr__(self, "method", self.method.removesuffix("-batched"))
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InvalidInput(
                    f"The attribution setting {name} must be one of "
                    f"{', '.join(allowed)}, not {getattr(self, name)!r}."
                )
        for name, low, high in _WHOLE:
            value = getattr(self, name)
            if value is None and name == "max_rows":
                continue
            if type(value) is not int or not low <= value <= high:
                raise InvalidInput(
                    f"The attribution setting {name} must be a whole number between "
                    f"{low} and {high}, not {value!r}."
                )
        number = isinstance(self.noise, int | float) and not isinstance(
            self.noise, bool
        )
        if not number or not (math.isfinite(self.noise) and self.noise >= 0):
            raise InvalidInput(
                "The attribution setting noise must be a number that is not negative, "
                f"not {self.noise!r}."
            )


_CHOICES = {
    "method": METHODS,
    "baseline": ("zero", "rows"),
    "ablate": ("neuron", "frame"),
}
_WHOLE = (
    ("n_steps", 1, 10_000),
    ("n_samples", 1, 10**6),
    ("max_rows", 1, 10**12),
    ("seed", 0, 2**63 - 1),
)
