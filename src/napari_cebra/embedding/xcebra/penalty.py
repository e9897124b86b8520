"""The penalty on an encoder's Jacobian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.first_layer import FirstLayer


def jacobian_penalty(
    first: FirstLayer,
    units: Tensor,
    latents: Callable[[Tensor], Tensor],
    counts: Tensor,
    directions: Tensor | None = None,
) -> Tensor:
    r"""Return ½ ‖∂y/∂x‖² (Frobenius), the mean over windows x.

    Exact, with one backward pass for each latent, or from random directions on
    the sphere of latents: D ‖vᵀ ∂y/∂x‖² has the same mean (Hoffman, Roberts &
    Yaida 2019, arXiv:1908.02729). The neurons enter through the products of
    the first layer's weights alone, so the cost of a window does not depend on
    how many there are.

    Parameters
    ----------
    first : FirstLayer
    units : (B, U, P) tensor
        Of the windows.
    latents : callable
        Units to the (B, D) latents y.
    counts : (D,) tensor
        How many times each latent counts.
    directions : (n, B, D) tensor, optional
        Unit vectors; None is exact.
    """
    pulled = torch.func.vjp(latents, units)
    y, pull = pulled[0], pulled[1]
    n_latents = y.shape[1]
    if directions is None:
        each = torch.diag(counts.sqrt())[:, None].expand(-1, len(y), -1)
        scale = 1.0
    else:
        each = directions * counts.sqrt()
        scale = n_latents / len(directions)

    def by_units(one: Tensor) -> Tensor:
        gradient: Tensor = pull(one)[0]
        return gradient

    at_once = 1 if units.device.type == "cpu" else None
    slopes = torch.func.vmap(by_units, chunk_size=at_once)(each)
    return 0.5 * scale * _square_by_frames(first.weight, slopes) / len(y)


def random_directions(n: int, like: Tensor, generator: Generator) -> Tensor:
    """Return (n, B, D) unit vectors for (B, D) latents."""
    shape = (n, *like.shape)
    drawn = torch.randn(shape, generator=generator, device=like.device)
    return torch.nn.functional.normalize(drawn, dim=-1)


def _square_by_frames(weight: Tensor, slopes: Tensor) -> Tensor:
    """Sum of squares of the gradients by frames and neurons, of (…, U, P) ones."""
    kernel, places = weight.shape[2], slopes.shape[-1]
    by_place = slopes.transpose(-1, -2)
    total = slopes.new_zeros(())
    for lag in range(min(kernel, places)):
        ahead, behind = weight[:, :, lag:], weight[:, :, : kernel - lag]
        products = ahead.flatten(1) @ behind.flatten(1).T
        here, there = by_place[..., : places - lag, :], by_place[..., lag:, :]
        term = ((here @ products) * there).sum()
        total = total + (term if lag == 0 else 2 * term)
    return total
