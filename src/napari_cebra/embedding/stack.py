"""A stack of convolutions over windows, forward and backward, for the CPU.

Where compiled code can do it, `fused` does. Otherwise it is done with PyTorch:
windows are laid out time first, (L, n, C): a convolution is then one matrix
product for each tap of its kernel on contiguous memory, and so are both of its
gradients; nothing is unfolded or reordered. Where the windows of a batch overlap
so much that they hold more positions than the recording has rows, the first
layers run over the whole recording once and windows are cut from what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_cebra.embedding import fused
from napari_cebra.embedding.convolutions import (
    convolve,
    gradients,
    weight_gradient,
)

if TYPE_CHECKING:
    from napari_cebra.embedding.architectures import Network

_gelu_backward = torch.ops.aten.gelu_backward


class Step(NamedTuple):
    """What one layer does beside its convolution."""

    kernel: int
    skip: str
    gelu: bool


def steps_of(network: Network) -> tuple[Step, ...] | None:
    """Return the layers of a network, None if one is not of the plain kind.

    Plain is: stride 1, own weights, no dropout, a skip of the same width.
    """
    layers = network.architecture.layers
    if len(layers) != len(network.convs):
        return None
    for layer, conv in zip(layers, network.convs, strict=True):
        out, width = conv.weight.shape[:2]  # type: ignore[index]
        plain = layer.stride == 1 and not (layer.beside or layer.again)
        if not plain or layer.dropout or (layer.skip and not layer.gelu):
            return None
        if layer.skip and out != width:
            return None
    return tuple(Step(layer.kernel, layer.skip, layer.gelu) for layer in layers)


def layers_at_once(steps: tuple[Step, ...], n: int, length: int, rows: int) -> int:
    """Return how many layers are cheaper over the whole recording.

    Parameters
    ----------
    steps : tuple of Step
    n, length : int
        Number of windows, and frames of each.
    rows : int
        Rows of the recording.
    """
    count = 0
    for step in steps:
        length -= step.kernel - 1
        if n * length <= rows:
            break
        count += 1
    return count


def embed_windows(network: Network, steps: tuple[Step, ...], windows: Tensor) -> Tensor:
    """Return the (n, D) latents of (n, L, C) windows."""
    if fused.fits(steps, windows):
        n, length, channels = windows.shape
        first = torch.arange(n) * length
        return embed_places(network, steps, windows.reshape(-1, channels), first)
    return _head(network, _through(network, steps, windows.transpose(0, 1)))


def embed_places(
    network: Network, steps: tuple[Step, ...], x: Tensor, first: Tensor
) -> Tensor:
    """Return the (n, D) latents of windows that begin at (n,) rows of (T, C).

    Of rows for which `fused.fits`.
    """
    return _head(network, fused.latents(x, first, steps, _parameters(network)))


def slide(network: Network, x: Tensor) -> Tensor:
    """Return the latents of every window of (L, N) rows, without dropout."""
    steps = steps_of(network) if x.device.type == "cpu" else None
    if steps is None:
        return network.slide(x[None])[0]
    return _head(network, _through(network, steps, network.mean(x)[:, None]))


def embed_rows(
    network: Network,
    steps: tuple[Step, ...],
    recording: tuple[Tensor, Tensor],
    first: Tensor,
    length: int,
    whole: int,
) -> Tensor:
    """Return the (n, D) latents of windows of a recording.

    Parameters
    ----------
    network : Network
    steps : tuple of Step
        Of `steps_of`.
    recording : (T, C) and (C, T) tensors
        The same, contiguous both; finite, and no leaf of the graph.
    first : (n,) tensor
        First row of each window.
    length : int
        Frames of a window.
    whole : int
        Of `layers_at_once`, at least 1.
    """
    left = length - sum(step.kernel - 1 for step in steps[:whole])
    index = (torch.arange(left, device=first.device)[:, None] + first).reshape(-1)
    x, across = recording
    return _head(network, _through(network, steps, x[:, None], across, index, whole))


def _through(
    network: Network,
    steps: tuple[Step, ...],
    x: Tensor,
    across: Tensor | None = None,
    index: Tensor | None = None,
    whole: int = 0,
) -> Tensor:
    parameters = _parameters(network)
    out: Tensor = _Stack.apply(x, across, index, steps, whole, *parameters)
    return out


def _parameters(network: Network) -> list[Any]:
    return [p for conv in network.convs for p in (conv.weight, conv.bias)]


def _head(network: Network, latents: Tensor) -> Tensor:
    if network.architecture.bounds is not None:
        return latents.clamp(*network.architecture.bounds)
    if network.architecture.head == "sphere":
        found: Tensor = _OnSphere.apply(latents)
        return found
    if network.architecture.head == "tanh":
        return torch.tanh(latents)
    return F.relu(latents) if network.architecture.head == "relu" else latents


class _Stack(torch.autograd.Function):
    """(L, n, C) windows, or a recording and what to cut from it → (n, D)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        across: Tensor | None,
        index: Tensor | None,
        steps: tuple[Step, ...],
        whole: int,
        *parameters: Tensor,
    ) -> Tensor:
        n = x.shape[1]
        h = x.reshape(-1, x.shape[2])
        kept: list[tuple[Tensor, Tensor | None, Tensor]] = []
        for i, step in enumerate(steps):
            if index is not None and i == whole:
                ctx.rows = len(h)
                h = h.index_select(0, index)
                n = len(index) // _length(steps[i:])
            weight, bias = parameters[2 * i], parameters[2 * i + 1]
            y = convolve(h, weight, bias, n)
            before: Tensor | None = y
            crop = (step.kernel - 1) // 2 * n
            inputs = h
            if step.skip == "+":
                h = F.gelu(y).add_(h[crop : crop + y.shape[0]])
            elif step.skip == "~":
                h = F.gelu(y.add_(h[crop : crop + y.shape[0]]))
            elif step.gelu:
                h = F.gelu(y)
            else:
                h, before = y, None
            kept.append((inputs, before, weight))
        if index is not None and whole == len(steps):
            ctx.rows = len(h)
            h = h.index_select(0, index)
        ctx.kept, ctx.steps, ctx.n = kept, steps, n
        ctx.across, ctx.whole, ctx.index = across, whole, index
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n, steps = ctx.n, ctx.steps
        grads: list[Tensor | None] = [None] * (2 * len(steps))
        if ctx.index is not None and ctx.whole == len(steps):
            grad, n = _spread(grad, ctx.index, ctx.rows), 1
        for i in reversed(range(len(steps))):
            step = steps[i]
            x, before, weight = ctx.kept[i]
            through = grad
            if before is not None:
                through = _gelu_backward(grad, before)
            if i == 0:
                grads[0] = weight_gradient(x, through, step.kernel, n, ctx.across)
                grads[1] = through.sum(0)
                break
            behind, *grads[2 * i : 2 * i + 2] = gradients(x, through, weight, n)
            if step.skip:
                crop = (step.kernel - 1) // 2 * n
                kept = grad if step.skip == "+" else through
                behind[crop : crop + len(kept)].add_(kept)
            grad = behind
            if ctx.index is not None and i == ctx.whole:
                grad, n = _spread(grad, ctx.index, ctx.rows), 1
        return None, None, None, None, None, *grads


class _OnSphere(torch.autograd.Function):
    """``normalize(x, dim=-1)`` in few operations, of which the graph has many."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_(min=1e-12)
        y = x / length
        ctx.save_for_backward(y, length)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        y, length = ctx.saved_tensors
        along = (grad * y).sum(-1, keepdim=True)
        return torch.addcmul(grad, y, along, value=-1).div_(length)


def _length(steps: tuple[Step, ...]) -> int:
    return 1 + sum(step.kernel - 1 for step in steps)


def _spread(grad: Tensor, index: Tensor, rows: int) -> Tensor:
    """Sum the gradients of all windows that hold a row."""
    return grad.new_zeros(rows, grad.shape[1]).index_add_(0, index, grad)
