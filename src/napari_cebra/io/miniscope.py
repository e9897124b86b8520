"""The clock of a UCLA Miniscope, which its videos do not keep."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.units import positive

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST_ROWS = 20_000_000


def clock_rate(folder: Path, n_frames: int) -> tuple[float, str] | None:
    """Return frames per second and the file that says so; None if none does.

    Time stamps (``timeStamps.csv`` of version 4, ``timestamp.dat`` of version 3)
    count before the rate that was set (``metaData.json``). Those of version 3 are of
    several cameras; the one with as many stamps as there are frames is taken.
    """
    stamps = folder / "timeStamps.csv"
    if stamps.is_file():
        rate = _median_rate(_cameras(stamps, ",", number=None, clock=1), n_frames)
        if rate is not None:
            return rate, stamps.name
    stamps = folder / "timestamp.dat"
    if stamps.is_file():
        rate = _median_rate(_cameras(stamps, "\t", number=0, clock=2), n_frames)
        if rate is not None:
            return rate, stamps.name
    settings = folder / "metaData.json"
    if settings.is_file():
        rate = _set_rate(settings)
        if rate is not None:
            return rate, settings.name
    return None


def _cameras(
    path: Path, delimiter: str, number: int | None, clock: int
) -> Iterable[list[float]]:
    """Milliseconds of each camera; a line that is no row of numbers is left out."""
    cameras: dict[str, list[float]] = {}
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        for k, row in enumerate(csv.reader(file, delimiter=delimiter)):
            if k > _MOST_ROWS or len(row) <= clock:
                continue
            try:
                stamp = float(row[clock])
            except ValueError:
                continue
            cameras.setdefault("" if number is None else row[number], []).append(stamp)
    return cameras.values()


def _median_rate(cameras: Iterable[list[float]], n_frames: int) -> float | None:
    for stamps in cameras:
        if len(stamps) == n_frames and n_frames > 2:
            # The first stamp of version 3 is often far off.
            step = positive(np.median(np.diff(stamps[1:])))
            return None if step is None else 1000 / step
    return None


def _set_rate(path: Path) -> float | None:
    try:
        settings = json.loads(path.read_text("utf-8", errors="replace"))
    except ValueError:
        return None
    said = settings.get("frameRate") if isinstance(settings, dict) else None
    digits = re.match(r"\s*(\d+(\.\d+)?)", str(said))
    return None if digits is None else positive(digits[1])
