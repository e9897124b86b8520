"""From activity to the frames a two-photon microscope would write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.simulate.field_of_view import (
    MARGIN,
    FieldOfView,
    bleaching,
    draw_field_of_view,
    motion,
    neuropil_activity,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.simulate.v1 import V1Activity

CHUNK = 30  # frames rendered at a time: bounds the memory
COUNTS_PER_PHOTON = 10.0
OFFSET = 100.0  # counts of the digitiser in the dark
READ_NOISE = 8.0  # counts, standard deviation


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is needed to render any frame.

    Parameters
    ----------
    field : FieldOfView
        What is still.
    cells : (T, N) float32
        Brightness of each cell relative to rest: 1 + dF/F.
    neuropil : (T, K) float32
        Scale of each row of ``field.neuropil``.
    displacement : (T, 2) float64
        Rigid motion in pixels.
    bleach : (T,) float64
        Brightness of everything.
    photons : float
        Photons per pixel and frame at a brightness of one.
    seed : int
        Of the noise.
    """

    field: FieldOfView
    cells: np.ndarray
    neuropil: np.ndarray
    displacement: np.ndarray
    bleach: np.ndarray
    photons: float
    seed: int

    @classmethod
    def of(cls, activity: V1Activity) -> Scene:
        """Draw a field of view for this activity."""
        config = activity.config
        rng = np.random.default_rng([config.seed, 0xF0])
        field = draw_field_of_view(rng, config)
        dff = activity.true_dff
        return cls(
            field,
            1 + dff,
            neuropil_activity(rng, field, dff, config.rate),
            motion(rng, activity.arousal, config.rate),
            bleaching(dff.shape[0], config.rate),
            config.photons,
            config.seed,
        )

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start`` to ``stop`` (n, Y, X) int16, with noise.

        The noise is Gaussian with the variance of photon shot noise. It hangs on
        the seed and `start`: the same blocks give the same bits.
        """
        light = self._expected(start, stop)
        rng = np.random.Generator(np.random.SFC64([self.seed, 0xF1, start]))
        noise = rng.standard_normal(light.shape, np.float32)
        noise *= np.sqrt(
            light * np.float32(COUNTS_PER_PHOTON**2) + np.float32(READ_NOISE**2)
        )
        light *= np.float32(COUNTS_PER_PHOTON)
        light += noise
        light += np.float32(OFFSET)
        np.rint(light, out=light)
        np.clip(light, -32768, 32767, out=light)
        return light.astype(np.int16)

    def _expected(self, start: int, stop: int) -> np.ndarray:
        """Return photons per pixel without noise, (n, Y, X) float32."""
        field, rows = self.field, slice(start, stop)
        canvas = self.neuropil[rows] @ field.neuropil
        canvas += (field.somata @ self.cells[rows].T).T
        np.maximum(canvas, 0, out=canvas)
        canvas *= (self.photons * self.bleach[rows, None]).astype(np.float32)
        y, x = field.shape
        canvas = canvas.reshape(-1, y + 2 * MARGIN, x + 2 * MARGIN)
        out = np.empty((stop - start, y, x), np.float32)
        for k, shift in enumerate(self.displacement[rows]):
            (top, left), (fy, fx) = _split(MARGIN - shift)
            seen = canvas[k, top : top + y + 1, left : left + x + 1]
            down = seen[:-1] + fy * (seen[1:] - seen[:-1])
            out[k] = down[:, :-1] + fx * (down[:, 1:] - down[:, :-1])
        return out


def rendered(
    scene: Scene, n_frames: int, threads: int = 2
) -> Generator[np.ndarray, None, None]:
    """Yield the movie block by block, in order, rendering a little ahead."""
    starts = range(0, n_frames, CHUNK)
    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        try:
            for start in starts:
                stop = min(start + CHUNK, n_frames)
                waiting.append(pool.submit(scene.frames, start, stop))
                if len(waiting) > threads:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for late in waiting:
                late.cancel()


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole pixels and the rest."""
    whole = np.floor(position)
    return whole.astype(int), (position - whole).astype(np.float32)
