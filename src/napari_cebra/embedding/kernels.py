"""An encoder of windows, forward and backward, compiled. Fails without numba.

A layer's output at a place t is ``b + W · [h(t), h(t+1), …, h(t+k-1)]``, and rows
of h that follow one another are one piece of memory. So with A the matrix of these
pieces (never laid out: a row is where it begins), W as (k·C, O) and G the gradient
of what comes out,

    forward           Y  = A W + b
    gradient of W     dW = Aᵀ G
    gradient of h     dA = G Wᵀ, added where the rows of A begin.

All three are sums of products of one number with one row of 32, which `registers`
holds in registers while both sides are read once.

A batch goes through in chunks of windows that the second cache holds. In a chunk,
a place that several windows share is computed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from napari_cebra.embedding.registers import (
    HELD,
    LANES,
    add,
    column_sums,
    gelu,
    multiply,
    one_column_sums,
    put,
    row_sums,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL, SKIP, GELU, WIDTH, OUT, PANELS, WEIGHT, BIAS, BACK = range(9)
"""Columns of a table of layers: see `fused.Shape`."""
BESIDE, INSIDE = 1, 2
"""Kinds of skip: added to GELU, and before it."""
_ROW = LANES * 4
"""Bytes."""


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(**options)(function)


# ------------------------------------------------------------------ places of a batch


@_compiled
def plan(
    first: np.ndarray,
    lengths: np.ndarray,
    size: int,
    source: np.ndarray,
    at: np.ndarray,
    bounds: np.ndarray,
    place: np.ndarray,
) -> None:
    """List the places at which each layer is needed.

    Parameters
    ----------
    first : (n,) int64
        First row of each window, in ascending order.
    lengths : (m,) int64
        Places of a window that come out of each layer; of the last one, 1.
    size : int
        Windows of a chunk.
    source : int64
        Filled: where in the list of the layer before (of the first layer: in the
        recording) the input of a place begins.
    at : (m + 1,) int64
        Filled with where the list of a layer begins in `source`.
    bounds : (m, chunks + 1) int64
        Filled with where a chunk begins in the list of a layer.
    place : (n,) int64
        Filled: each window's place in the last list.
    """
    place[:] = first
    at[0] = 0
    for layer in range(len(lengths)):
        count, reached = 0, 0
        for w in range(len(first)):
            if w % size == 0:
                bounds[layer, w // size] = count
                reached = first[w]
            begin = max(reached, first[w])
            reached = first[w] + lengths[layer]
            before = place[w] - first[w]
            place[w] = count - (begin - first[w])
            for t in range(begin, reached):
                source[at[layer] + count] = before + t
                count += 1
        bounds[layer, -1] = count
        at[layer + 1] = at[layer] + count


# ------------------------------------------------------------------------- the layers


@_compiled
def pack(
    weight: np.ndarray, bias: np.ndarray, layer: np.ndarray, packed: np.ndarray
) -> None:
    """Lay the (O, C, k) weight of a layer out as its products read it."""
    out, channels, kernel = weight.shape
    width, length = layer[WIDTH], layer[KERNEL] * layer[WIDTH]
    for o in range(out):
        panel, lane = o // LANES, o % LANES
        packed[layer[BIAS] + o] = bias[o]
        for c in range(channels):
            for k in range(kernel):
                i = k * width + c
                value = weight[o, c, k]
                packed[layer[WEIGHT] + (panel * length + i) * LANES + lane] = value
                if layer[BACK] >= 0:
                    row = i // LANES * out + o
                    packed[layer[BACK] + row * LANES + i % LANES] = value


@_compiled
def unpack(
    sums: np.ndarray, layer: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> None:
    """Turn the sums of all threads, as `pack` lays weights out, into gradients."""
    out, channels, kernel = weight.shape
    width, length = layer[WIDTH], layer[KERNEL] * layer[WIDTH]
    for o in range(out):
        panel, lane = o // LANES, o % LANES
        bias[o] = sums[:, layer[BIAS] + o].sum()
        for c in range(channels):
            for k in range(kernel):
                i = (panel * length + k * width + c) * LANES + lane
                weight[o, c, k] = sums[:, layer[WEIGHT] + i].sum()


@_compiled
def forward(
    chunk: int,
    last: int,
    x: int,
    layers: np.ndarray,
    packed: int,
    source: np.ndarray,
    at: np.ndarray,
    bounds: np.ndarray,
    begins_at: np.ndarray,
    h: int,
    slope: int,
) -> None:
    """Fill what comes out of each layer, and GELU's derivative there.

    Parameters
    ----------
    chunk, last : int
        First chunk, and one after the last.
    x : address
        The recording, rows one after another.
    layers : (m, 9) int64
    packed : address
        Weights, of `pack`.
    source, at, bounds
        Of `plan`.
    begins_at : (m,) int64
        Where a layer begins in `h` and `slope`.
    h, slope : address
    """
    begins = np.empty(HELD, np.int64)
    scratch = np.empty(HELD * LANES, np.float32)
    y = scratch.ctypes.data
    for c in range(chunk, last):
        inputs = x
        for n in range(len(layers)):
            width, panels, skip = layers[n, WIDTH], layers[n, PANELS], layers[n, SKIP]
            length = layers[n, KERNEL] * width
            crop = (layers[n, KERNEL] - 1) // 2 * width
            stop = bounds[n, c + 1]
            for panel in range(panels):
                weight = packed + 4 * layers[n, WEIGHT] + panel * length * _ROW
                bias = packed + 4 * layers[n, BIAS] + panel * _ROW
                for i in range(bounds[n, c], stop, HELD):
                    rows = min(HELD, stop - i)
                    for j in range(HELD):
                        begins[j] = source[at[n] + i + min(j, rows - 1)] * width
                    row_sums(inputs, begins.ctypes.data, length, bias, weight, y)
                    for j in range(rows):
                        here = 4 * begins_at[n] + ((i + j) * panels + panel) * _ROW
                        made, kept = y + j * _ROW, inputs + 4 * (begins[j] + crop)
                        kept += panel * _ROW
                        if skip == INSIDE:
                            add(made, kept)
                        if layers[n, GELU]:
                            gelu(made, h + here, slope + here)
                        else:
                            put(h + here, made)
                        if skip == BESIDE:
                            add(h + here, kept)
            inputs = h + 4 * begins_at[n]


@_compiled
def backward(
    chunk: int,
    last: int,
    x: int,
    layers: np.ndarray,
    packed: int,
    source: np.ndarray,
    at: np.ndarray,
    bounds: np.ndarray,
    begins_at: np.ndarray,
    h: int,
    slope: int,
    grad: int,
    sums: int,
    scratch: np.ndarray,
) -> None:
    """Add the gradients of all weights to `sums`, laid out as `pack` does.

    Parameters
    ----------
    chunk, last, x, layers, packed, source, at, bounds, begins_at, h, slope
        As of `forward`.
    grad : address
        By what came out of the last layer, (places, lanes).
    sums : address
    scratch : (2, most places and lanes of a layer in a chunk) float32
    """
    begins = np.empty(HELD, np.int64)
    held = np.empty(HELD * LANES, np.float32)
    nothing = np.zeros(LANES, np.float32).ctypes.data
    y = held.ctypes.data
    for c in range(chunk, last):
        # gradients by what came out of a layer, and by what went in
        ours, behind = scratch[0].ctypes.data, scratch[1].ctypes.data
        n = len(layers) - 1
        size = layers[n, PANELS] * _ROW
        through = grad + bounds[n, c] * size
        while n >= 0:
            width, panels, skip = layers[n, WIDTH], layers[n, PANELS], layers[n, SKIP]
            length, size = layers[n, KERNEL] * width, panels * _ROW
            crop = (layers[n, KERNEL] - 1) // 2 * width
            start, count = bounds[n, c], bounds[n, c + 1] - bounds[n, c]
            inputs, before = x, 0
            if n > 0:
                inputs, before = h + 4 * begins_at[n - 1], bounds[n - 1, c]
                for i in range((bounds[n - 1, c + 1] - before) * width // LANES):
                    put(behind + i * _ROW, nothing)
            bias = sums + 4 * layers[n, BIAS]
            for i in range(count):
                kept = behind + 4 * (
                    (source[at[n] + start + i] - before) * width + crop
                )
                for panel in range(panels):
                    here = (i * panels + panel) * _ROW
                    if skip == BESIDE:
                        add(kept + panel * _ROW, through + here)
                    if layers[n, GELU]:
                        derivative = slope + 4 * begins_at[n] + start * size
                        multiply(through + here, derivative + here)
                    if skip == INSIDE:
                        add(kept + panel * _ROW, through + here)
                    add(bias + panel * _ROW, through + here)
            places = source[at[n] + start :].ctypes.data
            whole = length - length % HELD
            for panel in range(panels):
                to = sums + 4 * layers[n, WEIGHT] + panel * length * _ROW
                rows, step = through + panel * _ROW, panels * LANES
                for k in range(0, whole, HELD):
                    column_sums(
                        inputs + 4 * k, places, width, count, rows, step, to + k * _ROW
                    )
                for k in range(whole, length):
                    one_column_sums(
                        inputs + 4 * k, places, width, count, rows, step, to + k * _ROW
                    )
            if n > 0:
                for panel in range(length // LANES):
                    back = packed + 4 * layers[n, BACK]
                    back += panel * layers[n, OUT] * _ROW
                    for i in range(0, count, HELD):
                        some = min(HELD, count - i)
                        for j in range(HELD):
                            begins[j] = (i + min(j, some - 1)) * panels * LANES
                        out = layers[n, OUT]
                        row_sums(through, begins.ctypes.data, out, nothing, back, y)
                        for j in range(some):
                            place = source[at[n] + start + i + j] - before
                            add(behind + 4 * place * width + panel * _ROW, y + j * _ROW)
            through = behind
            ours, behind = behind, ours
            n -= 1
