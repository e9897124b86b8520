"""All layers of an encoder in one pass of compiled code, forward and backward.

Of what PyTorch computes layer by layer, going through memory each time, this is
the same with what a few dozen windows need held in the processor's cache. It needs
numba and vector units of 256 or 512 bits; where they are missing, `fits` says no.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.stack import Step

_CHUNK_BYTES = 2**19
"""What the layers make of a chunk of windows; half of a small second cache."""
_CHUNK_WINDOWS = 8, 128


def fits(steps: tuple[Step, ...], x: Tensor) -> bool:
    """Return whether the compiled layers can take rows of x."""
    plain = x.dtype == torch.float32 and x.device.type == "cpu"
    return plain and not steps[0].skip and _kernels() is not None


class Layers(torch.autograd.Function):
    """(n, D) of the windows that begin at (n,) rows of (T, C): see `stack`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, first: Tensor, steps: tuple[Step, ...], *parameters: Tensor
    ) -> Tensor:
        k = _kernels()
        x = x.contiguous()
        layers, size = _table(steps, parameters)
        packed = torch.zeros(size)
        for i, layer in enumerate(layers):
            weight, bias = (p.detach().numpy() for p in parameters[2 * i : 2 * i + 2])
            k.pack(weight, bias, layer, packed.numpy())
        places, index = _places(first.numpy(), steps, layers)
        h, slope = torch.empty(places.size), torch.empty(places.size)
        arguments = (
            x.data_ptr(),
            layers,
            packed.data_ptr(),
            *places.arrays,
            h.data_ptr(),
            slope.data_ptr(),
        )
        _in_threads(
            lambda _, begin, end: k.forward(begin, end, *arguments), places.chunks
        )
        latents = h[places.last :].view(-1, int(layers[-1, k.PANELS]) * k.LANES)
        ctx.arguments, ctx.places, ctx.index = arguments, places, index
        ctx.kept = x, packed, h, slope
        ctx.shapes = [p.shape for p in parameters]
        return latents.index_select(0, index)[:, : len(parameters[-1])]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        k, layers, places = _kernels(), ctx.arguments[1], ctx.places
        lanes = int(layers[-1, k.PANELS]) * k.LANES
        by_last = torch.zeros((places.size - places.last) // lanes, lanes)
        by_last[:, : grad.shape[1]].index_add_(0, ctx.index, grad)
        threads, size = _threads(places.chunks), len(ctx.kept[1])
        sums, scratch = torch.zeros(threads, size), torch.empty(threads, 2, places.most)

        def back(thread: int, begin: int, end: int) -> None:
            mine = sums[thread].data_ptr(), scratch[thread].numpy()
            k.backward(begin, end, *ctx.arguments, by_last.data_ptr(), *mine)

        _in_threads(back, places.chunks)
        grads = [torch.empty(shape) for shape in ctx.shapes]
        for i, layer in enumerate(layers):
            weight, bias = (each.numpy() for each in grads[2 * i : 2 * i + 2])
            k.unpack(sums.numpy(), layer, weight, bias)
        return None, None, None, *grads


class _Places(NamedTuple):
    """Where each layer is needed; `arrays` as `kernels.plan` explains them."""

    arrays: tuple[np.ndarray, ...]
    """source, at, bounds, and where a layer begins in what all layers make."""
    chunks: int
    size: int
    """Numbers that all layers make."""
    last: int
    """Where those of the last layer begin."""
    most: int
    """Numbers that one layer makes of one chunk."""


def _places(
    first: np.ndarray, steps: tuple[Step, ...], layers: np.ndarray
) -> tuple[_Places, Tensor]:
    """Return the places of windows, and which of the last layer's is a window's."""
    k = _kernels()
    kernels = np.array([step.kernel for step in steps])
    # frames of a window that go into each layer, and out of the last
    lengths = 1 + np.append(np.cumsum((kernels - 1)[::-1])[::-1], 0)
    lanes = layers[:, k.PANELS] * k.LANES
    bytes_of_window = 4 * (lengths[0] * layers[0, k.WIDTH] + lengths[1:] @ lanes)
    windows = int(np.clip(_CHUNK_BYTES // bytes_of_window, *_CHUNK_WINDOWS))
    chunks = -(-len(first) // windows)
    order = np.argsort(first)
    source = np.empty(len(first) * int(lengths[1:].sum()), np.int64)
    at = np.empty(len(steps) + 1, np.int64)
    bounds = np.empty((len(steps), chunks + 1), np.int64)
    place, index = np.empty_like(order), np.empty_like(order)
    k.plan(first[order], lengths[1:], windows, source, at, bounds, place)
    index[order] = place
    begins = np.append(0, np.cumsum(bounds[:, -1] * lanes))
    most = int((np.diff(bounds).max(1) * lanes).max())
    arrays = source, at, bounds, begins[:-1]
    places = _Places(arrays, chunks, int(begins[-1]), int(begins[-2]), most)
    return places, torch.from_numpy(index)


def _table(
    steps: tuple[Step, ...], parameters: tuple[Tensor, ...]
) -> tuple[np.ndarray, int]:
    """Return what `kernels` has to know of each layer, and the size of all weights."""
    k = _kernels()
    skips = {"": 0, "+": k.BESIDE, "~": k.INSIDE}
    rows, at, width = [], 0, parameters[0].shape[1]
    for step, weight in zip(steps, parameters[::2], strict=True):
        out, length = len(weight), step.kernel * width
        panels = -(-out // k.LANES)
        bias = at + panels * length * k.LANES
        back = bias + panels * k.LANES if rows else -1
        does = step.kernel, skips[step.skip], int(step.gelu)
        rows.append((*does, width, out, panels, at, bias, back))
        at = bias + panels * k.LANES + (length * out if back >= 0 else 0)
        width = panels * k.LANES
    return np.array(rows, np.int64), at


@cache
def _kernels() -> Any:
    """Return the compiled layers, loaded on first use; None where they cannot be."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None
    try:
        return import_module("napari_cebra.embedding.kernels")
    except ImportError:
        return None


def _threads(chunks: int) -> int:
    return min(torch.get_num_threads(), chunks)


def _in_threads(work: Callable[[int, int, int], None], chunks: int) -> None:
    """Part chunks among threads, always alike: call with number, begin and end."""
    threads = _threads(chunks)
    ends = [chunks * i // threads for i in range(threads + 1)]
    pieces = list(zip(range(threads), ends[:-1], ends[1:], strict=True))
    others = [_pool(threads - 1).submit(work, *piece) for piece in pieces[1:]]
    work(*pieces[0])
    for other in others:
        other.result()


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="encoder")
