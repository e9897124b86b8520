"""Pairs across recordings that share a variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from napari_cebra.embedding.pairs import HybridPairs, MixedPairs, Rows, TimePairs
from napari_cebra.embedding.pairs.rows import Pool
from napari_cebra.embedding.pairs.time import has_partner
from napari_cebra.embedding.sessions.variables import link
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Generator

    from napari_cebra.embedding.pairs import Pairs
    from napari_cebra.embedding.sessions.linked import Linked

Ties = Literal["random", "first"]


class SessionBatch(NamedTuple):
    """Rows of one step, of all recordings end to end.

    A row is counted through all recordings: `SessionSampler.starts` says where
    each begins. Of each part (references, positives, negatives) recording s
    holds `sizes[s]`, in the order of recordings, so that each can be embedded
    by its own encoder.
    """

    reference: Tensor
    positives: tuple[Tensor, ...]
    orders: tuple[Tensor | None, ...]
    """The positive of reference i is ``positive[order[i]]``; None: ``positive[i]``."""
    negative: Tensor
    sizes: tuple[int, ...]


class SessionSampler(Protocol):
    """Pairs of several recordings, bound to their rows and a device."""

    def draw(self, n: int | None, generator: Generator) -> SessionBatch:
        """Draw n references a recording; None takes every row once."""
        ...


def bind_sessions(
    pairs: Sequence[Pairs],
    rows: Sequence[Rows],
    device: torch.device,
    ties: Ties | None = None,
    exclude_self: bool | None = None,
) -> SessionSampler:
    """Return a sampler of pairs across recordings.

    Parameters
    ----------
    pairs : sequence of Pairs
        The same kind for each recording, over its own variables.
    rows : sequence of Rows
    device : torch.device
    ties : {"random", "first"}, optional
        Which of several equally near rows is the positive; by default as the
        pairs say.
    exclude_self : bool, optional
        No row is its own positive; by default as the pairs say.

    Raises
    ------
    InvalidInput
        If the kinds differ, the recordings share no value of the variables,
        or one of them holds no pair.
    """
    kinds = {type(rule) for rule in pairs}
    if len(kinds) != 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InvalidInput(
            f"The recordings are paired in different ways ({names}); give all of them "
            "the same kinds of variables."
        )
    if isinstance(pairs[0], TimePairs):
        return _bind_time(pairs, rows, device)
    if isinstance(pairs[0], HybridPairs):
        hybrid = [rule for rule in pairs if isinstance(rule, HybridPairs)]
        inner = [
            Rows(has_partner(r, rule.offset), r.segment, r.others)
            for r, rule in zip(rows, hybrid, strict=True)
        ]
        behavior = bind_sessions(
            [rule.behavior for rule in hybrid], inner, device, ties, exclude_self
        )
        return HybridSessions(behavior, hybrid[0].offset)
    first, apart = settings(pairs[0], ties, exclude_self)
    return LinkedSessions(link(pairs, rows, device, apart), first, apart)


def settings(
    pairs: Pairs, ties: Ties | None, exclude_self: bool | None
) -> tuple[bool, bool]:
    """Return whether the first of ties is taken, and whether self is excluded."""
    rule = pairs.continuous if isinstance(pairs, MixedPairs) else pairs
    if exclude_self is None:
        exclude_self = bool(getattr(rule, "exclude_self", True))
    if ties is None:
        ties = "random" if getattr(rule, "break_ties", True) else "first"
    return ties == "first", exclude_self


@dataclass(frozen=True, eq=False)
class LinkedSessions:
    """Positives of shared variables, each in a recording drawn at random.

    Multi-session training of Schneider, Lee & Mathis, Nature 2023: the query
    of a reference is its variables plus a difference that time made in any of
    the recordings; all queries are dealt out to the recordings at random, in
    equal numbers, and each is answered by the nearest row there.
    """

    linked: Linked
    first: bool
    exclude_self: bool

    def draw(self, n: int | None, generator: Generator) -> SessionBatch:
        """Draw n references a recording; None takes every row once."""
        linked = self.linked
        reference = linked.references(n, generator)
        negative = reference if n is None else linked.references(n, generator)
        sizes = (
            tuple(len(pool.rows) for pool in linked.pools)
            if n is None
            else (n,) * len(linked.pools)
        )
        device = reference.device
        dealt = torch.randperm(len(reference), generator=generator, device=device)
        asker = reference[dealt]
        query = linked.values[asker] + linked.delta(len(asker), generator)
        positive = linked.nearest(
            query, sizes, generator, self.first, asker if self.exclude_self else None
        )
        order = torch.empty_like(dealt)
        order[dealt] = torch.arange(len(dealt), device=device)
        return SessionBatch(reference, (positive,), (order,), negative, sizes)


@dataclass(frozen=True, eq=False)
class TimeSessions:
    """Positives a fixed number of frames later, in the same recording.

    Nothing links the recordings; they share the loss.
    """

    pools: tuple[Pool, ...]
    starts: tuple[int, ...]
    offset: int

    def draw(self, n: int | None, generator: Generator) -> SessionBatch:
        """Draw n references a recording; None takes every row once."""
        reference = from_pools(self.pools, n, generator)
        negative = reference if n is None else from_pools(self.pools, n, generator)
        sizes = tuple(len(p.rows) if n is None else n for p in self.pools)
        positive = reference + self.offset
        return SessionBatch(reference, (positive,), (None,), negative, sizes)


@dataclass(frozen=True, eq=False)
class HybridSessions:
    """Each reference has a positive of behaviour and one in time."""

    behavior: SessionSampler
    offset: int

    def draw(self, n: int | None, generator: Generator) -> SessionBatch:
        """Draw n references a recording; None takes every row once."""
        batch = self.behavior.draw(n, generator)
        return batch._replace(
            positives=(*batch.positives, batch.reference + self.offset),
            orders=(*batch.orders, None),
        )


def from_pools(pools: Sequence[Pool], n: int | None, generator: Generator) -> Tensor:
    """Return n rows of each pool, end to end; None takes every row once."""
    if n is None:
        return torch.cat([pool.rows for pool in pools])
    return torch.cat([pool.draw(n, generator) for pool in pools])


def _bind_time(
    pairs: Sequence[Pairs], rows: Sequence[Rows], device: torch.device
) -> TimeSessions:
    offsets = {rule.offset for rule in pairs if isinstance(rule, TimePairs)}
    if len(offsets) > 1:
        raise InvalidInput("Give all recordings the same time offset.")
    offset = offsets.pop()
    pools, starts, start = [], [], 0
    for s, part in enumerate(rows):
        partner: np.ndarray = has_partner(part, offset)
        if not partner.any():
            raise InvalidInput(
                f"Recording {s} has no stretch long enough for two windows {offset} "
                "frames apart; use a smaller time offset or receptive field."
            )
        pool = Pool(partner, device)
        pool.rows = pool.rows + start
        pools.append(pool)
        starts.append(start)
        start += len(part.segment)
    return TimeSessions(tuple(pools), tuple(starts), offset)
