"""What the computation of dF/F gives, and what is to be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.recording import Traces
    from napari_cebra.traces.deconvolve import Events

FLAGGED = "F0 does not stand out of the noise, so its dF/F is not to be trusted."
NO_DECAY = (
    "It does not decay as calcium does, so its events are not to be trusted; give the "
    "decay of the indicator."
)


@dataclass(frozen=True, eq=False)
class Dff:
    """dF/F and everything it was made of.

    Parameters
    ----------
    traces : Traces
        (T, N) what was asked for: dF/F as a share of F0, F - F0 in counts, or
        events; 0 where events are not known, in artefacts.
    change : (T, N) float32
        dF/F (or F - F0), also where `traces` holds events.
    f0 : (T, N) float32
        Baseline, in counts.
    corrected : (T, N) float32
        Fluorescence after neuropil subtraction, in counts.
    noise : (N,) float32
        Standard deviation of the noise of `corrected`, in counts.
    flagged : (N,) bool
        ROIs whose F0 does not stand out of the noise in more than 5 % of the
        fit rows, or that never change: their dF/F is not to be trusted.
    coefficient : (N,) float64
        Share of the neuropil that was subtracted; 0 without neuropil.
    at_bound : (N,) bool
        ROIs whose fitted coefficient ended at the edge of what is allowed.
    valid : (T,) bool
        False in artefacts, which no fit has seen.
    events : Events or None
        What deconvolution found, with its noise and decay.
    fade : (T,) float64 or None
        Bleaching that all ROIs share and F0 follows; None where it does not.
    """

    traces: Traces
    change: np.ndarray
    f0: np.ndarray
    corrected: np.ndarray
    noise: np.ndarray
    flagged: np.ndarray
    coefficient: np.ndarray
    at_bound: np.ndarray
    valid: np.ndarray
    events: Events | None = None
    fade: np.ndarray | None = None

    def warnings(self) -> dict[int, tuple[str, ...]]:
        """Return what is to be said about single ROIs, by column."""
        found = np.zeros(self.flagged.size, bool)
        if self.events is not None:
            found = ~self.events.decay_found
        said: dict[int, tuple[str, ...]] = {}
        for k in np.flatnonzero(self.flagged | self.at_bound | found).tolist():
            lines = []
            if self.flagged[k]:
                lines.append(FLAGGED)
            if self.at_bound[k]:
                lines.append(
                    f"The fitted neuropil coefficient ended at its bound, "
                    f"{self.coefficient[k]:g}; look at its ring, or use a fixed one."
                )
            if found[k]:
                lines.append(NO_DECAY)
            said[k] = tuple(lines)
        return said
