"""Positives of the same class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from napari_cebra.embedding.pairs.rows import (
    Batch,
    ByClass,
    Groups,
    Pool,
    Rows,
    check_length,
)
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import torch
    from torch import Generator


@dataclass(frozen=True, eq=False)
class DiscretePairs:
    """The positive is another row of the same class, uniformly.

    Parameters
    ----------
    classes : (T,) int
        Class of each row; negative where unknown.
    prior : {"empirical", "uniform"}
        References as the classes occur, or each class equally often.
    exclude_self : bool
        No row is its own positive; False allows it, as the reference package
        does, and classes of a single row with it.
    """

    classes: np.ndarray
    prior: Literal["empirical", "uniform"] = "empirical"
    exclude_self: bool = True

    def bind(self, rows: Rows, device: torch.device) -> DiscreteSampler:
        """Return a sampler; a class of a single row has no pair and is left out."""
        classes = np.asarray(self.classes)
        check_length(classes, rows, "the discrete variable")
        used = np.flatnonzero(rows.references & (classes >= 0))
        _, group, count = np.unique(
            classes[used], return_inverse=True, return_counts=True
        )
        if self.exclude_self:
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
        uniform = self.prior == "uniform"
        pool = ByClass(groups) if uniform else Pool(mask, device)
        return DiscreteSampler(groups, pool, self.exclude_self)


@dataclass(frozen=True)
class DiscreteSampler:
    """Draws of `DiscretePairs`."""

    groups: Groups
    pool: Pool | ByClass
    exclude_self: bool = True

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self.pool.draw(n, generator)
        negative = self.pool.draw(n, generator)
        group = self.groups.group_of[reference]
        positive = self.groups.draw(group, reference, generator, self.exclude_self)
        return Batch(reference, (positive,), negative)
