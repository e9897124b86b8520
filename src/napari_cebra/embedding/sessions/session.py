"""One of several recordings, with its variables and its split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.embedding.encoder import check_changing
from napari_cebra.embedding.pairs import Pairs, Rows
from napari_cebra.embedding.windows import check_rows, complete_rows
from napari_cebra.recording import InvalidInput, segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.embedding.architectures import Architecture


@dataclass(frozen=True, eq=False)
class Session:
    """One of several recordings that are trained on together.

    Parameters
    ----------
    values : (T, N) float
        Traces; recordings may differ in length and in number of ROIs.
    segment : (T,) int
        Stretch of each row, from `recording.segments`.
    pairs : Pairs
        Which rows belong together: the same kind for each recording, over its
        own variables. `TimePairs` need none, but nothing links the recordings.
    train_rows : (T,) bool, optional
        Rows to learn from; all by default.
    heldout_rows : (T,) bool, optional
        Rows to judge by; every recording has some, or none has.
    """

    values: np.ndarray
    segment: np.ndarray
    pairs: Pairs
    train_rows: np.ndarray | None = None
    heldout_rows: np.ndarray | None = None

    @property
    def used(self) -> np.ndarray:
        """(T,) bool: rows to learn from that belong to a stretch."""
        train = self.train_rows
        if train is None:
            train = np.ones(len(self.values), bool)
            if self.heldout_rows is not None:
                train = ~np.asarray(self.heldout_rows, bool)
        return np.asarray(train, bool) & (np.asarray(self.segment) >= 0)


def checked(s: int, session: Session) -> Session:
    """Return recording s with its traces and rows checked and filled in.

    Raises
    ------
    InvalidInput
        If they do not fit together; the text names the recording.
    """
    held = session.heldout_rows
    train = session.used if session.train_rows is None else session.train_rows
    try:
        values, segment = check_rows(session.values, session.segment, train, held)
        train = np.asarray(train, bool)
        # rows of no stretch may hold anything, but encoders slide over them too
        values = np.where(segment[:, None] >= 0, values, np.float32(0))
        if not (train & (segment >= 0)).any():
            raise InvalidInput("There is no row to train on; select some.")
        check_changing(values[train & (segment >= 0)])
    except InvalidInput as error:
        raise InvalidInput(f"Recording {s}: {error}") from None
    held = None if held is None else np.asarray(held, bool)
    return Session(values, segment, session.pairs, train, held)


def rows_of(
    sessions: Sequence[Session], which: str, architecture: Architecture
) -> list[Rows]:
    """Return the rows with complete windows among `train_rows` or `heldout_rows`.

    Raises
    ------
    InvalidInput
        If a recording has none.
    """
    found = []
    for s, session in enumerate(sessions):
        used = getattr(session, which)
        stretch = segments(session.segment, used & (session.segment >= 0))
        try:
            complete = complete_rows(stretch, used, architecture)
        except InvalidInput as error:
            raise InvalidInput(f"Recording {s}: {error}") from None
        found.append(Rows(complete, stretch))
    return found
