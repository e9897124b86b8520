"""From the seconds of one clock to those of another: a scale and an offset."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class ClockMap:
    """How the seconds of a source clock become those of a target clock.

    ``target = scale * source + offset``.

    Parameters
    ----------
    scale : float
        Target seconds in a source second; 1.0344 for a clock 3.44 % slow.
    offset : float
        Target time, in seconds, at which the source clock says 0.
    by : str
        What it was found by: "given", "rates", "pulses" or "onsets".
    matched : int
        Number of pairs of pulses or onsets it was fitted to; 0 where there
        were none, and nothing has checked it.
    match_rate : float, optional
        Share of the pulses both logs should hold that found a partner.
    residual_s : float, optional
        Root mean square of what the fit leaves, in target seconds.

    Raises
    ------
    InvalidInput
        If the scale is not positive or a number is not finite.
    """

    scale: float = 1.0
    offset: float = 0.0
    by: str = "given"
    matched: int = 0
    match_rate: float | None = None
    residual_s: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf and math.isfinite(self.offset)):
            raise InvalidInput(
                "A clock needs a positive scale and an offset in seconds, not "
                f"{self.scale} and {self.offset}."
            )

    @classmethod
    def from_rates(
        cls,
        source_rate: float,
        target_rate: float,
        source_start: float = 0.0,
        target_start: float = 0.0,
    ) -> ClockMap:
        """Return the map under which the same samples have these two rates.

        Sample k is at ``source_start + k / source_rate`` on one clock and at
        ``target_start + k / target_rate`` on the other. With a source rate of
        1 the source times are sample numbers. Nothing checks such a map.

        Raises
        ------
        InvalidInput
            If a rate is not positive.
        """
        for rate in (source_rate, target_rate):
            if not (math.isfinite(rate) and rate > 0):
                raise InvalidInput(
                    f"A rate must be a positive number of samples per second, not "
                    f"{rate}; look it up in the acquisition's settings."
                )
        scale = source_rate / target_rate
        return cls(scale, target_start - scale * source_start, "rates")

    def to(self, source: ArrayLike) -> np.ndarray:
        """Return the target times of source times, in seconds (float64)."""
        return self.scale * np.asarray(source, np.float64) + self.offset

    def back(self, target: ArrayLike) -> np.ndarray:
        """Return the source times of target times, in seconds (float64)."""
        return (np.asarray(target, np.float64) - self.offset) / self.scale

    def inverse(self) -> ClockMap:
        """Return the map from the target clock to the source clock."""
        residual = None if self.residual_s is None else self.residual_s / self.scale
        return ClockMap(
            1 / self.scale,
            -self.offset / self.scale,
            self.by,
            self.matched,
            self.match_rate,
            residual,
        )

    def then(self, after: ClockMap) -> ClockMap:
        """Return this map followed by another, as behaviour → rig → imaging.

        It is as well matched as the worse of the two; residuals add in squares.
        """
        rates = [m.match_rate for m in (self, after) if m.match_rate is not None]
        left = [
            residual * scale
            for residual, scale in (
                (self.residual_s, after.scale),
                (after.residual_s, 1.0),
            )
            if residual is not None
        ]
        return ClockMap(
            after.scale * self.scale,
            after.scale * self.offset + after.offset,
            self.by if self.by == after.by else f"{self.by}, then {after.by}",
            min(self.matched, after.matched),
            min(rates) if rates else None,
            math.hypot(*left) if left else None,
        )

    def __str__(self) -> str:
        line = f"scale {self.scale:.6f}, offset {self.offset:.4f} s, by {self.by}"
        if self.match_rate is not None:
            line += f": {self.match_rate:.0%} match"
        if self.residual_s is not None:
            line += f", residual {1e3 * self.residual_s:.3f} ms"
        return line if self.matched else f"{line} (not checked)"

    def to_json(self) -> str:
        """Return the map as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ClockMap:
        """Build from what `to_json` wrote.

        Raises
        ------
        InvalidInput
            If the text is not a clock.
        """
        try:
            stored: Mapping[str, Any] = json.loads(text)
            known = {field.name for field in fields(cls)}
            if not isinstance(stored, dict) or set(stored) - known:
                raise TypeError("other names than those of a clock")
            return cls(**stored)
        except (json.JSONDecodeError, TypeError) as error:
            raise InvalidInput(
                f"This is not the JSON text of a clock ({error}); align the clocks "
                "again and save the result."
            ) from error
