"""InfoNCE, the loss of contrastive learning."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


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
    Mathis, Nature 2023, as implemented in its reference since 0.3.0).

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
        cross = reference @ negative.T
        if self.distance == "cosine":
            to_positive = (reference * positive).sum(1)
            to_negative = cross
        else:
            to_positive = -(reference - positive).square().sum(1)
            squares = reference.square().sum(1)[:, None] + negative.square().sum(1)
            to_negative = 2 * cross - squares
        alignment = -(to_positive * inverse).mean()
        uniformity = torch.logsumexp(to_negative * inverse, dim=1).mean()
        return Loss(alignment + uniformity, alignment, uniformity)


def goodness_of_fit(infonce: float, n_negatives: int) -> float:
    """Return how far InfoNCE lies below chance, in bits.

    0 is chance (ln n for n negatives), more is better, and the most that can
    be told with n negatives is of the order of log2 n.
    """
    return (math.log(n_negatives) - infonce) / math.log(2)
