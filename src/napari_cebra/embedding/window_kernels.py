"""Windows cut out of a recording with their noise, compiled. Fails without numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.embedding.registers import LANES, compiled, mix

if TYPE_CHECKING:
    import numpy as np


@compiled
def cut(
    begin: int,
    end: int,
    x: np.ndarray,
    first: np.ndarray,
    partner: np.ndarray,
    mixing: np.ndarray,
    mixed: np.ndarray,
    dropout: np.ndarray,
    dropped: np.ndarray,
    windows: np.ndarray,
) -> None:
    """Fill windows `begin` to `end`, each number written once.

    Parameters
    ----------
    begin, end : int
    x : (T, C) float32
    first, partner : (n,) int64
        First row of each window, and of the one whose neurons are mixed in.
    mixing, dropout : (masks, C) float32
        1 where a neuron is taken from the partner, 0 where not; by what all are
        multiplied then.
    mixed, dropped : (n,) int64
        The rows of these for each window.
    windows : (n, L, C) float32
    """
    _, length, neurons = windows.shape
    row = 4 * neurons
    recording, out = x.ctypes.data, windows.ctypes.data
    for w in range(begin, end):
        takes = mixing.ctypes.data + mixed[w] * row
        keeps = dropout.ctypes.data + dropped[w] * row
        for frame in range(length):
            ours = recording + (first[w] + frame) * row
            theirs = recording + (partner[w] + frame) * row
            to = out + (w * length + frame) * row
            if neurons < LANES:
                for c in range(neurons):
                    other = mixing[mixed[w], c] > 0.5
                    chosen = partner[w] if other else first[w]
                    value = x[chosen + frame, c] * dropout[dropped[w], c]
                    windows[w, frame, c] = value
                continue
            for c in range(0, neurons, LANES):
                at = 4 * min(c, neurons - LANES)
                mix(to + at, ours + at, theirs + at, takes + at, keeps + at)
