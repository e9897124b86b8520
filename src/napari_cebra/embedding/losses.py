"""InfoNCE, the loss of contrastive learning, and its forerunner NCE."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from napari_cebra.embedding.compiled import in_threads, kernels, takes, threads_for
from napari_cebra.embedding.convolutions import product

_BLOCK_PAIRS = {"cpu": 2**18, "cuda": 2**26, "mps": 2**24}
"""Similarities that are held at once: on the CPU, as many as its cache takes."""


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
    changes neither value nor gradient: here it is done for the sum alone.

    Similarities are computed in blocks of references and never held together,
    so that memory grows with the batch and not with its square.

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
            to_positive = (reference * positive).sum()
        else:
            to_positive = -(reference - positive).square().sum()
            reference, negative = _as_inner_product(reference, negative)
        alignment = to_positive * inverse / -len(reference)
        uniformity: Tensor = _MeanLogSumExp.apply(reference, negative, inverse)
        return Loss(alignment + uniformity, alignment, uniformity)


def _as_inner_product(reference: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Return points whose inner products are minus the squared distances."""
    of_reference = reference.square().sum(1, keepdim=True)
    of_negative = negative.square().sum(1, keepdim=True)
    one, minus_one = torch.ones_like(of_reference), -torch.ones_like(of_negative)
    return (
        torch.cat([2 * reference, of_reference, one], 1),
        torch.cat([negative, minus_one, -of_negative], 1),
    )


class _MeanLogSumExp(torch.autograd.Function):
    """``logsumexp(inverse * reference @ negative.T, dim=1).mean()``.

    A block of references meets all negatives, so its softmax, which is its
    gradient, is known at once: nothing is computed again on the way back, and
    of (B, n) similarities only one block exists at a time.
    """

    @staticmethod
    def forward(
        ctx: Any, reference: Tensor, negative: Tensor, inverse: Tensor
    ) -> Tensor:
        learns = any(ctx.needs_input_grad)
        one_way = _in_blocks
        if takes(reference) and kernels("loss_kernels") is not None:
            one_way = _compiled
        scaled, negative = reference * inverse, negative.contiguous()
        found, of_scaled, of_negative = one_way(scaled, negative, learns)
        if learns:
            of_scaled = of_scaled.div(len(reference))
            ctx.save_for_backward(
                of_scaled * inverse,
                of_negative.div(len(reference)),
                (of_scaled * reference).sum(),
            )
        return found.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        (gradient,) = gradients
        return tuple(gradient * saved for saved in ctx.saved_tensors)


def _in_blocks(
    scaled: Tensor, negative: Tensor, learns: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (B,) log Σ exp of products, and the gradients of their sum."""
    block = max(1, _BLOCK_PAIRS.get(scaled.device.type, 2**20) // len(negative))
    columns = negative.T.contiguous()
    sums: list[Tensor] = []
    pulled: list[Tensor] = [scaled[:0]]
    of_columns = torch.zeros_like(columns)
    for part in scaled.split(block):
        similarity = product(part, negative)
        share = similarity.softmax(1)
        # the share of the largest is one over the sum of all, next to it
        sums.append(similarity.amax(1) - share.amax(1).log_())
        if learns:
            pulled.append(product(share, columns))
            of_columns += product(part.T.contiguous(), share.T)
    return torch.cat(sums), torch.cat(pulled), of_columns.T


def _compiled(
    scaled: Tensor, negative: Tensor, learns: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same from compiled code."""
    k = kernels("loss_kernels")
    (n, size), m = scaled.shape, len(negative)
    blocks = -(-n // k.LANES)
    padded = F.pad(scaled, (0, 0, 0, blocks * k.LANES - n))
    across = padded.view(blocks, k.LANES, size).transpose(1, 2).contiguous()
    found = across.new_empty(blocks, k.LANES)
    of_across = across.new_empty(blocks, -(-size // k.HELD) * k.HELD, k.LANES)
    threads, lanes = threads_for(blocks), -(-size // k.LANES) * k.LANES
    of_negative = across.new_empty(threads, m, lanes)
    ours = across.numpy(), negative.numpy(), negative.T.contiguous().numpy()
    filled = found.numpy(), of_across.numpy(), of_negative.numpy()

    def work(thread: int, begin: int, end: int) -> None:
        k.log_sum_exp(begin, end, *ours, *filled[:2], filled[2][thread], learns)

    in_threads(work, blocks)
    of_scaled = of_across[:, :size].transpose(1, 2).reshape(-1, size)
    return found.view(-1)[:n], of_scaled[:n], of_negative[..., :size].sum(0)


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
