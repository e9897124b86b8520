"""Seeds one after another: grow a mask, take it off the movie, look again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.recording import Progress
from napari_cebra.traces.detection.filters import own_threads
from napari_cebra.traces.detection.growth import Growth, around, grow

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.traces.detection.contrast import Contrast

_BATCH = 64
_SAME = 0.65  # share of a mask inside another from which both are one cell


def search(
    contrast: Contrast, threshold: float, most: int, threads: int
) -> Generator[Progress, None, list[Growth]]:
    """Find masks, the most active first; `contrast` is used up.

    Seeds so far apart that they cannot touch each other's pixels are grown at
    the same time, so the number of threads does not change the result.

    Parameters
    ----------
    contrast : Contrast
    threshold : float
        Root of the least energy of a seed.
    most : int
        Ends the search.
    threads : int

    Yields
    ------
    Progress
        In seeds.
    """
    left = contrast.energy
    tried, total = 0, len(_batch(contrast, threshold, left.size, apart=0))
    found: list[Growth] = []
    with ThreadPoolExecutor(threads) as pool:
        while len(found) < most:
            yield Progress(tried, max(total, tried), "seeds", "Growing ROIs")
            seeds = _batch(contrast, threshold, _BATCH, _reach_of_two(contrast))
            if not seeds:
                break
            with own_threads():
                grown = list(pool.map(lambda seed: _take(contrast, *seed), seeds))
            for growth in grown:
                if growth is not None and not _is_known(growth, found, contrast):
                    found.append(growth)
            tried += len(seeds)
    return found


def _reach_of_two(contrast: Contrast) -> int:
    """Distance from which two seeds do not touch the same pixels."""
    return 2 * int(np.ceil(1.2 * contrast.diameter)) + 2 * contrast.halo + 1


def _batch(
    contrast: Contrast, threshold: float, most: int, apart: int
) -> list[tuple[int, int]]:
    """Return the strongest local maxima, none near another."""
    left = contrast.energy
    size = 2 * max(1, round(0.4 * contrast.diameter)) + 1
    peaks = (left == ndimage.maximum_filter(left, size)) & (left > threshold**2)
    y, x = np.nonzero(peaks)
    order = np.argsort(-left[y, x], kind="stable")
    if not apart:
        return list(zip(y[order], x[order], strict=True))
    free = np.ones(left.shape, bool)
    seeds: list[tuple[int, int]] = []
    for k in order:
        if len(seeds) == most:
            break
        if free[y[k], x[k]]:
            seeds.append((int(y[k]), int(x[k])))
        # One that has to wait keeps its place before weaker ones beside it.
        free[around(y[k], x[k], apart, left.shape)] = False
    return seeds


def _take(contrast: Contrast, y: int, x: int) -> Growth | None:
    """Grow one seed and take it off the movie and the energy."""
    shape = contrast.energy.shape
    growth = grow(contrast, y, x)
    reach = 0.2 if growth is None else 0.15
    if growth is not None:
        activity = np.maximum(growth.activity, 0)
        contrast.movie[growth.box] -= growth.weights[..., None] * activity
        halo, (rows, columns) = contrast.halo, growth.box
        at = (
            slice(max(rows.start - halo, 0), min(rows.stop + halo, shape[0])),
            slice(max(columns.start - halo, 0), min(columns.stop + halo, shape[1])),
        )
        dead = contrast.energy[at] < 0
        contrast.energy[at] = np.where(dead, -1, contrast.energy_of(*at))
    # Never again a seed, so that the search ends.
    radius = max(1, round(reach * contrast.diameter))
    contrast.energy[around(y, x, radius, shape)] = -1
    return growth


def _is_known(growth: Growth, found: list[Growth], contrast: Contrast) -> bool:
    """Whether most of it, or of another, lies in the other."""
    width = contrast.energy.shape[1]
    mine = growth.pixels(width)
    near = 2.4 * contrast.diameter
    for other in found:
        if max(np.abs(np.subtract(growth.seed, other.seed))) > near:
            continue
        pixels = other.pixels(width)
        shared = np.intersect1d(mine, pixels, assume_unique=True).size
        if shared > _SAME * min(mine.size, pixels.size):
            return True
    return False
