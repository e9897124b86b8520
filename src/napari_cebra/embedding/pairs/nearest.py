"""Exact nearest rows in the space of the variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

if TYPE_CHECKING:
    from torch import Generator

TREE_DIMENSIONS = 8
"""Above this a tree visits nearly all points; a blocked product is faster."""

N_CANDIDATES = 4
"""Nearest values looked at, so that ties and the excluded one can be seen."""

_BLOCK = 2**22
_TABLE = 2**24


class Search(Protocol):
    """Finds the nearest of G distinct values."""

    def candidates(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n, k) value indices and (n, k) distances, unordered."""
        ...


class SortedSearch:
    """One dimension: binary search in sorted values, on a line or a circle.

    Parameters
    ----------
    values : (G,) float
        Distinct and rising; within one period on a circle.
    period : float or None
        Length of the circle.
    """

    def __init__(
        self, values: np.ndarray, period: float | None, device: torch.device
    ) -> None:
        kind = torch.float32 if device.type == "mps" else torch.float64
        self.values = torch.as_tensor(values, device=device, dtype=kind)
        self.period = period

    def candidates(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two values on either side of each of the (n, 1) queries."""
        query = query[:, 0].contiguous()
        count = len(self.values)
        place = torch.searchsorted(self.values, query)[:, None]
        reach = torch.arange(-2, 2, device=query.device)
        index = place + reach
        inside = (index >= 0) & (index < count)
        if self.period is not None:
            index = index % count
            distance = (self.values[index] - query[:, None]).abs()
            distance = torch.minimum(distance, self.period - distance)
            return index, distance
        index = index.clamp(0, count - 1)
        distance = (self.values[index] - query[:, None]).abs()
        return index, distance.masked_fill(~inside, torch.inf)


class TreeSearch:
    """A few dimensions on the CPU: a k-d tree."""

    def __init__(self, values: np.ndarray) -> None:
        self.tree = cKDTree(values)
        self.k = min(N_CANDIDATES, len(values))

    def candidates(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest values of each of the (n, d) queries."""
        distance, index = self.tree.query(query.numpy(), k=[*range(1, self.k + 1)])
        return torch.from_numpy(index), torch.from_numpy(distance)


class BlockedSearch:
    """Any number of dimensions, on any device: all distances, block by block."""

    def __init__(self, values: np.ndarray, device: torch.device) -> None:
        kind = torch.float32 if device.type == "mps" else torch.float64
        self.values = torch.as_tensor(values, device=device, dtype=kind)
        self.k = min(N_CANDIDATES, len(values))

    def candidates(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest values of each of the (n, d) queries."""
        rows = max(1, _BLOCK // len(self.values))
        found = []
        for block in query.split(rows):
            distance = torch.cdist(block, self.values)
            found.append(distance.topk(self.k, dim=1, largest=False))
        index = torch.cat([f.indices for f in found])
        return index, torch.cat([f.values for f in found])


class DifferenceTable:
    """Few distinct values of many columns (features of movie frames, shown again).

    The squared distance of y(g) + Δ(k) from y(h) is, but for a part that does
    not depend on h, ``|y(h)|² - 2 y(g)·y(h) - 2 Δ(k)·y(h)``. The products are
    taken once, so a draw costs two rows of tables, whatever the columns.

    Parameters
    ----------
    values : (G, d) float
        Distinct values.
    deltas : (K, d) float
        Distinct differences.
    which : (n,) int
        Index among `deltas` of each difference that can be drawn.
    """

    def __init__(
        self,
        values: np.ndarray,
        deltas: np.ndarray,
        which: np.ndarray,
        device: torch.device,
    ) -> None:
        kind = torch.float32 if device.type == "mps" else torch.float64
        center = values.mean(axis=0)
        y = torch.as_tensor(values - center, device=device, dtype=kind)
        difference = torch.as_tensor(deltas, device=device, dtype=kind)
        self.of_value = y.square().sum(1) - 2 * y @ y.T
        self.of_delta = -2 * difference @ y.T
        self.which = torch.as_tensor(which, device=device)
        self.k = min(N_CANDIDATES, len(values))

    @classmethod
    def of(
        cls, values: np.ndarray, deltas: np.ndarray, device: torch.device
    ) -> DifferenceTable | None:
        """Return the table, or None where a search is as quick or it is too big."""
        if values.shape[1] <= TREE_DIMENSIONS or len(values) ** 2 > _TABLE:
            return None
        distinct, which = np.unique(deltas, axis=0, return_inverse=True)
        if len(distinct) * len(values) > _TABLE:
            return None
        return cls(values, distinct, which.ravel(), device)

    def candidates(self, group: Tensor, pick: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values nearest to y(group) + Δ(pick), and how near."""
        distance = self.of_value.index_select(0, group)
        distance += self.of_delta.index_select(0, self.which[pick])
        found = distance.topk(self.k, dim=1, largest=False)
        return found.indices, found.values


def build_search(
    values: np.ndarray, period: float | None, device: torch.device
) -> Search:
    """Return the quickest exact search of (G, d) distinct sorted values."""
    if values.shape[1] == 1:
        return SortedSearch(values[:, 0], period, device)
    if device.type == "cpu" and values.shape[1] <= TREE_DIMENSIONS:
        return TreeSearch(values)
    return BlockedSearch(values, device)


def nearest(
    candidates: tuple[Tensor, Tensor],
    excluded: Tensor,
    generator: Generator,
    order: Tensor | None = None,
) -> Tensor:
    """Return for each query the index of the nearest value.

    Parameters
    ----------
    candidates : (n, k) tensors
        Value indices and distances, as a search returns them.
    excluded : (n,) tensor
        A value that may not be taken, -1 for none.
    generator : Generator
        Settles ties.
    order : (G,) tensor, optional
        Settles ties instead: the lowest is taken.
    """
    index, distance = candidates
    distance = distance.masked_fill(index == excluded[:, None], torch.inf)
    tied = distance <= distance.min(dim=1, keepdim=True).values
    if order is None:
        lot = torch.rand(tied.shape, generator=generator, device=tied.device)
        choice = lot.masked_fill(~tied, -1.0).argmax(dim=1, keepdim=True)
    else:
        rank = order[index].masked_fill(~tied, torch.iinfo(order.dtype).max)
        choice = rank.argmin(dim=1, keepdim=True)
    return index.gather(1, choice)[:, 0]
