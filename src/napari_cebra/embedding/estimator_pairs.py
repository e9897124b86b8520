"""Pairs as the published package draws them, with its two habits switchable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cebra.embedding.pairs import (
    Batch,
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MixedPairs,
    TimePairs,
)
from napari_cebra.embedding.pairs.rows import Groups, Pool, below, check_length
from napari_cebra.embedding.pairs.time import has_partner
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from napari_cebra.embedding.pairs import Pairs, Rows

_CONDITIONS = ("time", "time_delta", "delta_normal", "delta")


@dataclass(frozen=True, eq=False)
class PublishedPairs:
    """The rules of the published estimator (reference implementation 0.6.1).

    Parameters
    ----------
    continuous : (T, d) float or None
    classes : (T,) int or None
        With both, the positive is the nearest row of the reference's class,
        and references are drawn equally often from each class.
    conditional : str or None
        "time", "time_delta" or "delta_normal"; None is time_delta. As published,
        without labels the rule is time, and with classes alone their equality,
        whatever it says.
    time_offset : int
    delta : float or None
        SD of delta_normal, in the units of the labels.
    hybrid : bool
        Add positives in time.
    break_ties, exclude_self : bool
        Of equally near rows take any instead of the first; never pair a row
        with itself.
    periods : tuple of (float or None), optional
        Per continuous column, one turn of an angle.
    full : bool
        Each step takes every row once as reference and once as negative.
    """

    continuous: np.ndarray | None
    classes: np.ndarray | None
    conditional: str | None = None
    time_offset: int = 1
    delta: float | None = None
    hybrid: bool = False
    break_ties: bool = False
    exclude_self: bool = False
    periods: tuple[float | None, ...] | None = None
    full: bool = False

    def __post_init__(self) -> None:
        if self.conditional is not None and self.conditional not in _CONDITIONS:
            raise InvalidInput(
                f"conditional must be one of {', '.join(_CONDITIONS)} or None, not "
                f"{self.conditional!r}."
            )
        labelled = self.continuous is not None or self.classes is not None
        if self.hybrid and not labelled:
            raise InvalidInput(
                "hybrid=True joins labels and time, but there are no labels; pass "
                "them, or use hybrid=False."
            )
        if self.rule == "delta_normal" and not (self.delta and self.delta > 0):
            raise InvalidInput(
                f"conditional='delta_normal' needs delta > 0, the spread of the "
                f"labels of a pair, not {self.delta!r}."
            )

    @property
    def rule(self) -> str:
        """What makes a pair: time, time_delta, delta_normal or class."""
        if self.conditional == "time":
            return "time"
        if self.continuous is None:
            return "time" if self.classes is None else "class"
        if self.conditional in ("delta", "delta_normal"):
            return "delta_normal"
        return "time_delta"

    def plain(self) -> Pairs:
        """Return the rule as training on several recordings takes it.

        Raises
        ------
        InvalidInput
            For delta_normal, which is offered for one recording only.
        """
        if self.rule == "delta_normal":
            raise InvalidInput(
                "conditional='delta_normal' is offered for one recording at a time; "
                "use time_delta for several."
            )
        pairs: Pairs = TimePairs(self.time_offset)
        if self.rule == "class":
            assert self.classes is not None
            pairs = DiscretePairs(self.classes)
        elif self.rule == "time_delta":
            assert self.continuous is not None
            near = ContinuousPairs(self.continuous, self.time_offset, self.periods)
            pairs = near if self.classes is None else MixedPairs(near, self.classes)
        return HybridPairs(pairs, self.time_offset) if self.hybrid else pairs

    def bind(self, rows: Rows, device: torch.device) -> PublishedSampler:
        """Return a sampler of these rows."""
        if self.hybrid:
            rows = replace(rows, references=has_partner(rows, self.time_offset))
        if self.rule == "time":
            time = TimePairs(self.time_offset).bind(rows, device)
            return PublishedSampler(self, time.pool)
        if self.rule == "class":
            return PublishedSampler(self, *self._by_class(rows, device))
        assert self.continuous is not None
        near: Any = ContinuousPairs(self.continuous, self.time_offset, self.periods)
        if self.classes is None:
            near = near.bind(rows, device)
            return PublishedSampler(self, near.pool, None, near)
        near = MixedPairs(near, self.classes).bind(rows, device)
        _, groups = self._by_class(rows, device)
        return PublishedSampler(self, near.pool, groups, near)

    def _by_class(self, rows: Rows, device: torch.device) -> tuple[Pool, Groups]:
        assert self.classes is not None
        check_length(self.classes, rows, "the discrete labels")
        used = np.flatnonzero(rows.references)
        _, group, count = np.unique(
            self.classes[used], return_inverse=True, return_counts=True
        )
        least = 2 if self.exclude_self or self.continuous is not None else 1
        keep = count[group] >= least
        if not keep.any():
            raise InvalidInput(
                "No class of the discrete labels has two usable rows, so there is no "
                "pair to learn from; use other labels or more rows."
            )
        _, group = np.unique(group[keep], return_inverse=True)
        mask = np.zeros(len(self.classes), bool)
        mask[used[keep]] = True
        groups = Groups(used[keep], group, len(self.classes), device)
        return Pool(mask, device), groups


@dataclass(frozen=True, eq=False)
class PublishedSampler:
    """Draws of `PublishedPairs`."""

    pairs: PublishedPairs
    pool: Pool
    classes: Groups | None = None
    near: Any = None

    @property
    def n_rows(self) -> int:
        """Rows that serve as references."""
        return len(self.pool.rows)

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        if self.pairs.full and n == self.n_rows:
            reference = self.pool.rows
            order = torch.randperm(n, generator=generator, device=reference.device)
            negative = reference[order]
        else:
            reference, negative = self._prior(n, generator), self._prior(n, generator)
        positives: tuple[Tensor, ...] = (self._positive(reference, generator),)
        if self.pairs.hybrid:
            positives = (*positives, reference + self.pairs.time_offset)
        return Batch(reference, positives, negative)

    def _prior(self, n: int, generator: Generator) -> Tensor:
        if self.near is None or self.classes is None:
            return self.pool.draw(n, generator)
        device = self.pool.rows.device
        number = len(self.classes.count)
        group = torch.randint(number, (n,), generator=generator, device=device)
        return self.classes.draw(group, torch.full_like(group, -1), generator)

    def _positive(self, reference: Tensor, generator: Generator) -> Tensor:
        pairs = self.pairs
        if pairs.rule == "time":
            return reference + pairs.time_offset
        if pairs.rule == "class":
            assert self.classes is not None
            own = self.classes.group_of[reference]
            if pairs.exclude_self:
                return self.classes.draw(own, reference, generator)
            return _any_member(self.classes, own, generator)
        near = self.near
        values = near.values[reference]
        if pairs.rule == "time_delta":
            pick = torch.randint(
                len(near.deltas),
                (len(reference),),
                generator=generator,
                device=values.device,
            )
            step = near.deltas[pick]
        else:
            step = self._normal(values, generator)
        return self._nearest(near.space.points(values + step), reference, generator)

    def _normal(self, values: Tensor, generator: Generator) -> Tensor:
        assert self.pairs.delta is not None
        step = torch.empty_like(values)
        step.normal_(0, self.pairs.delta, generator=generator)
        if self.classes is not None:
            step[:, -1] = 0  # the column that keeps classes apart
        for column, period in enumerate(self.pairs.periods or ()):
            if period is not None:
                step[:, column] *= 2 * np.pi / period
        return step

    def _nearest(
        self, query: Tensor, reference: Tensor, generator: Generator
    ) -> Tensor:
        """Nearest row: the first of equally near ones, or any."""
        groups, pairs = self.near.groups, self.pairs
        own = groups.group_of[reference]
        index, distance = self.near.search.candidates(query)
        first = groups.members[groups.start[index]]
        if pairs.exclude_self:
            alone = (index == own[:, None]) & (groups.count[own] == 1)[:, None]
            distance = distance.masked_fill(alone, torch.inf)
            second = groups.members[
                (groups.start[index] + 1).clamp(max=len(groups.members) - 1)
            ]
            first = torch.where(first == reference[:, None], second, first)
        tied = distance <= distance.min(dim=1, keepdim=True).values
        if not pairs.break_ties:
            return first.masked_fill(~tied, torch.iinfo(first.dtype).max).amin(dim=1)
        lot = torch.rand(tied.shape, generator=generator, device=tied.device)
        choice = lot.masked_fill(~tied, -1.0).argmax(dim=1, keepdim=True)
        found = index.gather(1, choice)[:, 0]
        if pairs.exclude_self:
            return groups.draw(found, reference, generator)
        return _any_member(groups, found, generator)


def _any_member(groups: Groups, group: Tensor, generator: Generator) -> Tensor:
    return groups.members[groups.start[group] + below(groups.count[group], generator)]
