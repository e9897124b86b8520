from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.recording import RoiSet


class ArrayStack:
    """A stack in memory that remembers what was read of it."""

    def __init__(self, array: np.ndarray, rate: float | None = 30.0) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.rate = rate
        self.asked: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> np.ndarray:
        self.asked.append((start, stop))
        return self.array[start:stop]


def run(generator):
    """Run a generator to its end: its reports and its result."""
    reports = []
    while True:
        try:
            reports.append(next(generator))
        except StopIteration as end:
            return reports, end.value


def discs(shape, centres, radius=4, rng=None):
    """Round masks, weighted at random where `rng` is given."""
    grid_y, grid_x = np.indices(shape)
    masks = []
    for cy, cx in centres:
        y, x = np.nonzero((grid_y - cy) ** 2 + (grid_x - cx) ** 2 <= radius**2)
        weights = None if rng is None else rng.uniform(0.1, 1, y.size)
        masks.append((y, x, weights))
    return RoiSet.from_masks(masks, shape)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
