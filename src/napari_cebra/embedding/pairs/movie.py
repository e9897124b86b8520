"""Positives of the same movie frame in another repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cebra.embedding.pairs.rows import Batch, Pool, Rows, below, check_length
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class MoviePairs:
    """The positive shows the same or an adjacent frame in another repeat.

    Whatever two repeats share is the stimulus; what only neighbours in time
    share (slow drifts, the decay of the indicator) is no shortcut any more.

    Parameters
    ----------
    shown : (T,) int
        Movie frame on the screen, -1 = none.
    repeat : (T,) int
        Number of the showing, -1 = none.
    max_frame_difference : int
        Movie frames that reference and positive may differ by.

    Notes
    -----
    If the rows hold a single repeat (one held-out repeat that is judged), the
    positives and negatives come from the other rows given, the training
    repeats: the question is then that of decoding.
    """

    shown: np.ndarray
    repeat: np.ndarray
    max_frame_difference: int = 1

    def bind(self, rows: Rows, device: torch.device) -> MovieSampler:
        """Return a sampler of rows that have a partner in another repeat."""
        shown = np.asarray(self.shown, np.int64)
        repeat = np.asarray(self.repeat, np.int64)
        check_length(shown, rows, "the shown frame")
        check_length(repeat, rows, "the repeat")
        rows = rows.having((shown >= 0) & (repeat >= 0))
        partners = rows.references
        own = np.unique(repeat[rows.references])
        if own.size < 2 and rows.others is not None:
            partners = rows.others
        table = _Table(shown, repeat, partners, self.max_frame_difference)
        references = np.flatnonzero(rows.references)
        count, start, skip_from, skip_count = table.partners_of(references)
        usable = count > 0
        if not usable.any():
            raise InvalidInput(
                "No movie frame was shown in two of the repeats used, so there is no "
                "pair to learn from; use more repeats, or another way to pair rows."
            )
        mask = np.zeros(shown.size, bool)
        mask[references[usable]] = True

        def by_row(values: np.ndarray) -> Tensor:
            spread = np.zeros((shown.size, *values.shape[1:]), np.int64)
            spread[references] = values
            return torch.as_tensor(spread, device=device)

        return MovieSampler(
            references=Pool(mask, device),
            negatives=Pool(mask if partners is rows.references else partners, device),
            members=torch.as_tensor(table.members, device=device),
            count=by_row(count),
            start=by_row(start),
            skip_from=by_row(skip_from),
            skip_count=by_row(skip_count),
        )


@dataclass(frozen=True, eq=False)
class MovieSampler:
    """Draws of `MoviePairs`.

    The partners of a row are one run of `members` (rows sorted by frame, then
    repeat) less short runs of its own repeat; a draw below `count` is moved
    past each of those, so that every partner is equally likely.
    """

    references: Pool
    negatives: Pool
    members: Tensor
    count: Tensor
    start: Tensor
    skip_from: Tensor
    skip_count: Tensor

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self.references.draw(n, generator)
        negative = self.negatives.draw(n, generator)
        return Batch(reference, (self.partners(reference, generator),), negative)

    def partners(self, reference: Tensor, generator: Generator) -> Tensor:
        """Draw a partner of each row."""
        place = self.start[reference] + below(self.count[reference], generator)
        skip_from = self.skip_from[reference]
        skip_count = self.skip_count[reference]
        for j in range(skip_from.shape[1]):
            passed = place >= skip_from[:, j]
            place = place + torch.where(passed, skip_count[:, j], 0)
        return self.members[place]


class _Table:
    """Partner rows sorted by frame, then repeat."""

    def __init__(
        self, shown: np.ndarray, repeat: np.ndarray, partners: np.ndarray, reach: int
    ) -> None:
        rows = np.flatnonzero(partners)
        self.shown, self.repeat, self.reach = shown, repeat, reach
        self.members = rows[np.lexsort((rows, repeat[rows], shown[rows]))]
        self.n_repeats = int(repeat.max()) + 1
        self.frames = shown[self.members]
        self.keys = self._key(self.frames, repeat[self.members])

    def _key(self, frame: np.ndarray, repeat: np.ndarray) -> np.ndarray:
        return frame * self.n_repeats + repeat

    def partners_of(
        self, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Count, start, and the runs to skip (first place, length) of each row."""
        frame, repeat = self.shown[rows], self.repeat[rows]
        start = np.searchsorted(self.frames, frame - self.reach, "left")
        stop = np.searchsorted(self.frames, frame + self.reach, "right")
        near = frame[:, None] + np.arange(-self.reach, self.reach + 1)
        key = self._key(near, repeat[:, None])
        skip_from = np.searchsorted(self.keys, key, "left")
        skip_count = np.searchsorted(self.keys, key, "right") - skip_from
        return stop - start - skip_count.sum(1), start, skip_from, skip_count
