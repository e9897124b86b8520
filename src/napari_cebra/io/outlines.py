"""From outlines to the pixels inside them, and back.

A pixel (y, x) is the square from (x, y) to (x + 1, y + 1), as in ImageJ. It is
inside where its centre is; where outlines overlap, inside is an odd number of
them, so that holes are outlines too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# ImageJ counts a centre as right of an edge from this distance on, so that what
# rounding does to a sloping edge does not decide.
_NUDGE = 1e-8


def pixels_inside(
    outlines: Sequence[np.ndarray],
    box: tuple[int, int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels inside closed outlines.

    Parameters
    ----------
    outlines : sequence of (n, 2) arrays
        Corners (x, y), finite; the last is joined to the first.
    box : (top, left, bottom, right)
        Pixels that are looked at.

    Notes
    -----
    The rule of ImageJ's ``PolygonFiller``: of centres exactly on an edge, those
    on an upper or a right edge are inside.
    """
    top, left, bottom, right = box
    height, width = max(0, bottom - top), max(0, right - left)
    crossings = np.zeros((height, width + 1), bool)
    for outline in outlines:
        corners = np.asarray(outline, np.float64)
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, 0), strict=True):
            first, last = np.ceil(np.clip((y1, y2), top - 1, bottom + 1) - 0.5)
            if first == last:
                continue
            rows = np.arange(max(min(first, last), top), min(max(first, last), bottom))
            at = x1 + (rows + 0.5 - y1) * ((x2 - x1) / (y2 - y1)) + _NUDGE
            columns = np.floor(np.clip(at, left - 1, right + 1) + 0.5) - left
            columns = np.clip(columns, 0, width).astype(np.int64)
            crossings[rows.astype(np.int64) - top, columns] ^= True
    inside = np.logical_xor.accumulate(crossings[:, :width], axis=1)
    y, x = np.nonzero(inside)
    return y + top, x + left


def pixels_of_oval(
    box: tuple[int, int, int, int],
    within: tuple[int, int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels of an ellipse that fills a box.

    Parameters
    ----------
    box, within : (top, left, bottom, right)
        The ellipse, and the pixels that are looked at.
    """
    top, left, bottom, right = box
    y = np.arange(max(top, within[0]), min(bottom, within[2]))
    x = np.arange(max(left, within[1]), min(right, within[3]))
    dy = (y + 0.5 - (top + bottom) / 2) / max(1, bottom - top) * 2
    dx = (x + 0.5 - (left + right) / 2) / max(1, right - left) * 2
    rows, columns = np.nonzero(dy[:, None] ** 2 + dx**2 <= 1)
    return y[rows], x[columns]


def outlines_of(y: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """Return the closed outlines, (n, 2) corners (x, y), of a set of pixels.

    One for each part and each hole; `pixels_inside` gives the same pixels back.
    """
    top, left = int(y.min()), int(x.min())
    mask = np.zeros((int(y.max()) - top + 3, int(x.max()) - left + 3), np.int8)
    mask[y - top + 1, x - left + 1] = 1
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(at: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> None:
        for row, column in at.tolist():
            y, x = row + top - 1, column + left - 1
            begin = (x + start[0], y + start[1])
            ends.setdefault(begin, []).append((x + end[0], y + end[1]))

    # Edges between a pixel and its neighbour above, or on its left, with the mask
    # always on the right hand: each corner is left as often as it is reached.
    down, across = np.diff(mask, axis=0), np.diff(mask, axis=1)
    add(np.argwhere(down == 1), (0, 1), (1, 1))
    add(np.argwhere(down == -1), (1, 1), (0, 1))
    add(np.argwhere(across == 1), (1, 1), (1, 0))
    add(np.argwhere(across == -1), (1, 0), (1, 1))
    outlines = []
    while ends:
        start, _ = next(iter(ends.items()))
        corners, here = [start], start
        while True:
            onward = ends[here]
            following = onward.pop()
            if not onward:
                del ends[here]
            here = following
            if here == start:
                break
            corners.append(here)
        outlines.append(_without_straight_corners(np.array(corners)))
    return outlines


def _without_straight_corners(corners: np.ndarray) -> np.ndarray:
    before = corners - np.roll(corners, 1, axis=0)
    after = np.roll(corners, -1, axis=0) - corners
    return corners[np.any(before != after, axis=1)]
