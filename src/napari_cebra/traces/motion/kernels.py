"""Inner loops of registration, compiled. Import fails where numba is missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cebra.traces.kernels import _compiled as compiled

if TYPE_CHECKING:
    import numpy as np


@compiled
def binned(frames: np.ndarray, factor: int, row: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` (n, Y // factor, X // factor) with the means of squares.

    `row` is scratch, (X // factor,) in a type that holds the sums.
    """
    n, height, width = out.shape
    share = 1.0 / (factor * factor)
    for t in range(n):
        for y in range(height):
            for x in range(width):
                row[x] = 0
            for k in range(factor):
                line = frames[t, y * factor + k]
                if factor == 2:  # spelt out, it is compiled to vectors
                    for x in range(width):
                        row[x] += line[2 * x]
                        row[x] += line[2 * x + 1]
                else:
                    for x in range(width):
                        for j in range(factor):
                            row[x] += line[x * factor + j]
            for x in range(width):
                out[t, y, x] = row[x] * share


@compiled
def moved(
    frames: np.ndarray,
    shifts: np.ndarray,
    half: float,
    line: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill `out` with each frame as seen from ``(y, x) + shift``.

    Parameters
    ----------
    frames, out : (n, Y, X)
        As stored. Pixels from beyond the frame repeat its border.
    shifts : (n, 2) float64
        Pixels (y, x).
    half : float
        0.5 where values are rounded to whole numbers, 0 where they are not.
    line : (X,) float
        Scratch.
    """
    n, height, width = frames.shape
    for t in range(n):
        down, right = math.floor(shifts[t, 0]), math.floor(shifts[t, 1])
        part_y, part_x = shifts[t, 0] - down, shifts[t, 1] - right
        # A whole shift must not look at the next pixel, which may be NaN.
        next_y, next_x = int(part_y > 0), int(part_x > 0)
        first = min(max(-right, 0), width)
        last = max(min(width - next_x - right, width), first)
        for y in range(height):
            above = frames[t, min(max(y + down, 0), height - 1)]
            below = frames[t, min(max(y + down + next_y, 0), height - 1)]
            if next_y:
                for x in range(width):
                    line[x] = above[x] + part_y * (float(below[x]) - float(above[x]))
            else:
                for x in range(width):
                    line[x] = above[x]
            for x in range(first):
                out[t, y, x] = _whole(line[min(max(x + right, 0), width - 1)], half)
            if next_x:
                for x in range(first, last):
                    a, b = line[x + right], line[x + right + 1]
                    out[t, y, x] = _whole(a + part_x * (b - a), half)
            else:
                for x in range(first, last):
                    out[t, y, x] = _whole(line[x + right], half)
            for x in range(last, width):
                out[t, y, x] = _whole(line[min(max(x + right, 0), width - 1)], half)


@compiled
def warped(
    frames: np.ndarray,
    shifts: np.ndarray,
    at_y: np.ndarray,
    at_x: np.ndarray,
    half: float,
    out: np.ndarray,
) -> None:
    """Fill `out` with each frame as seen through a grid of shifts.

    Parameters
    ----------
    frames, out : (n, Y, X)
        As stored. Pixels from beyond the frame repeat its border.
    shifts : (n, A, B, 2) float64
        Pixels (y, x) at the middle of each block; between them linear.
    at_y, at_x : (Y,), (X,) float64
        Place of each row and column on the grid, 0 to A - 1 and B - 1.
    half : float
        0.5 where values are rounded to whole numbers, 0 where they are not.
    """
    n, height, width = frames.shape
    rows, columns = shifts.shape[1], shifts.shape[2]
    across = shifts[0, 0].copy()
    for t in range(n):
        for y in range(height):
            row = min(int(at_y[y]), max(rows - 2, 0))
            part = at_y[y] - row
            for b in range(columns):
                for axis in range(2):
                    a = shifts[t, row, b, axis]
                    c = shifts[t, min(row + 1, rows - 1), b, axis]
                    across[b, axis] = a + part * (c - a)
            for x in range(width):
                column = min(int(at_x[x]), max(columns - 2, 0))
                after = min(column + 1, columns - 1)
                part = at_x[x] - column
                dy, dx = across[column, 0], across[column, 1]
                v = min(max(y + dy + part * (across[after, 0] - dy), 0.0), height - 1.0)
                u = min(max(x + dx + part * (across[after, 1] - dx), 0.0), width - 1.0)
                top, left = min(int(v), height - 1), min(int(u), width - 1)
                low, right = top + int(v > top), left + int(u > left)
                fy, fx = v - top, u - left
                upper = float(frames[t, top, left])
                upper += fx * (float(frames[t, top, right]) - upper)
                lower = float(frames[t, low, left])
                lower += fx * (float(frames[t, low, right]) - lower)
                out[t, y, x] = _whole(upper + fy * (lower - upper), half)


@compiled
def _whole(value: float, half: float) -> float:
    return math.floor(value + half) if half else value
