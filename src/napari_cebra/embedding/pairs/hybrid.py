"""Behaviour and time together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cebra.embedding.pairs.rows import Batch, Pairs, Rows, Sampler
from napari_cebra.embedding.pairs.time import has_partner

if TYPE_CHECKING:
    import torch
    from torch import Generator


@dataclass(frozen=True)
class HybridPairs:
    """Each reference has a positive of `behavior` and one `offset` frames later.

    The behaviour objective shapes the first latents, the time objective all of
    them (CEBRA-Hybrid of Schneider, Lee & Mathis, Nature 2023).
    """

    behavior: Pairs
    offset: int = 10

    def bind(self, rows: Rows, device: torch.device) -> HybridSampler:
        """Return a sampler of rows that have a partner in time."""
        partner = has_partner(rows, self.offset)
        inner = Rows(partner, rows.segment, rows.others)
        return HybridSampler(self.behavior.bind(inner, device), self.offset)


@dataclass(frozen=True)
class HybridSampler:
    """Draws of `HybridPairs`."""

    behavior: Sampler
    offset: int

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, two positives for each, and n negatives."""
        batch = self.behavior.draw(n, generator)
        in_time = batch.reference + self.offset
        return Batch(batch.reference, (*batch.positives, in_time), batch.negative)
