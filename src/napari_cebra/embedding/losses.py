"""InfoNCE, the loss of contrastive learning, and its forerunner NCE."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_MOST_PAIRS = 2**24
"""Similarities that are held at once; above, they are computed in blocks."""
_BLOCK_PAIRS = 2**20
"""Of one block: few enough to stay in the cache, which is a third faster."""


class Loss(NamedTuple):
    """Loss and the two parts it is the sum of; scalars."""

    total: Tensor
    alignment: Tensor
    uniformity: Tensor


class InfoNCE(nn.Module):
    r"""InfoNCE on cosine or Euclidean similarity.

    .. math:: L = \mathrm{mean}_i(-\phi^+_i)
                  + \mathrm{mean}_i \log \sum_j \exp \phi^-_{ij}

    where φ is the similarity over the temperature; the positive is not part
    of the sum, so that chance is ln n for n negatives (Schneider, Lee &
    Mathis, Nature 2023, as implemented in its reference since 0.3.0). The
    reference first takes the largest φ of each row from both terms, which
    changes neither value nor gradient: ``logsumexp`` does so by itself.

    More than 2**24 similarities, as of a whole recording in one batch, are
    computed in blocks of references and never held together.

    Parameters
    ----------
    temperature : float
        Starting value, > 0.
    learnable : bool
        Train the temperature along with the encoder.
    min_temperature : float or None
        Floor of a learnable temperature.
    distance : {"cosine", "euclidean"}
        Similarity is the dot product (of points on the sphere: the cosine), or
        minus the squared distance.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        learnable: bool = False,
        min_temperature: float | None = None,
        distance: str = "cosine",
    ) -> None:
        super().__init__()
        self.distance = distance
        self.min_temperature = min_temperature if learnable else None
        log_inverse = torch.tensor(-math.log(temperature))
        self.log_inverse_temperature = nn.Parameter(
            log_inverse, requires_grad=learnable
        )

    @property
    def inverse_temperature(self) -> Tensor:
        """1/τ, a scalar that carries the gradient."""
        inverse = self.log_inverse_temperature.exp()
        if self.min_temperature is None:
            return inverse
        return inverse.clamp(max=1 / self.min_temperature)

    def forward(self, reference: Tensor, positive: Tensor, negative: Tensor) -> Loss:
        """Return the loss of (B, D) references and positives, (n, D) negatives."""
        inverse = self.inverse_temperature
        if self.distance == "cosine":
            to_positive = (reference * positive).sum(1)
        else:
            to_positive = -(reference - positive).square().sum(1)
        alignment = -(to_positive * inverse).mean()
        block = max(1, min(_MOST_PAIRS, _BLOCK_PAIRS) // len(negative))
        if len(reference) * len(negative) > _MOST_PAIRS:
            uniformity = _InBlocks.apply(
                reference, negative, inverse, self.distance, block
            )
        else:
            to_negative = _similarity(reference, negative, self.distance)
            uniformity = torch.logsumexp(to_negative * inverse, dim=1).mean()
        return Loss(alignment + uniformity, alignment, uniformity)


def _similarity(reference: Tensor, negative: Tensor, distance: str) -> Tensor:
    """Return (B, n) similarities of all pairs."""
    cross = reference @ negative.T
    if distance == "cosine":
        return cross
    squares = reference.square().sum(1)[:, None] + negative.square().sum(1)
    return 2 * cross - squares


class _InBlocks(torch.autograd.Function):
    """Mean over rows of logsumexp of scaled similarities, block by block.

    A block of references meets all negatives, so its softmax, which is its
    gradient, is known at once: nothing is computed again on the way back, and
    of (B, n) similarities only one block exists at a time.
    """

    @staticmethod
    def forward(
        ctx: Any,
        reference: Tensor,
        negative: Tensor,
        inverse: Tensor,
        distance: str,
        block: int,
    ) -> Tensor:
        learns = any(ctx.needs_input_grad[:3])
        rows = reference.new_empty(len(reference))
        of_reference = torch.zeros_like(reference) if learns else None
        of_negative = torch.zeros_like(negative) if learns else None
        of_inverse = torch.zeros_like(inverse) if learns else None
        weight = inverse / len(reference)
        for first in range(0, len(reference), block):
            here = slice(first, first + block)
            part = reference[here]
            similarity = _similarity(part, negative, distance)
            largest = (similarity * inverse).amax(1, keepdim=True)
            share = torch.addcmul(-largest, similarity, inverse).exp_()
            total = share.sum(1, keepdim=True)
            rows[here] = (largest + total.log())[:, 0]
            if of_reference is None or of_negative is None or of_inverse is None:
                continue
            share.div_(total)
            of_inverse += torch.vdot(share.view(-1), similarity.view(-1))
            pulled = share @ negative
            if distance == "cosine":
                of_reference[here] = weight * pulled
                of_negative.addmm_(share.T, weight * part)
            else:
                of_reference[here] = 2 * weight * (pulled - part)
                of_negative.addmm_(share.T, 2 * weight * part)
                of_negative.sub_(2 * weight * share.sum(0)[:, None] * negative)
        if of_inverse is not None:
            ctx.save_for_backward(
                of_reference, of_negative, of_inverse / len(reference)
            )
        return rows.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        each = [gradient * saved for saved in ctx.saved_tensors]
        return (*each, None, None)


class NCE(nn.Module):
    r"""Noise-contrastive estimation (Gutmann & Hyvärinen, AISTATS 2010).

    .. math:: L = -\mathrm{mean}_i \log \sigma(\phi^+_i)
                  - w\, \mathrm{mean}_i \, \mathrm{mean}_j \log \sigma(-\phi^-_{ij})

    with φ the dot product over the temperature. The reference implementation
    returns both terms for each row and without the minus signs, so that
    minimising it pushes positives away; this is the loss as published.

    Parameters
    ----------
    temperature : float
    negative_weight : float
        The weight w.
    reduce : {"mean", "sum"}
        Over the negatives of a reference.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        negative_weight: float = 1.0,
        reduce: str = "mean",
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.negative_weight = negative_weight
        self.reduce = reduce

    def forward(self, reference: Tensor, positive: Tensor, negative: Tensor) -> Loss:
        """Return the loss of (B, D) references and positives, (n, D) negatives."""
        to_positive = (reference * positive).sum(1) / self.temperature
        to_negative = reference @ negative.T / self.temperature
        alignment = -F.logsigmoid(to_positive).mean()
        of_rows = F.logsigmoid(-to_negative)
        each = of_rows.mean(1) if self.reduce == "mean" else of_rows.sum(1)
        uniformity = -self.negative_weight * each.mean()
        return Loss(alignment + uniformity, alignment, uniformity)


def goodness_of_fit(infonce: float, n_negatives: int) -> float:
    """Return how far InfoNCE lies below chance, in bits.

    0 is chance (ln n for n negatives), more is better, and the most that can
    be told with n negatives is of the order of log2 n.
    """
    return (math.log(n_negatives) - infonce) / math.log(2)
