"""The pseudo-inverse of many Jacobians at once."""

from __future__ import annotations

import torch
from torch import Tensor

_CUTOFF = 1e-5
"""Singular values below this share of the largest are rounding errors of float32."""


def pseudo_inverse(jacobian: Tensor) -> Tensor:
    """Return the transposed pseudo-inverse of each (D, N) matrix.

    Computed as (J Jᵀ)⁺ J in float64 from the D × D product. This is both the
    matrix that a singular value decomposition gives and the least-squares
    solution of J X = I of least norm. Singular values up to 1e-5, or
    max(D, N) times the resolution of float32, of the largest count as zero: on
    the sphere one always is, and what rounding leaves of it must not be inverted.

    Parameters
    ----------
    jacobian : (..., D, N) tensor

    Returns
    -------
    (..., D, N) tensor
        Like the input, so that entry (d, n) still belongs to latent and neuron.
    """
    j = jacobian.double()
    gram = j @ j.transpose(-1, -2)
    squares, axes = torch.linalg.eigh(gram)
    cutoff = max(_CUTOFF, max(j.shape[-2:]) * torch.finfo(torch.float32).eps)
    kept = squares > cutoff**2 * squares[..., -1:]
    inverse = torch.where(kept, squares, 1).reciprocal() * kept
    inverted = (axes * inverse[..., None, :]) @ axes.transpose(-1, -2)
    return (inverted @ j).to(jacobian.dtype)
