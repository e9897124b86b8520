"""An encoder of windows, forward and backward, compiled. Fails without numba.

A layer's output at a place t is ``b + W · [h(t), h(t+1), …, h(t+k-1)]``, and rows
of h that follow one another are one piece of memory. So with A the matrix of these
pieces (never laid out: a row is where it begins), W as (k·C, O) and G the gradient
of what comes out,

    forward           Y  = A W + b
    gradient of W     dW = Aᵀ G
    gradient of h     dA = G Wᵀ, added where the rows of A begin.

All three are sums of products of one number with one row of `LANES` numbers, which
`registers` holds in registers while both sides are read once.

A batch goes through in chunks of windows that the second cache holds. In a chunk,
a place that several windows share is computed once.
"""

from __future__ import annotations

import numpy as np

from napari_cebra.embedding.registers import (
    HELD,
    LANES,
    add,
    column_sums,
    compiled,
    gelu,
    multiply,
    one_column_sums,
    put,
    row_sums,
)

KERNEL, SKIP, GELU, WIDTH, OUT, PANELS, WEIGHT, BIAS, BACK = range(9)
"""Columns of a table of layers: see `fused._table`."""
BESIDE, INSIDE = 1, 2
"""Kinds of skip: added to GELU, and before it."""
_ROW = LANES * 4
"""Bytes."""


# ------------------------------------------------------------------ places of a batch


@compiled
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


@compiled
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


@compiled
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


@compiled
def forward(
    chunk: int,
    last: int,
    x: np.ndarray,
    layers: np.ndarray,
    packed: np.ndarray,
    source: np.ndarray,
    at: np.ndarray,
    bounds: np.ndarray,
    begins_at: np.ndarray,
    order: np.ndarray,
    place: np.ndarray,
    size: int,
    h: np.ndarray,
    slope: np.ndarray,
    latents: np.ndarray,
    keeps: bool,
) -> None:
    """Fill what comes out of each layer, GELU's derivative there, and the latents.

    Parameters
    ----------
    chunk, last : int
        First chunk, and one after the last.
    x : (T, C) float32
        The recording.
    layers : (m, 9) int64
    packed : float32
        Weights, of `pack`.
    source, at, bounds, place, size
        Of `plan`.
    begins_at : (m,) int64
        Where a layer begins in `h` and `slope`.
    order : (n,) int64
        Number of each of the sorted windows.
    h, slope : float32
    latents : (n, D) float32
    keeps : bool
        False if `h` and `slope` have room for one chunk alone, each layer at its
        place in `begins_at`, and are not needed afterwards.
    """
    begins = np.empty(HELD, np.int64)
    scratch = np.empty(HELD * LANES, np.float32)
    y, weights = scratch.ctypes.data, packed.ctypes.data
    outputs, slopes = h.ctypes.data, slope.ctypes.data
    for c in range(chunk, last):
        inputs, here = x.ctypes.data, np.int64(0)
        for n in range(len(layers)):
            width, panels, skip = layers[n, WIDTH], layers[n, PANELS], layers[n, SKIP]
            length = layers[n, KERNEL] * width
            crop = (layers[n, KERNEL] - 1) // 2 * width
            stop = bounds[n, c + 1]
            here = begins_at[n] - (0 if keeps else bounds[n, c] * panels * LANES)
            for panel in range(panels):
                weight = weights + 4 * layers[n, WEIGHT] + panel * length * _ROW
                bias = weights + 4 * layers[n, BIAS] + panel * _ROW
                for i in range(bounds[n, c], stop, HELD):
                    rows = min(HELD, stop - i)
                    for j in range(HELD):
                        begins[j] = source[at[n] + i + min(j, rows - 1)] * width
                    row_sums(inputs, begins.ctypes.data, length, bias, weight, y)
                    for j in range(rows):
                        to = 4 * here + ((i + j) * panels + panel) * _ROW
                        made, kept = y + j * _ROW, inputs + 4 * (begins[j] + crop)
                        kept += panel * _ROW
                        if skip == INSIDE:
                            add(made, kept)
                        if layers[n, GELU]:
                            gelu(made, outputs + to, slopes + to)
                        else:
                            put(outputs + to, made)
                        if skip == BESIDE:
                            add(outputs + to, kept)
            inputs = outputs + 4 * here
        for w in range(c * size, min((c + 1) * size, len(order))):
            made = here + place[w] * layers[-1, PANELS] * LANES
            for d in range(latents.shape[1]):
                latents[order[w], d] = h[made + d]


@compiled
def backward(
    chunk: int,
    last: int,
    x: np.ndarray,
    layers: np.ndarray,
    packed: np.ndarray,
    source: np.ndarray,
    at: np.ndarray,
    bounds: np.ndarray,
    begins_at: np.ndarray,
    order: np.ndarray,
    place: np.ndarray,
    size: int,
    h: np.ndarray,
    slope: np.ndarray,
    grad: np.ndarray,
    sums: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Fill `sums` with the gradients of all weights, laid out as `pack` does.

    Parameters
    ----------
    chunk, last, x, layers, packed, source, at, bounds, begins_at, order, place, size,
    h, slope
        As of `forward`.
    grad : (n, D) float32
        By the latents.
    sums : float32
    scratch : (2, most places and lanes of a layer in a chunk) float32
    """
    begins = np.empty(HELD, np.int64)
    held = np.empty(HELD * LANES, np.float32)
    nothing = np.zeros(LANES, np.float32).ctypes.data
    y, weights, totals = held.ctypes.data, packed.ctypes.data, sums.ctypes.data
    outputs = h.ctypes.data
    sums[:] = 0
    for c in range(chunk, last):
        n = len(layers) - 1
        lanes = layers[n, PANELS] * LANES
        scratch[0, : (bounds[n, c + 1] - bounds[n, c]) * lanes] = 0
        for w in range(c * size, min((c + 1) * size, len(order))):
            to = (place[w] - bounds[n, c]) * lanes
            for d in range(grad.shape[1]):
                scratch[0, to + d] += grad[order[w], d]
        # gradients by what came out of a layer, and by what went in
        through, behind = scratch[0].ctypes.data, scratch[1].ctypes.data
        while n >= 0:
            width, panels, skip = layers[n, WIDTH], layers[n, PANELS], layers[n, SKIP]
            length = layers[n, KERNEL] * width
            crop = (layers[n, KERNEL] - 1) // 2 * width
            start, count = bounds[n, c], bounds[n, c + 1] - bounds[n, c]
            inputs, before = x.ctypes.data, np.int64(0)
            if n > 0:
                inputs, before = outputs + 4 * begins_at[n - 1], bounds[n - 1, c]
                for i in range((bounds[n - 1, c + 1] - before) * width // LANES):
                    put(behind + i * _ROW, nothing)
            bias = totals + 4 * layers[n, BIAS]
            slopes = slope.ctypes.data + 4 * begins_at[n] + start * panels * _ROW
            for i in range(count):
                t = source[at[n] + start + i] - before
                kept = behind + 4 * (t * width + crop)
                for panel in range(panels):
                    here = (i * panels + panel) * _ROW
                    if skip == BESIDE:
                        add(kept + panel * _ROW, through + here)
                    if layers[n, GELU]:
                        multiply(through + here, slopes + here)
                    if skip == INSIDE:
                        add(kept + panel * _ROW, through + here)
                    add(bias + panel * _ROW, through + here)
            places = source[at[n] + start :].ctypes.data
            whole = length - length % HELD
            for panel in range(panels):
                to = totals + 4 * layers[n, WEIGHT] + panel * length * _ROW
                rows, step = through + panel * _ROW, panels * LANES
                for i in range(0, whole, HELD):
                    column_sums(
                        inputs + 4 * i, places, width, count, rows, step, to + i * _ROW
                    )
                for i in range(whole, length):
                    one_column_sums(
                        inputs + 4 * i, places, width, count, rows, step, to + i * _ROW
                    )
            if n > 0:
                for panel in range(length // LANES):
                    back = weights + 4 * layers[n, BACK]
                    back += panel * layers[n, OUT] * _ROW
                    for i in range(0, count, HELD):
                        some = min(HELD, count - i)
                        for j in range(HELD):
                            begins[j] = (i + min(j, some - 1)) * panels * LANES
                        out = layers[n, OUT]
                        row_sums(through, begins.ctypes.data, out, nothing, back, y)
                        for j in range(some):
                            t = source[at[n] + start + i + j] - before
                            add(behind + 4 * t * width + panel * _ROW, y + j * _ROW)
            through, behind = behind, through
            n -= 1
