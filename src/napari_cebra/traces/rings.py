"""Neuropil rings: the surround of each cell, without any cell's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.recording import RoiSet

GROW = 5
MAX_GROWTH = 100


@dataclass(frozen=True, eq=False)
class Rings:
    """One equally weighted surround per ROI; a row may be empty.

    Parameters
    ----------
    pixels : (nnz,) int64
        Flat pixel indices, ``y * X + x``, sorted within each ring.
    indptr : (n + 1,) int64
        Start of each ring in `pixels`.
    shape : (Y, X)
        Size of the field of view in pixels.
    short : (n,) bool
        Rings that did not reach the asked-for size, or have no pixel at all.
    """

    pixels: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]
    short: np.ndarray

    def __len__(self) -> int:
        return self.indptr.size - 1

    def sizes(self) -> np.ndarray:
        """Return the (n,) number of pixels in each ring."""
        return np.diff(self.indptr)


def neuropil_rings(rois: RoiSet, inner: int = 2, min_pixels: int = 350) -> Rings | None:
    """Lay a ring of neuropil round each cell.

    The rule is suite2p's (Pachitariu et al. 2017, bioRxiv 061507): leave a
    border of `inner` pixels round the cell, then widen the cell's bounding
    box by 5 pixels at a time until it holds `min_pixels` pixels that belong to
    no cell. Every pixel of every mask counts as cell here, whatever its weight.

    Parameters
    ----------
    rois : RoiSet
        n masks, cells or a grid.
    inner : int
        Width of the border that is left out, in pixels.
    min_pixels : int
        Size at which a ring stops growing, in pixels.

    Returns
    -------
    Rings or None
        None for a grid, whose tiles leave no neuropil between them. Where the
        field of view has too little room, the ring is as large as there is
        room for and marked `short`.

    Raises
    ------
    InvalidInput
        If `inner` is negative or `min_pixels` below 1.
    """
    if inner < 0 or min_pixels < 1:
        raise InvalidInput(
            f"A neuropil ring needs a border of 0 or more pixels and at least 1 pixel, "
            f"not {inner} and {min_pixels}."
        )
    if rois.kind == "grid" or len(rois) == 0:
        return None
    free = np.ones(rois.shape, bool)
    free.ravel()[rois.pixels] = False
    counts = _corner_sums(free)
    rings = [_ring(rois, k, free, counts, inner, min_pixels) for k in range(len(rois))]
    sizes = np.array([ring.size for ring in rings])
    return Rings(
        np.concatenate(rings),
        np.concatenate([[0], np.cumsum(sizes)]),
        rois.shape,
        sizes < min_pixels,
    )


def _ring(
    rois: RoiSet,
    k: int,
    free: np.ndarray,
    counts: np.ndarray,
    inner: int,
    min_pixels: int,
) -> np.ndarray:
    """Flat pixels of the ring round mask k."""
    height, width = rois.shape
    y, x = np.divmod(rois.pixels[rois.indptr[k] : rois.indptr[k + 1]], width)
    top, left = max(y.min() - inner, 0), max(x.min() - inner, 0)
    bottom, right = min(y.max() + inner + 1, height), min(x.max() + inner + 1, width)
    near = np.zeros((bottom - top, right - left), bool)
    near[y - top, x - left] = True
    near = ndimage.maximum_filter(near, 2 * inner + 1, mode="constant")
    lost = int((free[top:bottom, left:right] & near).sum())
    for grown in range(GROW, (MAX_GROWTH + 1) * GROW, GROW):
        t, u = max(top - grown, 0), max(left - grown, 0)
        b, v = min(bottom + grown, height), min(right + grown, width)
        inside = counts[b, v] - counts[t, v] - counts[b, u] + counts[t, u]
        if inside - lost >= min_pixels or (b - t, v - u) == (height, width):
            break
    ring = free[t:b, u:v].copy()
    ring[top - t : bottom - t, left - u : right - u] &= ~near
    y, x = np.nonzero(ring)
    return (y + t) * width + (x + u)


def _corner_sums(image: np.ndarray) -> np.ndarray:
    """(Y + 1, X + 1) integral image, so that a box is counted in four reads."""
    sums = np.zeros((image.shape[0] + 1, image.shape[1] + 1), np.int64)
    sums[1:, 1:] = image.cumsum(0, dtype=np.int64).cumsum(1)
    return sums
