"""Which rows of several recordings stand side by side, as those of one animal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_cebra.embedding.pairs import HybridPairs, Pairs, Rows, TimePairs
from napari_cebra.embedding.pairs.rows import below
from napari_cebra.embedding.sessions.variables import link
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator

    from napari_cebra.embedding.sessions.linked import Linked


@dataclass(frozen=True, eq=False)
class UnifiedSampler:
    """Rows of all recordings that stand side by side."""

    linked: Linked
    first: bool
    exclude_self: bool

    def prior(self, n: int, generator: Generator) -> Tensor:
        """Draw (S, n) rows, counted through all recordings."""
        pools = self.linked.pools
        device = self.linked.values.device
        count = torch.tensor([len(pool.rows) for pool in pools], device=device)
        start = count.cumsum(0) - count
        chosen = torch.randint(len(pools), (1,), generator=generator, device=device)
        pick = start[chosen] + below(count[chosen].expand(n), generator)
        rows = torch.cat([pool.rows for pool in pools])[pick]
        return self.beside(rows, chosen, generator)

    def beside(self, rows: Tensor, session: Tensor, generator: Generator) -> Tensor:
        """Return (S, n): rows of one recording, and the nearest of all others."""
        n, sessions = len(rows), len(self.linked.pools)
        query = self.linked.values[rows].repeat(sessions, 1)
        found = self.linked.nearest(query, (n,) * sessions, generator, self.first)
        own = torch.arange(sessions, device=rows.device) == session
        return torch.where(own[:, None], rows, found.view(sessions, n))

    def positive(self, reference: Tensor, generator: Generator) -> Tensor:
        """Draw a positive of each of (S, n) rows in its own recording."""
        flat = reference.flatten()
        query = self.linked.values[flat] + self.linked.delta(len(flat), generator)
        sizes = (reference.shape[1],) * len(reference)
        excluded = flat if self.exclude_self else None
        found = self.linked.nearest(query, sizes, generator, self.first, excluded)
        return found.view_as(reference)


def line_up(
    pairs: Sequence[Pairs],
    rows: Sequence[Rows],
    device: torch.device,
    exclude_self: bool,
) -> Linked:
    """Return the rows of recordings that a variable links.

    Raises
    ------
    InvalidInput
        If nothing but time does, or they share no range of it.
    """
    if any(isinstance(rule, TimePairs | HybridPairs) for rule in pairs):
        raise InvalidInput(
            "The unified encoder lines recordings up by a variable, so it cannot be "
            "trained on time; choose a continuous or discrete variable."
        )
    return link(pairs, rows, device, exclude_self)
