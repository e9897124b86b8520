"""Rows of several recordings in one space of variables, and their search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.pairs.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator

    from napari_cebra.embedding.pairs.nearest import Search
    from napari_cebra.embedding.pairs.rows import ByClass, Groups, Pool


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
    pools : one a recording
        All rows.
    priors : one a recording
        What references and negatives are drawn from.
    noise : (c,) tensor, optional
        SD of normal differences, in place of `deltas`.
    """

    values: Tensor
    deltas: Tensor | None
    circular: tuple[bool, ...]
    searches: tuple[Search, ...]
    group_starts: tuple[int, ...]
    groups: Groups
    pools: tuple[Pool, ...]
    priors: tuple[Pool | ByClass, ...]
    noise: Tensor | None = None

    def references(self, n: int | None, generator: Generator) -> Tensor:
        """Return n rows of each recording end to end; None: every row once."""
        if n is None:
            return torch.cat([pool.rows for pool in self.pools])
        return torch.cat([prior.draw(n, generator) for prior in self.priors])

    def delta(self, n: int, generator: Generator) -> Tensor | float:
        """Draw n differences."""
        if self.noise is not None:
            shape, kind = (n, len(self.noise)), self.noise.dtype
            device = self.noise.device
            normal = torch.randn(shape, generator=generator, device=device, dtype=kind)
            return normal * self.noise
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
        if excluded is None:
            asker = query.new_zeros(len(query), dtype=torch.int64)
            banned = torch.full_like(asker, -1)
        else:
            asker, own = excluded, self.groups.group_of[excluded]
            banned = torch.where(self.groups.count[own] == 1, own, -1)
        order = self.groups.first if first else None
        found = []
        for s, (part, ban) in enumerate(
            zip(parts, banned.split(list(sizes)), strict=True)
        ):
            index, distance = self.searches[s].candidates(part)
            candidates = index + self.group_starts[s], distance
            found.append(nearest(candidates, ban, generator, order))
        return self.groups.draw(
            torch.cat(found), asker, generator, excluded is not None, first
        )


def points(columns: Tensor, circular: tuple[bool, ...]) -> Tensor:
    """Return points, of which the Euclidean distance counts, of (n, c) columns."""
    if circular == (True,):
        return columns % (2 * np.pi)
    parts = []
    for j, angle in enumerate(circular):
        column = columns[:, j]
        parts += [column.cos(), column.sin()] if angle else [column]
    return torch.stack(parts, dim=1)
