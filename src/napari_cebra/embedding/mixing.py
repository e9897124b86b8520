"""Rows of the same recording and variables, from which windows can take neurons."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.pairs.rows import Groups

    Partners = Callable[[Tensor, Generator], Tensor]


def groups_of(sampler: Any) -> Groups:
    """Return the rows with equal variables that a sampler knows.

    Raises
    ------
    InvalidInput
        If it knows of none: no two rows have the same variables.
    """
    while hasattr(sampler, "behavior"):
        sampler = sampler.behavior
    linked = getattr(sampler, "linked", sampler)
    groups: Groups | None = getattr(linked, "groups", None)
    if groups is None or not bool((groups.count > 1).any()):
        raise InvalidInput(
            "mix_repeats mixes the neurons of rows with the same variables, but no two "
            "usable rows have the same; learn with a discrete variable, such as the "
            "number of the movie frame, or set mix_repeats to 0."
        )
    return groups


def partners_within(
    sampler: Any, starts: Sequence[int], config: TrainConfig
) -> list[Partners | None]:
    """Return for each recording what draws partners of its rows.

    Parameters
    ----------
    sampler : SessionSampler
    starts : sequence of int
        First row of each recording, counted through all.
    config : TrainConfig
        Without `mix_repeats` there are none.
    """
    if not config.mix_repeats:
        return [None] * len(starts)
    groups = groups_of(sampler)
    return [partial(_partners, groups, start) for start in starts]


def _partners(groups: Groups, start: int, rows: Tensor, generator: Generator) -> Tensor:
    return groups.other(rows + start, generator) - start
