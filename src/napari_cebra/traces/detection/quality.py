"""How much what was found looks like a cell in focus, from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.traces.detection.growth import Features

# Value at which a feature speaks fully against a cell, and fully for it; its
# half way is where the two separate best on simulated fields. The sharpness is
# relative to the sharpest quarter of what was found in the same field, which
# knows the optics; skewness is what neuropil and motion lack.
_LIMITS = {
    "too large": ("area", 1.95, 1.4),
    "too small": ("area", 0.25, 0.5),
    "not round": ("spread", 1.14, 1.03),
    "out of focus": ("sharpness", 0.74, 0.92),
    "not the same in both halves": ("agreement", 0.05, 0.4),
    "not sparse": ("skewness", 0.3, 1.2),
}


def quality(features: Sequence[Features]) -> np.ndarray:
    """Return (n,) float64: the worst of the features' verdicts on each mask."""
    if not features:
        return np.zeros(0)
    worst = np.ones(len(features))
    for name, against, in_favour in _LIMITS.values():
        values = np.array([getattr(one, name) for one in features])
        if name == "sharpness":
            values = values / max(np.percentile(values, 75), 1e-9)
        verdict = (values - against) / (in_favour - against)
        worst = np.minimum(worst, np.clip(verdict, 0, 1))
    return worst
