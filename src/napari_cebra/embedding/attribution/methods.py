"""The attribution methods, each for a batch of windows at once.

All return (B, D, L, N): the share of each frame of each neuron in each latent
(one frame, where the whole window of a neuron was taken out). The neurons come
in after everything that is not linear has been done (see `first_layer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.first_layer import FirstLayer, jacobian

if TYPE_CHECKING:
    from collections.abc import Iterable

EVALUATIONS = 4096
"""Windows from which a neuron was taken that are embedded at a time."""


def gradients(first: FirstLayer, windows: Tensor) -> Tensor:
    """Return the Jacobian of the latents by the window."""
    return first.to_frames(jacobian(first, first.units(windows)))


def integrated_gradients(
    first: FirstLayer, windows: Tensor, baseline: Tensor, n_steps: int
) -> Tensor:
    r"""Return (x - x') times the mean gradient on the way from baseline x' to x.

    Summed over frames and neurons this is f(x) - f(x'), up to the error of the
    quadrature (Sundararajan, Taly & Yan 2017, arXiv:1703.01365).
    """
    begin, end = first.units(baseline), first.units(windows)
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    mean: Tensor | float = 0.0
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        here = torch.lerp(begin, end, float(node))
        mean = mean + float(weight) * jacobian(first, here)
    assert isinstance(mean, Tensor)
    return first.to_frames(mean) * (windows - baseline)[:, None]


def gradient_shap(
    first: FirstLayer,
    draws: Iterable[tuple[Tensor, Tensor, Tensor]],
) -> Tensor:
    """Return the mean over draws of (x - x') times the gradient between them.

    Each draw is noisy windows x and baselines x' (B, L, N), and how far (B,)
    from x' to x the gradient is taken, uniform in [0, 1): expected gradients
    (Erion et al. 2021, Nature Machine Intelligence 3:620; GradientSHAP).
    """
    each = []
    for windows, baseline, share in draws:
        here = torch.lerp(
            first.units(baseline), first.units(windows), share[:, None, None]
        )
        slope = first.to_frames(jacobian(first, here))
        each.append(slope * (windows - baseline)[:, None])
    return torch.stack(each).mean(dim=0)


def feature_ablation(
    first: FirstLayer, windows: Tensor, baseline: Tensor, by_frame: bool
) -> Tensor:
    """Return f(x) less f(x with a feature set to the baseline).

    A feature is a neuron in one frame, or (L is then 1) in all of its window.
    """
    units = first.units(windows)
    latents = first.rest(units)
    lost = windows - baseline
    n_rows, length, n_neurons = windows.shape
    per_neuron = n_rows * (length if by_frame else 1)
    step = max(1, EVALUATIONS // per_neuron)
    parts = []
    for start in range(0, n_neurons, step):
        some = slice(start, start + step)
        added = first.of_single_frames(some)
        if by_frame:
            less = torch.einsum("nlup,bln->bnlup", added, lost[:, :, some])
        else:
            less = torch.einsum("nlup,bln->bnup", added, lost[:, :, some])[:, :, None]
        without = first.rest((units[:, None, None] - less).flatten(0, 2))
        parts.append(without.unflatten(0, less.shape[:3]))
    change = latents[:, None, None] - torch.cat(parts, dim=1)  # (B, N, L or 1, D)
    return change.permute(0, 3, 2, 1)
