"""Positives of the same class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from napari_cebra.embedding.pairs.rows import Batch, Groups, Pool, Rows, check_length
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class DiscretePairs:
    """The positive is another row of the same class, uniformly.

    Parameters
    ----------
    classes : (T,) int
        Class of each row; negative where unknown.
    prior : {"empirical", "uniform"}
        References as the classes occur, or each class equally often.
    """

    classes: np.ndarray
    prior: Literal["empirical", "uniform"] = "empirical"

    def bind(self, rows: Rows, device: torch.device) -> DiscreteSampler:
        """Return a sampler; a class of a single row is left out."""
        classes = np.asarray(self.classes)
        check_length(classes, rows, "the discrete variable")
        used = np.flatnonzero(rows.references & (classes >= 0))
        _, group, count = np.unique(
            classes[used], return_inverse=True, return_counts=True
        )
        used, group = used[count[group] > 1], group[count[group] > 1]
        if used.size == 0:
            raise InvalidInput(
                "No class of the discrete variable has two usable rows, so there is "
                "no pair to learn from; choose another variable or more rows."
            )
        _, group = np.unique(group, return_inverse=True)
        groups = Groups(used, group, len(classes), device)
        mask = np.zeros(len(classes), bool)
        mask[used] = True
        return DiscreteSampler(groups, Pool(mask, device), self.prior == "uniform")


@dataclass(frozen=True)
class DiscreteSampler:
    """Draws of `DiscretePairs`."""

    groups: Groups
    pool: Pool
    by_class: bool

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self._prior(n, generator)
        negative = self._prior(n, generator)
        group = self.groups.group_of[reference]
        positive = self.groups.draw(group, reference, generator)
        return Batch(reference, (positive,), negative)

    def _prior(self, n: int, generator: Generator) -> Tensor:
        if not self.by_class:
            return self.pool.draw(n, generator)
        count = len(self.groups.count)
        device = self.groups.count.device
        group = torch.randint(count, (n,), generator=generator, device=device)
        nobody = torch.full_like(group, -1)
        return self.groups.draw(group, nobody, generator)
