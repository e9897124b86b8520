"""Movies whose motion is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.field_of_view import MARGIN, draw_field_of_view

PAD = 16  # pixels drawn beyond the frame, for motion to bring in


@dataclass(frozen=True)
class MovedStack:
    """A stack in memory."""

    array: np.ndarray
    rate: float | None = 30.0

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return self.array.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.array[start:stop]


def tissue(size: int, seed: int = 0) -> np.ndarray:
    """Somata, neuropil and vessels, in units of the mean neuropil."""
    side = size + 2 * PAD
    config = V1Movie(n_cells=(side // 20) ** 2, field_shape=(side, side), seed=seed)
    field = draw_field_of_view(np.random.default_rng(seed), config)
    light = field.neuropil[0] + field.somata.sum(axis=1).A1
    side += 2 * MARGIN
    return light.reshape(side, side)


def filmed(
    still: np.ndarray, size: int, moved: np.ndarray, photons: float, seed: int = 1
) -> np.ndarray:
    """Film it, displaced by (T, Y, X, 2) or (T, 2) pixels, with photon noise."""
    rng = np.random.default_rng(seed)
    spline = ndimage.spline_filter(still, order=3)
    pixel = np.indices((size, size)) + (still.shape[0] - size) // 2
    out = np.empty((len(moved), size, size), np.int16)
    for t, field in enumerate(moved):
        at = pixel - np.moveaxis(np.broadcast_to(field, (size, size, 2)), -1, 0)
        seen = ndimage.map_coordinates(spline, at, order=3, prefilter=False)
        light = rng.poisson(photons * np.maximum(seen, 0))
        out[t] = np.rint(10 * light + 100 + rng.normal(0, 8, light.shape))
    return out


def walk(n: int, span: float, seed: int = 2) -> np.ndarray:
    """Return (n, 2) displacements, jittered about a slow walk, within `span`."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(0, 0.3, (n, 2)), axis=0) + rng.normal(0, 1, (n, 2))
    return span * np.tanh((steps - np.median(steps, axis=0)) / span)


def error(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the distance in pixels, but for where the template stands."""
    off = found - true
    return np.hypot(*np.moveaxis(off - np.median(off, axis=0), -1, 0))


@pytest.fixture(scope="session")
def still():
    """What is filmed in 128 × 128 pixels."""
    return tissue(128)
