"""The highest point of a sampled surface, between the samples."""

from __future__ import annotations

import numpy as np
import torch

_TINY = 1e-12


def highest(surface: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return row and column (n, 2) and the value (n,) of each maximum of (n, H, W)."""
    value, at = surface.flatten(1).max(dim=1)
    width = surface.shape[2]
    return torch.stack([at // width, at % width], dim=1), value


def refined(surface: torch.Tensor, peak: torch.Tensor) -> np.ndarray:
    """Return where the peaks stand between the samples, (n, 2) float64.

    A Gaussian of any width and tilt is laid through the 3 × 3 samples about
    each peak: a quadratic through their logarithms, by least squares. At the
    border of the surface the sample itself is returned.
    """
    n, height, width = surface.shape
    y, x = peak.unbind(1)
    step = torch.arange(-1, 2, device=surface.device)
    rows = y.clamp(1, height - 2)[:, None, None] + step[:, None]
    columns = x.clamp(1, width - 2)[:, None, None] + step
    one = torch.arange(n, device=surface.device)[:, None, None]
    around = surface[one, rows, columns].double().cpu().numpy()
    at = peak.cpu().numpy()
    inner = ((at > 0) & (at < [height - 1, width - 1])).all(axis=1)
    level = np.maximum(around.max(axis=(1, 2), keepdims=True), _TINY)
    log = np.log(np.maximum(around / level, 1e-3))
    by_row, by_column = log.mean(axis=2), log.mean(axis=1)
    dy, dx = ((part[:, 2] - part[:, 0]) / 2 for part in (by_row, by_column))
    dyy, dxx = (
        part[:, 0] - 2 * part[:, 1] + part[:, 2] for part in (by_row, by_column)
    )
    dxy = (log[:, 0, 0] - log[:, 0, 2] - log[:, 2, 0] + log[:, 2, 2]) / 4
    determinant = dyy * dxx - dxy**2
    is_peak = inner & (dyy < 0) & (dxx < 0) & (determinant > _TINY)
    safe = np.where(is_peak, determinant, 1.0)
    off = np.stack([dxy * dx - dxx * dy, dxy * dy - dyy * dx], axis=1) / safe[:, None]
    return at + np.where(is_peak[:, None], off.clip(-1, 1), 0.0)
