"""From counts to local activity in units of noise, and images of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.traces.detection.filters import (
    REACH,
    blur,
    spread,
    step_noise,
    tiles,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ABOVE = 3.0  # standard deviations of noise beyond which activity counts
SEED_SIGMA = 0.25  # of the blur that gathers a cell, in diameters
SURROUND_SIGMA = 1.0  # of the blur that is its surround, in diameters
_TREND_BINS = 60  # to each side
_FLUCTUATIONS = 0.3  # share in which they count as noise, beside steps
_TILE = 64  # pixels


@dataclass(frozen=True, eq=False)
class Contrast:
    """Local activity of every pixel, and what seeds are chosen from.

    Parameters
    ----------
    movie : (Y, X, bins) float32
        Above the surround, in standard deviations of the pixel's noise.
    pixel_noise : (Y, X) float32
        That standard deviation in counts; 0 where a pixel never changes.
    seed_noise : (Y, X) float32
        Noise of `movie` once it is blurred by `SEED_SIGMA` diameters.
    energy : (Y, X) float32
        Sum over bins of the blurred activity beyond `ABOVE`, squared.
    peak_to_noise, correlation : (Y, X) float32
        Largest blurred activity in units of its noise; mean correlation of a
        pixel with its eight neighbours.
    diameter : float
        In pixels.
    """

    movie: np.ndarray
    pixel_noise: np.ndarray
    seed_noise: np.ndarray
    energy: np.ndarray
    peak_to_noise: np.ndarray
    correlation: np.ndarray
    diameter: float

    @property
    def halo(self) -> int:
        """Pixels that the blur of a seed reaches."""
        return int(np.ceil(REACH * SEED_SIGMA * self.diameter))

    def blurred(self, y: slice, x: slice) -> np.ndarray:
        """Return the blurred activity of a part of the field of view."""
        height, width, _ = self.movie.shape
        halo = self.halo
        top, left = max(y.start - halo, 0), max(x.start - halo, 0)
        seen = self.movie[
            top : min(y.stop + halo, height), left : min(x.stop + halo, width)
        ]
        inside = (
            slice(y.start - top, y.stop - top),
            slice(x.start - left, x.stop - left),
        )
        return blur(seen, SEED_SIGMA * self.diameter)[inside]

    def energy_of(self, y: slice, x: slice) -> np.ndarray:
        """Return the energy of a part as the movie is now."""
        return energy(self.blurred(y, x), self.seed_noise[y, x])


def energy(blurred: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the sum of squares beyond `ABOVE` standard deviations of noise."""
    beyond = blurred / noise[..., None]
    beyond -= ABOVE
    np.maximum(beyond, 0, out=beyond)
    return np.asarray(np.einsum("yxb,yxb->yx", beyond, beyond))


def normalise(movie: np.ndarray, threads: int) -> np.ndarray:
    """Take slow trends off each pixel and divide by its noise, in place.

    Returns
    -------
    (Y, X) float32
        The noise; 0 where a pixel never changes.
    """
    noise = np.zeros(movie.shape[:2], np.float32)

    def one(rows: slice) -> None:
        part = movie[rows]
        if part.shape[-1] > 4 * _TREND_BINS:
            size = 2 * _TREND_BINS + 1
            part -= ndimage.uniform_filter1d(part, size, axis=-1)
        steps = step_noise(part)
        # Counts so coarse that most steps are zero.
        noise[rows] = np.where(steps > 0, steps, part.std(axis=-1))
        part /= np.where(noise[rows] > 0, noise[rows], 1)[..., None]

    _each(one, _strips(movie.shape[0]), threads)
    return noise


def local_contrast(
    movie: np.ndarray, noise: np.ndarray, diameter: float, threads: int
) -> Contrast:
    """Take the surround off a normalised movie, in place, and look for activity.

    The surround is a wide blur of the movie. It is scaled to each pixel by
    regression, as its share differs from pixel to pixel (vessels, texture; the
    idea of the ring model of Zhou et al. 2018, eLife 7:e28728).
    """
    _take_surround(movie, SURROUND_SIGMA * diameter, threads)
    shape = movie.shape[:2]
    seed_noise = np.empty(shape, np.float32)
    contrast = Contrast(
        movie,
        noise,
        seed_noise=seed_noise,
        energy=np.empty(shape, np.float32),
        peak_to_noise=np.empty(shape, np.float32),
        correlation=neighbour_correlation(movie),
        diameter=diameter,
    )

    def one(at: tuple[slice, slice]) -> None:
        blurred = contrast.blurred(*at)
        steps, wide = step_noise(blurred), spread(blurred)
        extra = np.maximum(wide**2 - steps**2, 0)
        # A pixel that never changes has no noise; nor has it any activity.
        seed_noise[at] = np.maximum(np.sqrt(steps**2 + _FLUCTUATIONS * extra), 1e-6)
        contrast.energy[at] = energy(blurred, seed_noise[at])
        contrast.peak_to_noise[at] = blurred.max(axis=-1) / seed_noise[at]

    _each(one, tiles(shape, _TILE), threads)
    return contrast


def neighbour_correlation(movie: np.ndarray) -> np.ndarray:
    """Return each pixel's mean correlation with its eight neighbours, (Y, X)."""
    height, width, _ = movie.shape
    length = np.sqrt(np.einsum("yxb,yxb->yx", movie, movie))
    length[length == 0] = 1
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0))
        there = slice(dy, height), slice(max(dx, 0), width - max(-dx, 0))
        product = np.einsum("yxb,yxb->yx", movie[here], movie[there])
        product /= length[here] * length[there]
        for at in (here, there):
            total[at] += product
            count[at] += 1
    return np.asarray(total / count, np.float32)


def _take_surround(movie: np.ndarray, sigma: float, threads: int) -> None:
    """Subtract a wide blur, made on a coarse grid and drawn out in between."""
    height, width, bins = movie.shape
    step = max(1, int(sigma / 3))
    columns = _means_over(width, step)
    rows = range(0, height, step)
    coarse = np.stack([columns @ movie[k : k + step].mean(axis=0) for k in rows])
    coarse = blur(coarse, sigma / step)
    down, across = _drawn_out(height, step), _drawn_out(width, step)

    def one(strip: slice) -> None:
        part = movie[strip]
        lines = (down[strip] @ coarse.reshape(len(coarse), -1)).reshape(
            part.shape[0], -1, bins
        )
        for line, surround in zip(part, np.matmul(across, lines), strict=True):
            along = np.einsum("xb,xb->x", surround, surround)
            share = np.einsum("xb,xb->x", line, surround) / np.maximum(along, 1e-9)
            surround *= np.clip(share, 0.5, 1.5)[:, None]
            line -= surround

    _each(one, _strips(height), threads)


def _means_over(length: int, step: int) -> np.ndarray:
    """Matrix that averages stretches of `step` pixels."""
    owner = np.arange(length) // step
    matrix = (owner == np.arange(owner[-1] + 1)[:, None]).astype(np.float32)
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _drawn_out(length: int, step: int) -> np.ndarray:
    """Matrix that interpolates between the middles of such stretches."""
    owner = np.arange(length) // step
    middles = np.bincount(owner, np.arange(length)) / np.bincount(owner)
    unit = np.eye(middles.size)
    lines = [np.interp(np.arange(length), middles, row) for row in unit]
    return np.stack(lines, axis=1).astype(np.float32)


def _strips(height: int) -> list[slice]:
    return [slice(top, min(top + 16, height)) for top in range(0, height, 16)]


def _each(work: Callable[..., None], parts: list, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
