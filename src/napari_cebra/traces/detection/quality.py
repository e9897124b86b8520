"""How much what was found looks like a cell in focus, from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.traces.detection.growth import Features

# Value at which a feature speaks fully against a cell, and fully for it; half way
# is where the two separate best on simulated fields. Sharpness and area are
# relative to the sharpest of the strongest masks of the same field, which
# knows the optics and the cells better than a person's guess of their diameter;
# skewness is what neuropil and motion lack.
_LIMITS = (
    ("area", 1.75, 1.3),
    ("area", 0.22, 0.45),
    ("spread", 1.14, 1.03),
    ("sharpness", 0.74, 0.92),
    ("agreement", 0.05, 0.4),
    ("skewness", 0.3, 1.2),
)
_STRONGEST = 0.4, 8  # share of the masks, and number of them at least
_AS_SHARP = 0.85
_USUAL_AREAS = (0.6, 1.8)  # that the sharpest may have, in discs


def quality(features: Sequence[Features], strength: np.ndarray) -> np.ndarray:
    """Return (n,) float64: the worst of the features' verdicts on each mask.

    Parameters
    ----------
    features : sequence of n Features
    strength : (n,) float64
        How far the activity of each stands out.
    """
    if not features:
        return np.zeros(0)
    values = {
        name: np.nan_to_num([getattr(one, name) for one in features])
        for name in ("area", "spread", "sharpness", "agreement", "skewness")
    }
    # Among the weak ones there are fragments of texture, small and sharp.
    share, least = _STRONGEST
    strong = np.argsort(-strength)[: max(round(share * strength.size), least)]
    sharp = np.percentile(values["sharpness"][strong], 75)
    is_usual = values["sharpness"][strong] >= _AS_SHARP * sharp
    usual = np.median(values["area"][strong][is_usual])
    values["area"] = values["area"] / np.clip(usual, *_USUAL_AREAS)
    values["sharpness"] = values["sharpness"] / max(sharp, 1e-9)
    verdicts = [
        (values[name] - against) / (in_favour - against)
        for name, against, in_favour in _LIMITS
    ]
    return np.clip(np.min(verdicts, axis=0), 0, 1)
