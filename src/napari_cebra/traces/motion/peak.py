"""The highest point of a sampled surface, between the samples."""

from __future__ import annotations

import torch

_TINY = 1e-12


def highest(surface: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return row and column (n, 2) and the value (n,) of each maximum of (n, H, W)."""
    value, at = surface.flatten(1).max(dim=1)
    width = surface.shape[2]
    return torch.stack([at // width, at % width], dim=1), value


def refined(surface: torch.Tensor, peak: torch.Tensor) -> torch.Tensor:
    """Return where the peaks stand between the samples, (n, 2) float64.

    A Gaussian of any width and tilt is laid through the 3 × 3 samples about
    each peak: a quadratic through their logarithms, by least squares. At the
    border of the surface the sample itself is returned.
    """
    n, height, width = surface.shape
    y, x = peak.unbind(1)
    inner = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
    rows = y.clamp(1, height - 2)[:, None, None] + _STEP[:, None].to(y.device)
    columns = x.clamp(1, width - 2)[:, None, None] + _STEP[None, :].to(y.device)
    one = torch.arange(n, device=y.device)[:, None, None]
    around = surface[one, rows, columns].double()
    level = around.amax((1, 2), keepdim=True).clamp_min(_TINY)
    log = torch.log((around / level).clamp_min(1e-3))
    step = _STEP.to(log)
    by_row, by_column = log.mean(2), log.mean(1)
    dy, dx = (by_row @ step) / 2, (by_column @ step) / 2
    dyy = by_row[:, 0] - 2 * by_row[:, 1] + by_row[:, 2]
    dxx = by_column[:, 0] - 2 * by_column[:, 1] + by_column[:, 2]
    dxy = torch.einsum("nij,i,j->n", log, step, step) / 4
    determinant = dyy * dxx - dxy**2
    is_peak = inner & (dyy < 0) & (dxx < 0) & (determinant > _TINY)
    safe = torch.where(is_peak, determinant, torch.ones_like(determinant))
    off = torch.stack([dxy * dx - dxx * dy, dxy * dy - dyy * dx], 1) / safe[:, None]
    off = torch.where(is_peak[:, None], off.clamp(-1, 1), torch.zeros_like(off))
    return peak.double() + off


_STEP = torch.tensor([-1, 0, 1])
