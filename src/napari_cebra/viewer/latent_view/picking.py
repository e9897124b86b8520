"""Which drawn latent is under the mouse: own projection, one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class CanvasView:
    """How the camera shows a point on the canvas (orthographic).

    Parameters
    ----------
    center : (3,)
        Point at the middle of the canvas, (z, y, x).
    right, up, into : (3,)
        Unit vectors to the right, upwards and away from the viewer.
    zoom : float
        Canvas pixels per unit.
    size : (width, height)
        Of the canvas, in pixels.
    """

    center: np.ndarray
    right: np.ndarray
    up: np.ndarray
    into: np.ndarray
    zoom: float
    size: tuple[int, int]

    @classmethod
    def of(cls, camera: Any, size: tuple[int, int]) -> CanvasView:
        """Read napari's camera."""
        into = np.asarray(camera.view_direction, float)
        up = np.asarray(camera.up_direction, float)
        # Which side of (up, into) is right depends on how the axes are turned.
        reversed_axes = [
            str(side) in ("towards", "down", "left") for side in camera.orientation
        ]
        right = np.cross(up, into) * (1 if sum(reversed_axes) % 2 else -1)
        return cls(np.asarray(camera.center, float), right, up, into, camera.zoom, size)

    def positions(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, 2) canvas positions (x, y) and (n,) depths of (n, 3) points."""
        offset = points - self.center
        flat = offset @ np.stack([self.right, -self.up], axis=1) * self.zoom
        return flat + np.asarray(self.size) / 2, offset @ self.into


def nearest(
    view: CanvasView, points: np.ndarray, position: np.ndarray, reach: float
) -> int:
    """Return the index of the frontmost point within reach of the mouse, or -1.

    Parameters
    ----------
    view : CanvasView
        The camera.
    points : (n, 3)
        Drawn points; NaN rows are never picked.
    position : (2,)
        Mouse on the canvas, pixels from the upper left.
    reach : float
        Pixels around the mouse.
    """
    flat, depth = view.positions(points)
    distance = np.hypot(*(flat - np.asarray(position)).T)
    near = np.flatnonzero(distance <= reach)
    if near.size == 0:
        return -1
    # In a dense cloud the frontmost wins, but not over one hit in the middle.
    span = np.nanmax(depth) - np.nanmin(depth) or 1.0
    cost = distance[near] / max(reach, 1e-9) + 2 * (depth[near] / span)
    return int(near[np.nanargmin(cost)])


def inside(
    view: CanvasView, points: np.ndarray, corner: np.ndarray, opposite: np.ndarray
) -> np.ndarray:
    """Return the indices of the points in a box on the canvas."""
    flat, _ = view.positions(points)
    low, high = np.minimum(corner, opposite), np.maximum(corner, opposite)
    return np.flatnonzero(((flat >= low) & (flat <= high)).all(axis=1))
