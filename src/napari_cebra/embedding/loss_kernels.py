"""InfoNCE's sum over negatives with its gradients, compiled. Fails without numba.

As many references as there are lanes meet all negatives at a time. They lie next to
one another, so that the softmax of each is taken in a lane of its own, of numbers
that the second cache holds.
"""

from __future__ import annotations

import numpy as np

from napari_cebra.embedding.registers import (
    HELD,
    LANES,
    add,
    compiled,
    exponential,
    maximum,
    put,
    row_sums,
)

_ROW = LANES * 4
"""Bytes."""


@compiled
def log_sum_exp(
    block: int,
    last: int,
    across: np.ndarray,
    negative: np.ndarray,
    negative_across: np.ndarray,
    found: np.ndarray,
    of_across: np.ndarray,
    of_negative: np.ndarray,
    learns: bool,
) -> None:
    """Take a row of references at a time.

    Parameters
    ----------
    block, last : int
        First block of references, and one after the last.
    across : (blocks, D, lanes) float32
        References, one in each lane; zeros where there is none.
    negative, negative_across : (n, D) and (D, n) float32
    found : (blocks, lanes) float32
        Filled with log Σ exp of the products with all negatives.
    of_across : (blocks, D to a multiple of `HELD`, lanes) float32
        Filled with the gradient of the sum of `found` by the references.
    of_negative : (n, D to a multiple of lanes) float32
        Filled with that by the negatives. Lanes beyond D are of no use.
    learns : bool
        Whether gradients are asked for.
    """
    n, size = negative.shape
    begins = np.empty(HELD, np.int64)
    nothing = np.zeros(LANES, np.float32)
    held = np.empty((HELD, LANES), np.float32)
    similar = np.empty((n + HELD, LANES), np.float32)
    most, total = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    panels = of_negative.shape[1] // LANES
    shared = np.zeros((LANES, panels * LANES), np.float32)
    one_panel = np.empty((LANES, LANES), np.float32)
    of_negative[:] = 0
    for r in range(block, last):
        ours = across[r].ctypes.data
        here = similar.ctypes.data
        most[:], total[:] = -np.inf, 0
        for i in range(0, n, HELD):
            for j in range(HELD):
                begins[j] = min(i + j, n - 1) * size
            to = here + i * _ROW
            row_sums(
                negative.ctypes.data,
                begins.ctypes.data,
                size,
                nothing.ctypes.data,
                ours,
                to,
            )
            for j in range(HELD):
                maximum(most.ctypes.data, to + j * _ROW)
        for i in range(n):
            exponential(here + i * _ROW, most.ctypes.data, total.ctypes.data)
        for j in range(LANES):
            found[r, j] = most[j] + np.log(total[j])
        if not learns:
            continue
        for d in range(0, size, HELD):
            for j in range(HELD):
                begins[j] = min(d + j, size - 1) * n
            row_sums(
                negative_across.ctypes.data,
                begins.ctypes.data,
                n,
                nothing.ctypes.data,
                here,
                held.ctypes.data,
            )
            for j in range(HELD):
                for lane in range(LANES):
                    of_across[r, d + j, lane] = held[j, lane] / total[lane]
        for lane in range(LANES):
            for d in range(size):
                shared[lane, d] = across[r, d, lane] / total[lane]
        for panel in range(panels):
            for lane in range(LANES):
                source = shared[lane].ctypes.data + panel * _ROW
                put(one_panel[lane].ctypes.data, source)
            for i in range(0, n, HELD):
                for j in range(HELD):
                    begins[j] = min(i + j, n - 1) * LANES
                row_sums(
                    here,
                    begins.ctypes.data,
                    LANES,
                    nothing.ctypes.data,
                    one_panel.ctypes.data,
                    held.ctypes.data,
                )
                for j in range(min(HELD, n - i)):
                    to = of_negative[i + j].ctypes.data + panel * _ROW
                    add(to, held[j].ctypes.data)
