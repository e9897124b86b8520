"""What lies under the microscope: somata, neuropil, vessels, motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.simulate.variability import ornstein_uhlenbeck

if TYPE_CHECKING:
    from napari_cebra.simulate.config import V1Movie

MARGIN = 2  # pixels drawn beyond the field of view, for motion to bring in
_NEUROPIL_RANK = 10
_NEUROPIL_SD = 0.1  # of its dF/F, mean over the field


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """Everything that is still, in units of the mean neuropil at rest.

    The canvas is the field of view and a margin of `MARGIN` pixels all round.

    Parameters
    ----------
    shape : (Y, X)
        Field of view.
    somata : (pixels of the canvas, N) sparse float32
        Light of each cell at rest.
    neuropil : (K, pixels of the canvas) float32
        Row 0 is the neuropil at rest; the others are where each of its K - 1
        fluctuations is seen.
    rois : RoiSet
        Each cell's own pixels inside the field of view, without overlap, as a
        person would draw them.
    centres : (N, 2) float64
        Middle of each soma (y, x), in pixels of the field of view.
    """

    shape: tuple[int, int]
    somata: sparse.csr_matrix
    neuropil: np.ndarray
    rois: RoiSet
    centres: np.ndarray


def draw_field_of_view(rng: np.random.Generator, config: V1Movie) -> FieldOfView:
    """Place somata on a field with neuropil and vessels.

    Raises
    ------
    InvalidInput
        If so many cells do not fit.
    """
    shape = config.field_shape
    canvas = (shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN)
    shadow = _vessels(rng, canvas)
    light = shadow * _illumination(rng, canvas)
    centres = _centres(rng, config, shadow)
    radius = 0.5 * config.cell_diameter * rng.uniform(0.9, 1.15, config.n_cells)
    brightness = 1.6 * np.exp(rng.normal(0, 0.25, config.n_cells))
    rows, cols, weights = [], [], []
    for cell, (centre, r) in enumerate(zip(centres + MARGIN, radius, strict=True)):
        pixels, weight = _soma(rng, centre, r, canvas)
        rows.append(pixels)
        cols.append(np.full(pixels.size, cell))
        weights.append(weight)
    shapes = sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(cols))),
        shape=(canvas[0] * canvas[1], config.n_cells),
        dtype=np.float32,
    )
    rois = label_shapes(shapes, canvas, shape)
    # A soma displaces part of the neuropil; what lies above and below remains.
    displaced = shapes @ rng.uniform(0.2, 0.45, config.n_cells).astype(np.float32)
    texture = 1 + 0.15 * _smooth_noise(rng, canvas, 1.5)
    rest = (light * texture).ravel() * (1 - np.minimum(displaced, 0.5))
    maps = [rest]
    for _ in range(_NEUROPIL_RANK):
        maps.append(
            rest * np.maximum(0.3 + 0.7 * _smooth_noise(rng, canvas, 30), 0).ravel()
        )
    somata = sparse.diags(light.ravel()) @ shapes @ sparse.diags(brightness)
    return FieldOfView(
        shape,
        sparse.csr_matrix(somata, dtype=np.float32),
        np.asarray(maps, np.float32),
        rois,
        centres,
    )


def neuropil_activity(
    rng: np.random.Generator, field: FieldOfView, dff: np.ndarray, rate: float
) -> np.ndarray:
    """Return (T, K) float32: what each row of ``field.neuropil`` is scaled by.

    Each fluctuation is the mean activity of the cells around it and of axons
    from elsewhere (neuropil follows local activity and arousal; Kerr et al.
    2005, PNAS 102:14063).
    """
    k = field.neuropil.shape[0]
    out = np.ones((dff.shape[0], k), np.float32)
    canvas_x = field.shape[1] + 2 * MARGIN
    at = np.round(field.centres + MARGIN).astype(int)
    weight = field.neuropil[1:, at[:, 0] * canvas_x + at[:, 1]].T
    local = dff @ (weight / np.maximum(weight.sum(0), 1e-6)).astype(np.float32)
    local = (local - local.mean(0)) / np.maximum(local.std(0), 1e-6)
    axons = ornstein_uhlenbeck(rng, dff.shape[0], np.full(k - 1, 0.5), rate)
    out[:, 1:] = 0.7 * np.arcsinh(local) + 0.7 * axons
    places = field.neuropil[1:] / np.maximum(field.neuropil[0], 1e-6)
    seen = out[::10, 1:] @ places[:, ::97]
    out[:, 1:] *= _NEUROPIL_SD / seen.std()
    return out


def motion(rng: np.random.Generator, arousal: np.ndarray, rate: float) -> np.ndarray:
    """Return (T, 2) smooth rigid displacement in pixels (y, x), below one pixel.

    It grows while the animal runs.
    """
    steps = ornstein_uhlenbeck(rng, arousal.size, np.array([0.4, 0.4, 20, 20]), rate)
    fast = ndimage.gaussian_filter1d(steps[:, :2], 2.0, axis=0)
    moved = 0.2 * fast * np.exp(0.4 * arousal)[:, None] + 0.15 * steps[:, 2:]
    return 0.9 * np.tanh(moved / 0.9)


def bleaching(n_frames: int, rate: float) -> np.ndarray:
    """Return (T,) brightness: a tenth is lost within minutes, half of it fast."""
    seconds = np.arange(n_frames) / rate
    return 0.9 + 0.05 * np.exp(-seconds / 30) + 0.05 * np.exp(-seconds / 240)


def _vessels(rng: np.random.Generator, canvas: tuple[int, int]) -> np.ndarray:
    """Transmission (Y, X): dark branching vessels on the surface above."""
    dark = np.zeros(canvas, np.float32)
    size = min(canvas)
    yy, xx = np.indices(canvas, dtype=np.float32)
    # (y, x, heading, radius, steps left)
    growing = [
        (
            rng.uniform(0, canvas[0]),
            0.0,
            rng.normal(0, 0.3),
            size / 55,
            int(1.6 * size),
        ),
        (
            0.0,
            rng.uniform(0, canvas[1]),
            np.pi / 2 + rng.normal(0, 0.3),
            size / 75,
            size,
        ),
    ]
    while growing:
        y, x, heading, radius, steps = growing.pop()
        for _ in range(steps):
            y, x = y + np.sin(heading), x + np.cos(heading)
            if not (0 <= y < canvas[0] and 0 <= x < canvas[1]):
                break
            heading += rng.normal(0, 0.07)
            low_y, low_x = max(0, int(y - radius - 1)), max(0, int(x - radius - 1))
            part = np.s_[low_y : int(y + radius + 2), low_x : int(x + radius + 2)]
            dark[part][np.hypot(yy[part] - y, xx[part] - x) <= radius] = 1
            if radius > size / 200 and rng.random() < 2.5 / size:
                turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
                growing.append((y, x, heading + turn, 0.65 * radius, steps // 2))
    return 1 - 0.65 * ndimage.gaussian_filter(dark, size / 200)


def _illumination(rng: np.random.Generator, canvas: tuple[int, int]) -> np.ndarray:
    """Uneven light: brightest near the middle, darker in the corners."""
    y, x = np.indices(canvas, dtype=np.float32)
    middle = np.array(canvas) * rng.uniform(0.4, 0.6, 2)
    distance = np.hypot(y - middle[0], x - middle[1]) / max(canvas)
    return 1.1 - 0.5 * distance**2 * 2


def _smooth_noise(
    rng: np.random.Generator, canvas: tuple[int, int], sigma: float
) -> np.ndarray:
    """Gaussian random field of zero mean and unit variance."""
    noise = ndimage.gaussian_filter(rng.standard_normal(canvas, np.float32), sigma)
    return (noise - noise.mean()) / noise.std()


def _centres(
    rng: np.random.Generator, config: V1Movie, shadow: np.ndarray
) -> np.ndarray:
    """Drop somata at random, none in a vessel, as far apart as they will go."""
    size = np.array(config.field_shape)
    edge = 0.5 * config.cell_diameter + 1
    distance = config.cell_diameter
    while distance >= 0.7 * config.cell_diameter:
        found = np.empty((0, 2))
        for _ in range(60 * config.n_cells):
            at = edge + rng.random(2) * (size - 1 - 2 * edge)
            row, col = np.round(at).astype(int) + MARGIN
            if shadow[row, col] < 0.85:
                continue
            if found.size and ((found - at) ** 2).sum(1).min() < distance**2:
                continue
            found = np.vstack([found, at])
            if len(found) == config.n_cells:
                return found
        distance *= 0.95
    raise InvalidInput(
        f"{config.n_cells} cells of {config.cell_diameter:g} pixels do not fit a field "
        f"of {config.field_shape[0]}×{config.field_shape[1]} pixels; ask for fewer "
        "cells or a larger field."
    )


def _soma(
    rng: np.random.Generator,
    centre: np.ndarray,
    radius: float,
    canvas: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and weights (largest 1) of one soma with a dimmer nucleus."""
    reach = int(np.ceil(radius * 1.3)) + 2
    low = np.maximum(np.floor(centre).astype(int) - reach, 0)
    high = np.minimum(np.floor(centre).astype(int) + reach + 1, canvas)
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
    dy, dx = y - centre[0], x - centre[1]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.15)
    across = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    along = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch
    distance = np.hypot(across, along) / radius
    edge = 0.09  # share of the radius over which the optics blur the border
    weight = 1 / (1 + np.exp((distance - 1) / edge))
    weight *= 1 - rng.uniform(0.2, 0.5) / (1 + np.exp((distance - 0.5) / edge))
    weight /= weight.max()
    kept = weight > 0.05
    return (y * canvas[1] + x)[kept], weight[kept].astype(np.float32)


def label_shapes(
    shapes: sparse.csr_matrix, canvas: tuple[int, int], shape: tuple[int, int]
) -> RoiSet:
    """Give each pixel to the cell that is strongest there, if at least half."""
    by_cell = shapes.tocsc()
    best = np.full(canvas[0] * canvas[1], 0.45, np.float32)
    labels = np.zeros(best.size, np.int32)
    for cell in range(shapes.shape[1]):
        span = slice(by_cell.indptr[cell], by_cell.indptr[cell + 1])
        pixels, weights = by_cell.indices[span], by_cell.data[span]
        wins = weights > best[pixels]
        best[pixels[wins]] = weights[wins]
        labels[pixels[wins]] = cell + 1
    image = labels.reshape(canvas)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert image.shape == tuple(shape)
    return RoiSet.from_labels(image)
