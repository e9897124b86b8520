"""From the published estimator's words to the pairs it draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from napari_cebra.embedding.mixing import groups_of
from napari_cebra.embedding.pairs import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MixedPairs,
    TimePairs,
)
from napari_cebra.embedding.pairs.hybrid import HybridSampler
from napari_cebra.embedding.pairs.rows import ByClass
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

    from napari_cebra.embedding.estimator.inputs import Labels
    from napari_cebra.embedding.pairs import Batch, Pairs, Rows, Sampler

_CONDITIONS = (None, "time", "time_delta", "delta_normal", "delta")


def published_pairs(
    labels: Labels,
    conditional: str | None = None,
    time_offset: int = 1,
    delta: float | None = None,
    hybrid: bool = False,
    break_ties: bool = False,
    exclude_self: bool = False,
    periods: tuple[float | None, ...] | None = None,
) -> Pairs:
    """Return the pairs of the published estimator (reference 0.6.1).

    As there, without labels the rule is time, and with classes alone their
    equality, whatever `conditional` says; with floats and classes, references
    come equally often from each class.

    Parameters
    ----------
    labels : Labels
    conditional : str or None
        "time", "time_delta" (also None) or "delta_normal".
    time_offset : int
        Rows.
    delta : float or None
        SD of delta_normal, in the units of the labels.
    hybrid : bool
        Add positives in time.
    break_ties, exclude_self, periods
        As of `ContinuousPairs`.

    Raises
    ------
    InvalidInput
        If `conditional` is unknown, or needs what is not there.
    """
    continuous, classes, _ = labels
    if conditional not in _CONDITIONS:
        raise InvalidInput(
            "conditional must be time, time_delta, delta_normal or None, not "
            f"{conditional!r}."
        )
    normal = conditional in ("delta", "delta_normal")
    if hybrid and continuous is None and classes is None:
        raise InvalidInput(
            "hybrid=True joins labels and time, but there are no labels; pass them, or "
            "use hybrid=False."
        )
    if normal and continuous is not None and not (delta and delta > 0):
        raise InvalidInput(
            "conditional='delta_normal' needs delta > 0, the spread of the labels of a "
            f"pair, not {delta!r}."
        )
    pairs: Pairs
    if conditional == "time" or (continuous is None and classes is None):
        pairs = TimePairs(time_offset)
    elif continuous is None:
        assert classes is not None
        pairs = DiscretePairs(classes, "empirical", exclude_self)
    else:
        near = ContinuousPairs(
            continuous,
            time_offset,
            periods,
            delta=delta if normal else None,
            break_ties=break_ties,
            exclude_self=exclude_self,
        )
        pairs = near if classes is None else MixedPairs(near, classes, "uniform")
    return HybridPairs(pairs, time_offset) if hybrid else pairs


@dataclass(frozen=True, eq=False)
class EveryRow:
    """Pairs whose batches, of the right size, hold every row once.

    Once as reference and once as negative, in any order: full-batch training.
    """

    pairs: Pairs

    def bind(self, rows: Rows, device: torch.device) -> Sampler:
        """Return a sampler of these rows."""
        return _every_row(self.pairs.bind(rows, device))

    def count(self, rows: Rows) -> int:
        """Return how many rows there are: the size of a batch."""
        sampler: Any = self.bind(rows, torch.device("cpu"))
        if isinstance(sampler, HybridSampler):
            sampler = sampler.behavior
        return len(sampler.pool.rows)


@dataclass(frozen=True, eq=False)
class Mixing:
    """Pairs whose windows can take neurons from rows with the same labels."""

    pairs: Pairs

    def bind(self, rows: Rows, device: torch.device) -> MixingSampler:
        """Return a sampler of these rows."""
        return MixingSampler(self.pairs.bind(rows, device))


@dataclass(frozen=True, eq=False)
class MixingSampler:
    """Draws of `Mixing`."""

    sampler: Sampler

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        return self.sampler.draw(n, generator)

    @property
    def partners(self) -> Callable[[Tensor, Generator], Tensor]:
        """What draws for each row another with the same labels.

        Raises
        ------
        InvalidInput
            If no two rows have the same.
        """
        return groups_of(self.sampler).other


class _Permuted:
    """All rows in random order; others, if another number is asked for."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def draw(self, n: int, generator: Generator) -> Tensor:
        count, device = len(self.rows), self.rows.device
        if n == count:
            return self.rows[torch.randperm(n, generator=generator, device=device)]
        pick = torch.randint(count, (n,), generator=generator, device=device)
        return self.rows[pick]


def _every_row(sampler: Any) -> Any:
    if isinstance(sampler, HybridSampler):
        return replace(sampler, behavior=_every_row(sampler.behavior))
    pool = sampler.pool
    rows = pool.groups.members if isinstance(pool, ByClass) else pool.rows
    return replace(sampler, pool=_Permuted(rows))
