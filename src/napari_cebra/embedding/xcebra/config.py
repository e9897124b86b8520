"""Settings of a regularised or multi-objective training. Loads without PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from napari_cebra.embedding.json_settings import JsonSettings
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEDULES = ("constant", "linear", "ramp_up")


@dataclass(frozen=True)
class Subspace:
    """Latents ``start:stop`` that one objective shapes, and its weight."""

    start: int
    stop: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        whole = type(self.start) is int and type(self.stop) is int
        if not whole or not 0 <= self.start < self.stop:
            raise InvalidInput(
                f"A subspace goes from one latent to a later one, not from "
                f"{self.start!r} to {self.stop!r}; latents are counted from 0."
            )
        if not _positive(self.weight) or self.weight == 0:
            raise InvalidInput(
                f"The weight of a subspace must be above 0, not {self.weight!r}."
            )


@dataclass(frozen=True)
class XcebraConfig(JsonSettings):
    """What a training has beyond its `TrainConfig`.

    Parameters
    ----------
    subspaces : tuple of Subspace
        One for each objective, in the order of their pairs; they may overlap.
        None: one objective on all latents.
    renormalize : bool
        Put each part of the latents between two borders of subspaces back on
        a sphere of its own before they are compared.
    jacobian_weight : float
        Weight of the penalty on the Jacobian; 0 is off.
    schedule : {"constant", "linear", "ramp_up"}
        "linear" goes from `start_weight` at `from_step` to `jacobian_weight`
        at `to_step` and is off outside; "ramp_up" then stays.
    start_weight : float
    from_step, to_step : int
        Counted from 0.
    projections : int or None
        Random directions by which the penalty is estimated; None is exact.
    """

    what: ClassVar[str] = "xCEBRA"

    subspaces: tuple[Subspace, ...] = ()
    renormalize: bool = False
    jacobian_weight: float = 0.0
    schedule: str = "constant"
    start_weight: float = 0.0
    from_step: int = 0
    to_step: int = 1
    projections: int | None = None

    def __post_init__(self) -> None:
        for name in ("jacobian_weight", "start_weight"):
            if not _positive(getattr(self, name)):
                raise InvalidInput(
                    f"The setting {name} must be a number that is not negative, not "
                    f"{getattr(self, name)!r}."
                )
        if self.schedule not in SCHEDULES:
            raise InvalidInput(
                f"The setting schedule must be one of {', '.join(SCHEDULES)}, not "
                f"{self.schedule!r}."
            )
        steps = self.from_step, self.to_step
        if not all(type(s) is int for s in steps) or not 0 <= steps[0] < steps[1]:
            raise InvalidInput(
                "The penalty's schedule must go from a step to a later one, not from "
                f"{self.from_step!r} to {self.to_step!r}."
            )
        n = self.projections
        if n is not None and (type(n) is not int or n < 1):
            raise InvalidInput(
                f"The setting projections must be at least 1, or none for the exact "
                f"penalty, not {n!r}."
            )
        if not isinstance(self.renormalize, bool):
            raise InvalidInput("The setting renormalize must be true or false.")
        object.__setattr__(self, "subspaces", tuple(self.subspaces))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> XcebraConfig:
        """Build from a mapping; names that are missing take their default.

        Raises
        ------
        InvalidInput
            If a name is unknown or a value is out of range.
        """
        settings = dict(settings)
        try:
            parts = [Subspace(**part) for part in settings.pop("subspaces", ())]
        except TypeError as error:
            raise InvalidInput(
                f"The subspaces are not written as start, stop and weight ({error})."
            ) from error
        return super().from_dict({**settings, "subspaces": tuple(parts)})

    def weight(self, step: int) -> float:
        """Return the weight of the penalty at a step, counted from 0."""
        if self.schedule == "constant":
            return self.jacobian_weight
        share = (step - self.from_step) / (self.to_step - self.from_step)
        if share < 0 or (share > 1 and self.schedule == "linear"):
            return 0.0
        change = self.jacobian_weight - self.start_weight
        return self.start_weight + change * min(share, 1.0)


def _positive(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type,operator]
