"""Rows of several recordings in one space of variables, and their search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.pairs.rows import Groups, Pool, below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator

    from napari_cebra.embedding.pairs.nearest import Search


@dataclass(frozen=True, eq=False)
class Linked:
    """Rows of several recordings in one space of variables.

    Rows are counted through all recordings, and so are the groups of rows
    with equal values.

    Parameters
    ----------
    values : (sum T, c) tensor
        Columns as given (angles in radians); the last is the class, if any.
    deltas : (k, c) tensor or None
        Differences that time makes, of all recordings; None for classes alone.
    circular : tuple of bool
        Which columns are angles.
    searches : one a recording
        Of its distinct points.
    group_starts : tuple of int
        The first group of each recording.
    groups : Groups
    first_rows : (G,) tensor
        The first row of each group.
    pools : one a recording
    by_class : bool
        Draw references from each class equally often.
    """

    values: Tensor
    deltas: Tensor | None
    circular: tuple[bool, ...]
    searches: tuple[Search, ...]
    group_starts: tuple[int, ...]
    groups: Groups
    first_rows: Tensor
    pools: tuple[Pool, ...]
    by_class: bool

    def references(self, n: int | None, generator: Generator) -> Tensor:
        """Return n rows of each recording end to end; None: every row once."""
        if n is None:
            return torch.cat([pool.rows for pool in self.pools])
        if not self.by_class:
            return torch.cat([pool.draw(n, generator) for pool in self.pools])
        stops = (*self.group_starts[1:], len(self.groups.count))
        parts = []
        for low, high in zip(self.group_starts, stops, strict=True):
            device = self.values.device
            group = torch.randint(low, high, (n,), generator=generator, device=device)
            pick = below(self.groups.count[group], generator)
            parts.append(self.groups.members[self.groups.start[group] + pick])
        return torch.cat(parts)

    def delta(self, n: int, generator: Generator) -> Tensor | float:
        """Draw n differences."""
        if self.deltas is None:
            return 0.0
        pick = torch.randint(
            len(self.deltas), (n,), generator=generator, device=self.deltas.device
        )
        return self.deltas[pick]

    def nearest(
        self,
        query: Tensor,
        sizes: Sequence[int],
        generator: Generator,
        first: bool = False,
        excluded: Tensor | None = None,
    ) -> Tensor:
        """Return for each query the nearest row of the recording it is put to.

        Parameters
        ----------
        query : (n, c) tensor
            Columns; the first `sizes[0]` are put to recording 0, and so on.
        sizes : sequence of int
        generator : Generator
        first : bool
            Take the first of equally near rows, not one of them at random.
        excluded : (n,) tensor, optional
            A row that each query may not be answered with.
        """
        parts = points(query, self.circular).split(list(sizes))
        found = []
        own = (
            None
            if excluded is None
            else self.groups.group_of[excluded].split(list(sizes))
        )
        for s, part in enumerate(parts):
            index, distance = self.searches[s].candidates(part)
            group = index + self.group_starts[s]
            if own is not None:
                alone = self.groups.count[own[s]] == 1
                bad = (group == own[s][:, None]) & alone[:, None]
                distance = distance.masked_fill(bad, torch.inf)
            tied = distance <= distance.min(dim=1, keepdim=True).values
            if first:
                lot = -self.first_rows[group].to(distance.dtype)
            else:
                lot = torch.rand(tied.shape, generator=generator, device=tied.device)
            choice = lot.masked_fill(~tied, -torch.inf).argmax(dim=1, keepdim=True)
            found.append(group.gather(1, choice)[:, 0])
        return self._member(torch.cat(found), excluded, generator, first)

    def _member(
        self, group: Tensor, excluded: Tensor | None, generator: Generator, first: bool
    ) -> Tensor:
        groups, count = self.groups, self.groups.count[group]
        if excluded is None:
            pick = torch.zeros_like(count) if first else below(count, generator)
            return groups.members[groups.start[group] + pick]
        own = groups.group_of[excluded] == group
        pick = (
            torch.zeros_like(count) if first else below(count - own.long(), generator)
        )
        pick = pick + (own & (pick >= groups.rank[excluded])).long()
        return groups.members[groups.start[group] + pick]


def points(columns: Tensor, circular: tuple[bool, ...]) -> Tensor:
    """Return points, of which the Euclidean distance counts, of (n, c) columns."""
    if circular == (True,):
        return columns % (2 * np.pi)
    parts = []
    for j, angle in enumerate(circular):
        column = columns[:, j]
        parts += [column.cos(), column.sin()] if angle else [column]
    return torch.stack(parts, dim=1)
