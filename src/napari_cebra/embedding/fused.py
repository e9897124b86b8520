"""All layers of an encoder in one pass of compiled code, forward and backward.

Of what PyTorch computes layer by layer, going through memory each time, this is
the same with what a few dozen windows need held in the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.compiled import in_threads, kernels, takes, threads_for

if TYPE_CHECKING:
    from napari_cebra.embedding.stack import Step

_CHUNK_BYTES = 2**19
"""What the layers make of a chunk of windows; half of a small second cache."""
_CHUNK_WINDOWS = 8, 128


def fits(steps: tuple[Step, ...], x: Tensor) -> bool:
    """Return whether the compiled layers can take rows of x."""
    return takes(x) and not steps[0].skip and kernels("encoder_kernels") is not None


def latents(
    x: Tensor, first: Tensor, steps: tuple[Step, ...], parameters: list[Tensor]
) -> Tensor:
    """Return the (n, D) latents, before the head, of windows of (T, C) rows.

    Parameters
    ----------
    x : (T, C) tensor
        No leaf of the graph.
    first : (n,) tensor
        First row of each window.
    steps : tuple of Step
        Of `stack.steps_of`.
    parameters : list of tensors
        Weight (O, C, k) and bias of each layer.
    """
    keeps = torch.is_grad_enabled()
    found: Tensor = _Layers.apply(x, first, steps, keeps, *parameters)
    return found


class _Layers(torch.autograd.Function):
    """`latents`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        first: Tensor,
        steps: tuple[Step, ...],
        keeps: bool,
        *parameters: Tensor,
    ) -> Tensor:
        k = kernels("encoder_kernels")
        layers, size = _table(steps, parameters)
        packed = np.zeros(size, np.float32)
        for i, layer in enumerate(layers):
            weight, bias = (p.detach().numpy() for p in parameters[2 * i : 2 * i + 2])
            k.pack(weight, bias, layer, packed)
        places = _places(first.numpy(), steps, layers, keeps)
        # of PyTorch, whose memory begins where a line of the cache does
        rows = 1 if keeps else threads_for(places.chunks)
        h, slope = torch.empty(2, rows, places.size).numpy()
        latents = x.new_empty(len(first), len(parameters[-1]))
        given = x.contiguous().numpy(), layers, packed, *places.arrays

        def work(thread: int, begin: int, end: int) -> None:
            made = h[thread % rows], slope[thread % rows]
            k.forward(begin, end, *given, *made, latents.numpy(), keeps)

        in_threads(work, places.chunks)
        ctx.given, ctx.places = (*given, h[0], slope[0]), places
        ctx.shapes = [p.shape for p in parameters]
        return latents

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        k, places = kernels("encoder_kernels"), ctx.places
        _, layers, packed, *_ = ctx.given
        threads = threads_for(places.chunks)
        sums = torch.empty(threads, len(packed)).numpy()
        scratch = torch.empty(threads, 2, places.most).numpy()
        by_latents = grad.contiguous().numpy()

        def work(thread: int, begin: int, end: int) -> None:
            mine = sums[thread], scratch[thread]
            k.backward(begin, end, *ctx.given, by_latents, *mine)

        in_threads(work, places.chunks)
        grads = [torch.empty(shape) for shape in ctx.shapes]
        for i, layer in enumerate(layers):
            weight, bias = (each.numpy() for each in grads[2 * i : 2 * i + 2])
            k.unpack(sums, layer, weight, bias)
        return None, None, None, None, *grads


class _Places(NamedTuple):
    """Where each layer is needed; `arrays` are those that `forward` takes."""

    arrays: tuple[Any, ...]
    chunks: int
    size: int
    """Numbers that all layers make, of all chunks or at most of one."""
    most: int
    """Numbers that one layer makes of one chunk."""


def _places(
    first: np.ndarray, steps: tuple[Step, ...], layers: np.ndarray, keeps: bool
) -> _Places:
    """Return where each layer is needed by windows that begin at (n,) rows."""
    k = kernels("encoder_kernels")
    # frames of a window that go into each layer, and out of the last
    reach = np.cumsum([step.kernel - 1 for step in reversed(steps)])
    lengths = 1 + np.append(reach[::-1], 0)
    lanes = layers[:, k.PANELS] * k.LANES
    bytes_of_window = 4 * (lengths[0] * layers[0, k.WIDTH] + lengths[1:] @ lanes)
    windows = int(np.clip(_CHUNK_BYTES // bytes_of_window, *_CHUNK_WINDOWS))
    chunks = max(1, -(-len(first) // windows))
    order = np.argsort(first)
    source = np.empty(len(first) * int(lengths[1:].sum()), np.int64)
    at = np.empty(len(steps) + 1, np.int64)
    bounds = np.zeros((len(steps), chunks + 1), np.int64)
    place = np.empty_like(order)
    k.plan(first[order], lengths[1:], windows, source, at, bounds, place)
    most = np.diff(bounds).max(1) * lanes
    begins = np.append(0, np.cumsum(bounds[:, -1] * lanes if keeps else most))
    arrays = source, at, bounds, begins[:-1], order, place, windows
    return _Places(arrays, chunks, int(begins[-1]), int(most.max()))


def _table(
    steps: tuple[Step, ...], parameters: tuple[Tensor, ...]
) -> tuple[np.ndarray, int]:
    """Return what `kernels` has to know of each layer, and the size of all weights."""
    k = kernels("encoder_kernels")
    skips = {"": 0, "+": k.BESIDE, "~": k.INSIDE}
    rows: list[tuple[int, ...]] = []
    at, width = 0, parameters[0].shape[1]
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
