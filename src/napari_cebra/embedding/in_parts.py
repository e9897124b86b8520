"""Gradients of a batch that is embedded piece by piece, where memory is short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor


def backward_in_parts(
    pieces: Sequence[Any],
    embed: Callable[[Any], Tensor],
    loss_of: Callable[[list[Tensor]], Tensor],
    generator: Generator,
) -> Tensor:
    """Add the gradients of a loss of many latents; return the loss.

    All pieces are embedded first without keeping what is between the layers, the
    loss is taken of their latents, and each piece is embedded again to pass its
    share of the gradients on (gradient caching, Gao et al., RepL4NLP 2021). So
    the memory is that of one piece and the gradients are those of the whole.

    Parameters
    ----------
    pieces : sequence
        Of a batch, in order.
    embed : callable
        From a piece to its (n, D) latents; what it draws comes from `generator`.
    loss_of : callable
        From the latents of all pieces to the loss.
    generator : Generator
    """
    drawn = generator.get_state()
    with torch.no_grad():
        latents = [embed(piece) for piece in pieces]
    latents = [each.requires_grad_() for each in latents]
    loss = loss_of(latents)
    loss.backward()
    generator.set_state(drawn)  # for layers with dropout
    for piece, each in zip(pieces, latents, strict=True):
        embed(piece).backward(each.grad)
    return loss.detach()
