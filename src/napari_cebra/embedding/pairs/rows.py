"""What all kinds of pairs share: the rows they may use, and a batch of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Generator


class Batch(NamedTuple):
    """Row indices of one step: (B,), one (B,) per objective, (B,)."""

    reference: Tensor
    positives: tuple[Tensor, ...]
    negative: Tensor


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows a sampler may draw.

    Parameters
    ----------
    references : (T,) bool
        Rows with a complete window among those to be fitted, or judged.
    segment : (T,) int
        Stretch of each row; -1 where none.
    others : (T,) bool
        Rows that can serve as partner where `references` alone hold none: the
        training rows, when a single held-out repeat is judged.
    """

    references: np.ndarray
    segment: np.ndarray
    others: np.ndarray | None = None

    def having(self, known: np.ndarray) -> Rows:
        """Return the rows for which `known` (T,) is true."""
        others = None if self.others is None else self.others & known
        return Rows(self.references & known, self.segment, others)


class Sampler(Protocol):
    """Pairs bound to rows and a device."""

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        ...


class Pairs(Protocol):
    """A rule that says which rows belong together."""

    def bind(self, rows: Rows, device: torch.device) -> Sampler:
        """Return a sampler of these rows.

        Raises
        ------
        InvalidInput
            If they hold no pair.
        """
        ...


def check_length(values: np.ndarray, rows: Rows, what: str) -> None:
    """Raise InvalidInput unless `values` has one entry per row."""
    if len(values) != len(rows.segment):
        raise InvalidInput(
            f"There are {len(values)} values of {what} but {len(rows.segment)} rows of "
            "traces; both must have one row per imaging frame."
        )


def uniform(n: int, generator: Generator) -> Tensor:
    """Return n draws from [0, 1), float64 where the device has it."""
    device = generator.device
    kind = torch.float32 if device.type == "mps" else torch.float64
    return torch.rand(n, generator=generator, device=device, dtype=kind)


def below(count: Tensor, generator: Generator) -> Tensor:
    """Return for each entry a uniform integer in [0, count)."""
    draw = (uniform(len(count), generator) * count).long()
    return torch.minimum(draw, count - 1)


class Pool:
    """Rows drawn uniformly with replacement, as references or negatives."""

    def __init__(self, rows: np.ndarray, device: torch.device) -> None:
        self.rows = torch.as_tensor(np.flatnonzero(rows), device=device)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Return n row indices."""
        pick = torch.randint(
            len(self.rows), (n,), generator=generator, device=self.rows.device
        )
        return self.rows[pick]


class Groups:
    """Rows with equal value, from which one other than the reference is drawn.

    Parameters
    ----------
    rows : (n,) int
        Row indices.
    group : (n,) int
        Group of each, 0 … G-1, each with at least one row.
    n_rows : int
        T.
    """

    def __init__(
        self, rows: np.ndarray, group: np.ndarray, n_rows: int, device: torch.device
    ) -> None:
        order = np.lexsort((rows, group))
        count = np.bincount(group)
        start = np.cumsum(count) - count
        rank = np.zeros(n_rows, np.int64)
        rank[rows[order]] = np.arange(len(rows)) - start[group[order]]
        group_of = np.full(n_rows, -1, np.int64)
        group_of[rows] = group
        self.members = torch.as_tensor(rows[order], device=device)
        self.start = torch.as_tensor(start, device=device)
        self.count = torch.as_tensor(count, device=device)
        self.rank = torch.as_tensor(rank, device=device)
        self.group_of = torch.as_tensor(group_of, device=device)

    @property
    def first(self) -> Tensor:
        """(G,) first row of each group."""
        return self.members[self.start]

    def draw(
        self,
        group: Tensor,
        reference: Tensor,
        generator: Generator,
        exclude_self: bool | Tensor = True,
        first: bool = False,
    ) -> Tensor:
        """Return for each group a member, by default not its reference.

        Parameters
        ----------
        group, reference : (n,) tensors
            A group that holds its reference must hold another row, if it is
            excluded.
        generator : Generator
        exclude_self : bool
        first : bool
            The first row that may be taken instead of any.
        """
        own = (self.group_of[reference] == group) & exclude_self
        if first:
            pick = torch.zeros_like(group)
        else:
            pick = below(self.count[group] - own.long(), generator)
        pick = pick + (own & (pick >= self.rank[reference])).long()
        return self.members[self.start[group] + pick]

    def other(self, row: Tensor, generator: Generator) -> Tensor:
        """Draw for each row another one of its group; itself if it is alone."""
        group = self.group_of[row]
        drawn = self.draw(group, row, generator, self.count[group] > 1)
        return torch.where(group < 0, row, drawn)


class ByClass:
    """Rows of classes that are drawn equally often, as references or negatives."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Return n row indices."""
        count = len(self.groups.count)
        device = self.groups.count.device
        group = torch.randint(count, (n,), generator=generator, device=device)
        nobody = torch.zeros_like(group)
        return self.groups.draw(group, nobody, generator, exclude_self=False)
