"""Units in which files write times and lengths, and numbers one can use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "µs": 1e-6, "us": 1e-6}
SECONDS |= {"ns": 1e-9, "min": 60.0}
MICROMETRES = dict.fromkeys(
    ("µm", "um", "μm", "\\u00B5m", "micron", "microns", "micrometer", "micrometre"), 1.0
)
MICROMETRES |= dict.fromkeys(("micrometers", "micrometres"), 1.0)
MICROMETRES |= {"nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "meters": 1e6, "meter": 1e6}
MICROMETRES |= {"nanometer": 1e-3, "millimeter": 1e3, "metres": 1e6}


def positive(value: Any) -> float | None:
    """Return a positive, finite number, None for anything else."""
    try:
        number = float(np.asarray(value).item())
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def count(value: object) -> int:
    """Return a whole number, 1 for what is none."""
    number = positive(value)
    return 1 if number is None or number > 1 << 40 else int(number)
