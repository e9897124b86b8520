"""From a seed pixel to a weighted mask and its activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.traces.detection.contrast import ABOVE, SEED_SIGMA
from napari_cebra.traces.detection.filters import step_noise

if TYPE_CHECKING:
    from napari_cebra.traces.detection.contrast import Contrast

_BORDER = 0.42  # of a mask, as a share of its brightest pixels
_ACTIVE = 0.25  # bins count as active from this share of the largest activity
_ROUNDS = 4
_AREAS = (0.3, 2.6)  # of a disc of the diameter, which a mask may have


@dataclass(frozen=True, eq=False)
class Growth:
    """A mask, its activity, and what it was grown from.

    Parameters
    ----------
    box : (slice, slice)
        Rows and columns that the mask spans.
    mask : (y, x) bool
        Within the box.
    weights : (y, x) float32
        ``weights * activity`` is what the cell adds to the movie; 0 outside the
        mask.
    activity : (bins,) float32
        In standard deviations of its own noise.
    seed : (y, x)
        Within the field of view.
    energy : float
        Of the seed.
    features : Features
        What it is judged by.
    """

    box: tuple[slice, slice]
    mask: np.ndarray
    weights: np.ndarray
    activity: np.ndarray
    seed: tuple[int, int]
    energy: float
    features: Features

    def pixels(self, width: int) -> np.ndarray:
        """Return flat pixels of the mask, sorted."""
        y, x = np.nonzero(self.mask)
        return (y + self.box[0].start) * width + x + self.box[1].start


@dataclass(frozen=True)
class Features:
    """What tells a cell in focus from other things that light up.

    Parameters
    ----------
    area : float
        Of the mask, in discs of the diameter.
    spread : float
        Mean distance from the middle over that of a disc of the same area: 1
        for a disc.
    sharpness : float
        Slope of the border, in mean weights per diameter.
    agreement : float
        Correlation of the footprints in either half of the active bins; 1 where
        there are fewer than 4.
    skewness : float
        Of the activity.
    """

    area: float
    spread: float
    sharpness: float
    agreement: float
    skewness: float


def grow(contrast: Contrast, y: int, x: int) -> Growth | None:
    """Grow a mask from a seed; None if nothing of the size of a cell is there.

    In turn, the footprint is the regression of each pixel on the activity in its
    active bins, its mask the connected part above a share of the brightest
    pixels, and the activity the projection on the footprint: a rank-1
    non-negative factorisation in a box (as Pnevmatikakis et al. 2016, Neuron
    89:285, begin each component).
    """
    diameter = contrast.diameter
    box = around(y, x, int(np.ceil(1.2 * diameter)), contrast.movie.shape)
    part = contrast.movie[box]
    yy, xx = np.mgrid[box]
    mask = np.hypot(yy - y, xx - x) <= 0.6 * diameter
    trace = _seed_activity(contrast, part, yy - y, xx - x)
    weights = np.zeros(mask.shape, np.float32)
    for _ in range(_ROUNDS):
        active = _active(trace)
        if not active.any():
            return None
        footprint = _footprint(part, trace, active)
        found = _mask(footprint, mask, diameter)
        if found is None:
            return None
        mask = found
        weights = np.maximum(footprint, 0) * mask
        if not weights.any():
            return None
        trace = np.tensordot(weights, part, 2) / (weights**2).sum()
        scale = max(float(step_noise(trace)), 1e-9)
        trace = trace / scale
        weights *= scale
    area = mask.sum() / (np.pi / 4 * diameter**2)
    if not (_AREAS[0] < area < _AREAS[1] and _active(trace).any()):
        return None
    features = _features(part, mask, trace, diameter)
    energy = float(contrast.energy[y, x])
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    low = box[0].start, box[1].start
    tight = tuple(
        slice(k + at.start, k + at.stop) for k, at in zip(low, inner, strict=True)
    )
    return Growth(
        (tight[0], tight[1]),
        mask[inner],
        weights[inner],
        trace,
        (y, x),
        energy,
        features,
    )


def around(y: int, x: int, reach: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the box of this reach around a pixel, inside the field of view."""
    return (
        slice(max(y - reach, 0), min(y + reach + 1, shape[0])),
        slice(max(x - reach, 0), min(x + reach + 1, shape[1])),
    )


def _seed_activity(
    contrast: Contrast, part: np.ndarray, dy: np.ndarray, dx: np.ndarray
) -> np.ndarray:
    sigma = SEED_SIGMA * contrast.diameter
    kernel = np.exp(-0.5 * (dy**2 + dx**2) / sigma**2).astype(np.float32)
    trace = np.tensordot(kernel / kernel.sum(), part, 2)
    return np.asarray(trace / max(float(step_noise(trace)), 1e-9))


def _active(trace: np.ndarray) -> np.ndarray:
    return trace > max(ABOVE, _ACTIVE * float(trace.max()))


def _footprint(part: np.ndarray, trace: np.ndarray, bins: np.ndarray) -> np.ndarray:
    seen = trace[bins]
    return np.asarray(part[..., bins] @ seen / (seen**2).sum())


def _mask(
    footprint: np.ndarray, near: np.ndarray, diameter: float
) -> np.ndarray | None:
    """Return the connected part above the border that shares most with `near`."""
    soft = ndimage.gaussian_filter(footprint, 0.07 * diameter)
    inside = np.sort(soft[near])
    top = inside[-max(3, int(0.15 * inside.size)) :].mean()
    if not top > 0:
        return None
    bright = ndimage.binary_fill_holes(_largest(soft > _BORDER * top, near))
    opened = ndimage.binary_opening(bright) if diameter >= 6 else bright
    mask = _largest(opened, near)
    return mask if mask.any() else None


def _largest(bright: np.ndarray, near: np.ndarray) -> np.ndarray:
    labels, _ = ndimage.label(bright)
    shared = np.bincount(labels[near])
    shared[0] = 0
    return np.asarray(labels == shared.argmax()) & bright


def _features(
    part: np.ndarray, mask: np.ndarray, trace: np.ndarray, diameter: float
) -> Features:
    active = np.flatnonzero(_active(trace))
    footprint = _footprint(part, trace, active)
    area = int(mask.sum())
    y, x = np.nonzero(mask)
    apart = np.hypot(y - y.mean(), x - x.mean()).mean()
    outside = ndimage.distance_transform_edt(~mask)
    border = (outside <= 1.5) & ~ndimage.binary_erosion(mask, iterations=2)
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(footprint, 0.07 * diameter)))
    centred = trace - np.median(trace)
    return Features(
        area=area / (np.pi / 4 * diameter**2),
        spread=float(apart / (2 / 3 * np.sqrt(area / np.pi))),
        sharpness=float(slope[border].mean() / footprint[mask].mean() * diameter),
        agreement=_agreement(part, trace, active, outside <= 0.35 * diameter),
        skewness=float((centred**3).mean() / (centred**2).mean() ** 1.5),
    )


def _agreement(
    part: np.ndarray, trace: np.ndarray, active: np.ndarray, near: np.ndarray
) -> float:
    if active.size < 4:
        return 1.0
    ranked = active[np.argsort(-trace[active], kind="stable")]
    halves = [_footprint(part, trace, ranked[k::2])[near] for k in (0, 1)]
    return float(np.corrcoef(*halves)[0, 1])
