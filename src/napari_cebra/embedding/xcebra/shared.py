"""Several kinds of pairs with the same references and negatives."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.embedding.pairs.rows import Batch, Pairs, Pool, Rows, Sampler
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import torch
    from torch import Generator, Tensor


@dataclass(frozen=True)
class SharedPairs:
    """Each reference has one positive of every kind of pairs.

    References and negatives are rows that all of them can use.
    """

    parts: tuple[Pairs, ...]

    def bind(self, rows: Rows, device: torch.device) -> SharedSampler:
        """Return a sampler of the rows that all parts can use."""
        samplers = tuple(part.bind(rows, device) for part in self.parts)
        usable = np.ones(len(rows.segment), bool)
        for sampler in samplers:
            own = np.zeros(len(usable), bool)
            own[_rows(sampler).cpu().numpy()] = True
            usable &= own
        if not usable.any():
            raise InvalidInput(
                "No row has a partner in every objective; use more rows, or "
                "variables that are known at the same times."
            )
        return SharedSampler(samplers, Pool(usable, device))


@dataclass(frozen=True)
class SharedSampler:
    """Draws of `SharedPairs`."""

    parts: tuple[Sampler, ...]
    pool: Pool

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, a positive of each part for them, and n negatives."""
        reference = self.pool.draw(n, generator)
        negative = self.pool.draw(n, generator)
        positives = (_positive(part, reference, generator) for part in self.parts)
        return Batch(reference, tuple(positives), negative)


class _Given(Pool):
    """Draws the rows it was given."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def draw(self, n: int, generator: Generator) -> Tensor:
        return self.rows


def _names(sampler: Any) -> set[str]:
    return {field.name for field in fields(sampler)}


def _rows(sampler: Any) -> Tensor:
    """Return the rows that can be references, whatever prior they are drawn by."""
    name = {"pool", "references"} & _names(sampler)
    if not name:
        raise InvalidInput(
            "Pairs of behaviour and time together cannot be one objective; give them "
            "as two."
        )
    pool = getattr(sampler, name.pop())
    rows: Tensor = pool.rows if isinstance(pool, Pool) else pool.groups.members
    return rows


def _positive(sampler: Any, reference: Tensor, generator: Generator) -> Tensor:
    """Draw partners of these references, whatever prior the sampler has."""
    changed: dict[str, Any] = {
        name: _Given(reference)
        for name in ("pool", "references", "negatives")
        if name in _names(sampler)
    }
    if "by_class" in _names(sampler):
        changed["by_class"] = False
    batch: Batch = replace(sampler, **changed).draw(len(reference), generator)
    return batch.positives[0]
