"""Which rows are trained on, which choose, and which are scored, once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_cebra.recording import InvalidInput, segments


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of rows, and the rows of the final fit.

    Parameters
    ----------
    train, validation : (T,) bool
        Settings are chosen by fitting on `train` and scoring on `validation`.
    test : (T,) bool
        Rows that nothing fitted or chosen may see; scored once. May be empty.
    refit : (T,) bool, optional
        Rows of the final fit, once the settings are chosen: all but the test
        rows and the gap around them. Default ``train | validation``.
    name : str
        For titles: "repeat 9", "block 2 of 5".

    Raises
    ------
    InvalidInput
        If nothing is left to train on or to validate on.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    refit: np.ndarray = None  # type: ignore[assignment]
    name: str = ""

    def __post_init__(self) -> None:
        refit = self.train | self.validation if self.refit is None else self.refit
        object.__setattr__(self, "refit", np.asarray(refit, bool))
        overlap = (
            (self.train & self.validation)
            | (self.refit & self.test)
            | (self.train & ~self.refit)
        )
        if overlap.any():
            raise ValueError("the parts of a split overlap")
        for what, rows in (("train", self.train), ("validate", self.validation)):
            if not rows.any():
                raise InvalidInput(
                    f"The split {self.name!r} leaves no frames to {what} on; use a "
                    "longer recording, fewer blocks, or shorter windows and gaps."
                )

    def parts(self, valid: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
        """Return (T,) strings that name the part of each row.

        One of "train", "validation", "test", "gap" (between training and test,
        used by neither), "no target" (valid, but `known` is false), "invalid".
        Rows of the final fit that did not validate count as "train".
        """
        usable = valid if known is None else valid & known
        return np.select(
            [~valid, ~usable, self.test, self.validation, self.refit],
            ["invalid", "no target", "test", "validation", "train"],
            "gap",
        )

    def choosing(self, segment: np.ndarray) -> np.ndarray:
        """Return stretch numbers cut at every border between the three parts."""
        return cut_segments(segment, self.train + 2 * self.validation + 4 * self.test)

    def refitting(self, segment: np.ndarray) -> np.ndarray:
        """Return stretch numbers cut at the borders of the final fit's rows."""
        return cut_segments(segment, self.refit + 2 * self.test)


def cut_segments(segment: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return stretch numbers that also change wherever `part` does.

    A window that reached across the border between training and test rows
    would carry test activity into training, so the border ends the stretch.
    Rows in no part (0) that lie between rows of one part, or at an end beside
    it, belong to its stretch: windows may look at them.
    """
    segment, part = np.asarray(segment), _filled(np.asarray(part))
    changes = (np.diff(segment) != 0) | (np.diff(part) != 0)
    return segments(np.concatenate([[0], np.cumsum(changes)]), segment >= 0)


def _filled(part: np.ndarray) -> np.ndarray:
    """Give rows in no part that of their neighbours, where these agree."""
    used = np.flatnonzero(part)
    if used.size == 0:
        return part
    at = np.searchsorted(used, np.arange(part.size))
    before = part[used[np.maximum(at - 1, 0)]]
    after = part[used[np.minimum(at, used.size - 1)]]
    return np.where((part == 0) & (before == after), before, part)


def repeat_folds(repeat: np.ndarray, usable: np.ndarray) -> tuple[Split, ...]:
    """Return one split per repeat: it is tested, the one before it validates.

    Before the first repeat comes the last, so each repeat validates once.

    Parameters
    ----------
    repeat : (T,) int
        Number of the showing each row belongs to, -1 = none.
    usable : (T,) bool
        Valid rows whose shown frame is known.

    Raises
    ------
    InvalidInput
        If there are fewer than four repeats with usable rows.
    """
    repeat, usable = np.asarray(repeat), np.asarray(usable, bool)
    usable = usable & (repeat >= 0)
    numbers = np.unique(repeat[usable])
    if numbers.size < 4:
        raise InvalidInput(
            "Decoding a repeated movie needs at least 4 repeats (two to pair, one to "
            f"choose, one to test), but there are {numbers.size}; check the repeat "
            "column, or choose a variable as target."
        )
    folds = []
    for i, number in enumerate(numbers):
        test = usable & (repeat == number)
        validation = usable & (repeat == numbers[i - 1])
        folds.append(
            Split(
                usable & ~test & ~validation,
                validation,
                test,
                name=f"repeat {number}",
            )
        )
    return tuple(folds)


def repeat_split(repeat: np.ndarray, usable: np.ndarray) -> Split:
    """Return the default split: the last repeat tests, the one before validates."""
    return repeat_folds(repeat, usable)[-1]


def contiguous_folds(
    usable: np.ndarray,
    gap: int,
    n_folds: int = 5,
    trials: np.ndarray | None = None,
) -> tuple[Split, ...]:
    """Return one split per contiguous block: it is tested, the one before validates.

    Random frames would leak through the calcium decay, so the blocks are
    contiguous, hold equal numbers of usable rows, and are kept apart from the
    rows trained on by a gap. Where there are at least twice as many trials as
    blocks, a border moves to the nearest trial border within a quarter block.

    Parameters
    ----------
    usable : (T,) bool
        Valid rows in which the target is known.
    gap : int
        Imaging frames left out on each side of the test block and of the
        validation block: the receptive field plus the calcium decay.
    n_folds : int
        Number of blocks, at least 3.
    trials : (T,) int, optional
        Trial ids.

    Raises
    ------
    InvalidInput
        If a block or the rows left to train on would be empty.
    """
    usable = np.asarray(usable, bool)
    if n_folds < 3:
        raise InvalidInput(
            f"{n_folds} blocks are too few to train, choose and test; use at least 3."
        )
    blocks = _blocks(usable, n_folds, trials)
    folds = []
    for i, test in enumerate(blocks):
        refit = usable & ~_near(test, gap)
        validation = blocks[i - 1] & refit
        train = refit & ~_near(validation, gap)
        name = f"block {i + 1} of {n_folds}"
        folds.append(Split(train, validation, test, refit, name))
    return tuple(folds)


def validation_split(
    usable: np.ndarray, gap: int, trials: np.ndarray | None = None, n_blocks: int = 5
) -> Split:
    """Return a split that tests nothing: the last block validates, then all are fit."""
    usable = np.asarray(usable, bool)
    validation = _blocks(usable, n_blocks, trials)[-1]
    train = usable & ~_near(validation, gap)
    return Split(train, validation, np.zeros_like(usable), usable, "all rows")


def _blocks(
    usable: np.ndarray, n_folds: int, trials: np.ndarray | None
) -> list[np.ndarray]:
    rows = np.flatnonzero(usable)
    if rows.size < 2 * n_folds:
        raise InvalidInput(
            f"Only {rows.size} frames can be used, too few for {n_folds} blocks; check "
            "the row selection and the target's empty values."
        )
    blocks = []
    for start, stop in pairwise(_block_borders(rows, n_folds, trials)):
        block = np.zeros(usable.size, bool)
        block[rows[start:stop]] = True
        blocks.append(block)
    return blocks


def _block_borders(
    rows: np.ndarray, n_folds: int, trials: np.ndarray | None
) -> np.ndarray:
    borders = np.round(np.linspace(0, rows.size, n_folds + 1)).astype(int)
    if trials is None:
        return borders
    starts = np.flatnonzero(np.diff(np.asarray(trials)[rows]) != 0) + 1
    if starts.size + 1 < 2 * n_folds:
        return borders
    reach = rows.size / n_folds / 4
    for i in range(1, n_folds):
        nearest = starts[np.argmin(np.abs(starts - borders[i]))]
        if abs(nearest - borders[i]) <= reach:
            borders[i] = nearest
    return borders


def _near(rows: np.ndarray, gap: int) -> np.ndarray:
    """Rows at most `gap` frames away from any of these."""
    ends = np.concatenate([[0], np.cumsum(rows)])
    row = np.arange(rows.size)
    start = np.clip(row - gap, 0, rows.size)
    stop = np.clip(row + gap + 1, 0, rows.size)
    return ends[stop] > ends[start]
