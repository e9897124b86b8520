"""Turning one snapshot of the latents towards the one before."""

from __future__ import annotations

import numpy as np


def rotation_onto(
    points: np.ndarray, target: np.ndarray, *, flat: bool = False
) -> np.ndarray:
    """Return the rotation or reflection R (3, 3) that brings points near target.

    Orthogonal Procrustes (Schönemann, Psychometrika 1966): the R minimising
    ``‖(points - mean) R - (target - mean)‖``. Nothing is scaled, so distances
    between latents stay what they are.

    Parameters
    ----------
    points, target : (n, 3)
        The same rows in both, without NaN; (z, y, x).
    flat : bool
        Keep z as it is, for latents of two dimensions.
    """
    if points.shape[0] < 3:
        return np.eye(3)
    a = points.astype(np.float64) - points.mean(axis=0)
    b = target.astype(np.float64) - target.mean(axis=0)
    turn = np.eye(3)
    first = 1 if flat else 0
    u, _, vt = np.linalg.svd(a[:, first:].T @ b[:, first:])
    turn[first:, first:] = u @ vt
    return turn
