"""Whether values can be a clock."""

from __future__ import annotations

import numpy as np


def not_a_clock(values: np.ndarray) -> str:
    """Return why values cannot be a clock, naming the first row; else empty."""
    unknown = np.flatnonzero(~np.isfinite(values))
    if unknown.size:
        return f"row {unknown[0] + 1} is empty"
    back = np.flatnonzero(np.diff(values) <= 0)
    if back.size:
        k = back[0]
        how = "stays at" if values[k + 1] == values[k] else "goes back to"
        return f"row {k + 2} {how} {values[k + 1]:g} after {values[k]:g}"
    return ""
