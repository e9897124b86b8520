"""Positives a fixed number of frames later (CEBRA-Time)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.embedding.pairs.rows import Batch, Pool, Rows
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import torch
    from torch import Generator


def has_partner(rows: Rows, offset: int) -> np.ndarray:
    """(T,) bool: rows whose `offset` frames later is usable, same stretch."""
    ok = np.zeros(len(rows.segment), bool)
    if offset < len(ok):
        ok[:-offset] = (
            rows.references[:-offset]
            & rows.references[offset:]
            & (rows.segment[:-offset] == rows.segment[offset:])
        )
    return ok


@dataclass(frozen=True)
class TimePairs:
    """The positive of row i is row i + `offset`, in the same stretch.

    CEBRA-Time of Schneider, Lee & Mathis, Nature 2023; no variable is used.
    """

    offset: int = 10

    def __post_init__(self) -> None:
        if self.offset < 1:
            raise InvalidInput(
                f"The time offset must be at least 1 frame, not {self.offset}."
            )

    def bind(self, rows: Rows, device: torch.device) -> TimeSampler:
        """Return a sampler of rows that have a partner."""
        partner = has_partner(rows, self.offset)
        if not partner.any():
            raise InvalidInput(
                f"No stretch is long enough for two windows {self.offset} frames "
                "apart; use a smaller time offset or receptive field, or longer "
                "trials."
            )
        return TimeSampler(Pool(partner, device), self.offset)


@dataclass(frozen=True)
class TimeSampler:
    """Draws of `TimePairs`."""

    pool: Pool
    offset: int

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self.pool.draw(n, generator)
        negative = self.pool.draw(n, generator)
        return Batch(reference, (reference + self.offset,), negative)
