"""InfoNCE of large batches, without the table of all similarities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_cebra.embedding.losses import InfoNCE, Loss

_BLOCK = {"cpu": 2**16, "cuda": 2**26, "mps": 2**24}
"""Similarities held at once: on the CPU as many as its cache takes."""


class Contrast(InfoNCE):
    """InfoNCE as of its base class, block by block; parameters as there.

    Equal up to rounding, in memory that grows with the batch and not with its
    square, and on the CPU in a fraction of the time: a block of similarities
    is made, its part of the loss and of the gradients taken, and thrown away.
    """

    def forward(self, reference: Tensor, positive: Tensor, negative: Tensor) -> Loss:
        """Return the loss of (B, D) references and positives, (n, D) negatives."""
        inverse = self.inverse_temperature
        if self.distance == "cosine":
            to_positive = (reference * positive).sum(1)
        else:
            to_positive = -(reference - positive).square().sum(1)
            # minus the squared distance as an inner product
            one = torch.ones_like(reference[:, :1])
            reference = torch.cat(
                [2 * reference, reference.square().sum(1, keepdim=True), one], 1
            )
            one = torch.ones_like(negative[:, :1])
            square = negative.square().sum(1, keepdim=True)
            negative = torch.cat([negative, -one, -square], 1)
        uniformity: Tensor = _MeanLogSumExp.apply(reference, negative, inverse)
        alignment = -(to_positive * inverse).mean()
        return Loss(alignment + uniformity, alignment, uniformity)


class _MeanLogSumExp(torch.autograd.Function):
    """``logsumexp(inverse * reference @ negative.T, dim=1).mean()``."""

    @staticmethod
    def forward(
        ctx: Any, reference: Tensor, negative: Tensor, inverse: Tensor
    ) -> Tensor:
        n, needed = len(reference), any(ctx.needs_input_grad)
        rows = max(1, _BLOCK.get(reference.device.type, 2**20) // len(negative))
        scaled = reference * inverse
        total = reference.new_zeros(
            (), dtype=torch.float64 if _has_double(reference) else None
        )
        to_reference = torch.empty_like(reference)
        columns = negative.T.contiguous()
        to_columns = torch.zeros_like(columns)  # wide, so that products are fast
        for low in range(0, n, rows):
            block = scaled[low : low + rows]
            share = block @ columns
            most = share.amax(1, keepdim=True)
            share.sub_(most).exp_()
            sums = share.sum(1, keepdim=True)
            total += (sums.log() + most).sum()
            if needed:
                torch.mm(share, negative, out=to_reference[low : low + rows])
                to_reference[low : low + rows] /= sums
                to_columns.addmm_((block / sums).T, share)
        if needed:
            # d/d(inverse) comes from the gradient of the scaled references
            by_inverse = (to_reference * reference).sum() / n
            ctx.save_for_backward(
                to_reference.mul_(inverse / n), to_columns.T.div(n), by_inverse
            )
        return (total / n).to(reference.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        reference, negative, inverse = ctx.saved_tensors
        return grad * reference, grad * negative, grad * inverse


def _has_double(tensor: Tensor) -> bool:
    return tensor.device.type != "mps"
