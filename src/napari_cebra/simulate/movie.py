"""A movie with natural statistics, filmed from photographs with a moving camera."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_cebra.recording import InvalidInput

# Photographs that lie inside scikit-image's wheel, so that nothing is fetched.
PHOTOGRAPHS = (
    "astronaut.png",
    "motorcycle_left.png",
    "chelsea.png",
    "camera.png",
    "coffee.png",
    "grass.png",
    "rocket.jpg",
    "coins.png",
    "astronaut.png",
    "gravel.png",
    "motorcycle_left.png",
    "chelsea.png",
)


@dataclass(frozen=True, eq=False)
class Shot:
    """One scene: a photograph and the camera's path over it.

    Parameters
    ----------
    photograph : str
        File name inside scikit-image.
    start, stop : int
        First movie frame, and the one after the last.
    centre : (stop - start, 2) float64
        Where the camera looks, in source pixels (y, x).
    scale : (stop - start,) float64
        Source pixels per movie pixel.
    angle : (stop - start,) float64
        Roll of the camera in radians.
    """

    photograph: str
    start: int
    stop: int
    centre: np.ndarray
    scale: np.ndarray
    angle: np.ndarray


def natural_movie(
    seed: int = 0,
    n_frames: int = 900,
    rate: float = 30.0,
    shape: tuple[int, int] = (96, 128),
) -> np.ndarray:
    """Film photographs by pans, zooms, rolls and cuts.

    Photographs have the 1/f amplitude spectrum of natural scenes (Field 1987,
    J. Opt. Soc. Am. A 4:2379); smooth camera motion gives the slow temporal
    spectrum of natural movies (Dong & Atick 1995, Network 6:345).

    Parameters
    ----------
    seed : int
        Camera paths and the length of each scene.
    n_frames : int
        M; about one cut every 2.5 s.
    rate : float
        Frames per second; the camera's speed is set in view widths per second.
    shape : (h, w)
        Size of a frame in pixels.

    Returns
    -------
    (M, h, w) uint8
        Greyscale frames.

    Raises
    ------
    InvalidInput
        If scikit-image came without its photographs.
    """
    movie = np.empty((n_frames, *shape), np.uint8)
    for shot in film_plan(seed, n_frames, rate, shape):
        source = _photograph(shot.photograph)
        # Blur to the resolution of the widest view, so that nothing aliases.
        source = ndimage.gaussian_filter(source, 0.45 * float(shot.scale.max()))
        for k, frame in enumerate(range(shot.start, shot.stop)):
            movie[frame] = _view(
                source, shot.centre[k], shot.scale[k], shot.angle[k], shape
            )
    return movie


def film_plan(
    seed: int, n_frames: int, rate: float, shape: tuple[int, int]
) -> list[Shot]:
    """Return the shots of `natural_movie` in order, without filming them."""
    rng = np.random.default_rng([seed, 0x3073])
    cuts = _cuts(rng, n_frames, rate)
    shots = []
    for k, (start, stop) in enumerate(pairwise(cuts)):
        name = PHOTOGRAPHS[k % len(PHOTOGRAPHS)]
        size = _photograph(name).shape
        centre, scale, angle = _camera(rng, size, stop - start, rate, shape)
        shots.append(Shot(name, int(start), int(stop), centre, scale, angle))
    return shots


def _cuts(rng: np.random.Generator, n_frames: int, rate: float) -> np.ndarray:
    """Borders of the scenes; lengths vary by a third about 2.5 s."""
    n_shots = max(1, round(n_frames / (2.5 * rate)))
    lengths = rng.uniform(2 / 3, 4 / 3, n_shots)
    ends = np.round(np.cumsum(lengths) / lengths.sum() * n_frames).astype(int)
    return np.concatenate([[0], ends])


def _camera(
    rng: np.random.Generator,
    size: tuple[int, ...],
    n: int,
    rate: float,
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one smooth camera path that stays inside the photograph."""
    t = np.arange(n) / rate
    angle = rng.uniform(-0.12, 0.12) + rng.uniform(-0.08, 0.08) * t
    # The largest view that still leaves room to pan whatever the roll.
    diagonal = float(np.hypot(*shape))
    widest = 0.8 * min(size[0] / shape[0], size[1] / shape[1])
    widest = min(widest, 0.9 * min(size[:2]) / diagonal)
    zoom = rng.uniform(-0.12, 0.12) * t
    scale = widest * rng.uniform(0.55, 0.75) * np.exp(zoom - zoom.max())
    centre = np.empty((n, 2))
    half = 0.5 * diagonal * scale.max()
    for axis in range(2):
        low, high = min(half, size[axis] / 2), max(size[axis] - half, size[axis] / 2)
        drift = rng.choice([-1, 1]) * rng.uniform(0.08, 0.2) * shape[1] * scale.mean()
        sway = 0.04 * shape[1] * scale.mean()
        path = drift * t + sway * np.sin(
            2 * np.pi * (rng.uniform(0.2, 0.6) * t + rng.uniform())
        )
        path -= 0.5 * (path.min() + path.max())
        reach = 0.5 * (high - low)
        path *= min(1.0, reach / max(np.abs(path).max(), 1e-9))
        slack = reach - np.abs(path).max()
        centre[:, axis] = 0.5 * (low + high) + rng.uniform(-1, 1) * slack + path
    return centre, scale, angle


def _view(
    source: np.ndarray,
    centre: np.ndarray,
    scale: float,
    angle: float,
    shape: tuple[int, int],
) -> np.ndarray:
    """Sample one frame from the photograph."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cos, -sin], [sin, cos]])
    offset = centre - matrix @ ((np.array(shape) - 1) / 2)
    view = ndimage.affine_transform(
        source, matrix, offset, output_shape=shape, order=1, mode="mirror"
    )
    return np.clip(np.round(view), 0, 255).astype(np.uint8)


def _photograph(name: str) -> np.ndarray:
    """Read one of scikit-image's photographs as float32 grey levels 0-255."""
    import skimage.data
    from skimage.io import imread

    path = Path(skimage.data.__file__).parent / name
    if not path.is_file():
        raise InvalidInput(
            f"scikit-image is installed without its example picture {name}; install "
            "it from its wheel (pip install --force-reinstall scikit-image)."
        )
    picture = imread(path).astype(np.float32)
    if picture.ndim == 3:
        picture = picture[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    # Photographs differ in exposure; a film is graded to one.
    low, high = np.percentile(picture, [1, 99])
    return np.clip((picture - low) / (high - low), 0, 1) * 235 + 10
