"""One forward for the encoders of several recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_cebra.embedding.architectures import TimeConv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator

    from napari_cebra.embedding.architectures import Network
    from napari_cebra.embedding.windows import Noise, Windows

_OVERLAP = 2
"""Frames seen for each frame of the recording, above which all are embedded."""


def embed(
    networks: Sequence[Network],
    windows: Sequence[Windows],
    rows: Sequence[Tensor],
    noise: Sequence[Noise | None] | None = None,
    masks: Sequence[Tensor] | None = None,
    generator: Generator | None = None,
) -> list[Tensor]:
    """Return the (n, D) latents of (n,) rows of each recording.

    Without noise or masks, windows overlap: the frames they cover are laid end
    to end and each layer slides over them once, for all recordings in one
    product.

    Parameters
    ----------
    networks, windows, rows
        One a recording.
    noise : one a recording, optional
        Of `Windows.noise`.
    masks : one (n, L, N) a recording, optional
        Of `Masks`.
    generator : Generator, optional
        Draws the dropout of networks that have some; None leaves it out.
    """
    length = len(windows[0].reach)
    whole = [
        len(r) * length > _OVERLAP * len(w.x)
        for r, w in zip(rows, windows, strict=True)
    ]
    slides = noise is None and masks is None and _is_plain(networks[0])
    if not slides or not (windows[0].x.device.type == "cpu" or all(whole)):
        latents = []
        for s, (network, window, row) in enumerate(
            zip(networks, windows, rows, strict=True)
        ):
            own = None if noise is None else noise[s]
            if masks is None:
                latents.append(window.embed(network, row, own, generator))
            else:
                x = window.of(row, own) * masks[s]
                latents.append(network.after_mean(x, generator)[:, 0])
        return latents
    frames, places = [], []
    for window, row, everything in zip(windows, rows, whole, strict=True):
        first = row + window.reach[0]
        if everything:
            frames.append(window.x)
            places.append(first)
        else:
            x, place = _covered(window.x, first, length)
            frames.append(x)
            places.append(place)
    return _slide(networks, frames, places)


def _covered(x: Tensor, first: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return the frames that windows cover, and where each window begins."""
    covered = torch.zeros(len(x) + 1, dtype=torch.int32, device=x.device)
    begins = torch.zeros_like(covered)
    begins[first] = 1
    covered = begins.cumsum(0)
    covered[length:] -= covered[:-length].clone()
    inside = covered[:-1] > 0
    place = inside.cumsum(0) - 1
    return x[inside.nonzero()[:, 0]], place[first]


def _is_plain(network: Network) -> bool:
    """Whether it is a chain of convolutions that slide frame by frame."""
    layers = network.architecture.layers
    plain = len(network.convs) == len(layers) and all(
        (layer.gelu or not layer.skip)
        and layer.stride == 1
        and not layer.dropout
        and not layer.beside
        for layer in layers
    )
    same = all(
        conv.weight.shape[0] == conv.weight.shape[1]
        for layer, conv in zip(layers, _convs(network), strict=False)
        if layer.skip
    )
    head = network.architecture.head in ("sphere", "linear", "tanh")
    bounds = network.architecture.bounds is None
    return plain and same and head and bounds


def _convs(network: Network) -> list[TimeConv]:
    return [conv for conv in network.convs if isinstance(conv, TimeConv)]


def _slide(
    networks: Sequence[Network], frames: Sequence[Tensor], places: Sequence[Tensor]
) -> list[Tensor]:
    architecture = networks[0].architecture
    longest = max(len(x) for x in frames)
    x: Tensor | None = None
    for i, layer in enumerate(architecture.layers):
        convs = [_convs(network)[i] for network in networks]
        weight = [conv.weight.permute(2, 1, 0) for conv in convs]
        bias = torch.stack([conv.bias for conv in convs])
        if x is None:
            y = _first(frames, weight, bias, longest)
        else:
            y = _convolve(x, torch.stack(weight), bias)
        if layer.skip:
            assert x is not None
            crop = (layer.kernel - 1) // 2
            kept = x[:, crop : crop + y.shape[1]]
            x = kept + F.gelu(y) if layer.skip == "+" else F.gelu(kept + y)
        else:
            x = F.gelu(y) if layer.gelu else y
    assert x is not None
    latents = [x[s, place] for s, place in enumerate(places)]
    if architecture.head == "sphere":
        return [F.normalize(z, dim=-1) for z in latents]
    return [torch.tanh(z) for z in latents] if architecture.head == "tanh" else latents


def _first(
    frames: Sequence[Tensor], weight: Sequence[Tensor], bias: Tensor, longest: int
) -> Tensor:
    """Return the first layer's (S, longest - k + 1, C); neurons may differ."""
    outputs = []
    for s, x in enumerate(frames):
        y = _convolve(x[None], weight[s][None], bias[s : s + 1])
        outputs.append(F.pad(y, (0, 0, 0, longest - len(x))))
    return torch.cat(outputs)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y: Tensor = _SlidingProduct.apply(x, weight, bias)
    return y


class _SlidingProduct(torch.autograd.Function):
    """Convolution over time of (S, T, C) by (S, kernel, C, out), with (S, out).

    A sum of products with shifted frames, none of which is copied.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        weight = weight.contiguous()
        n = x.shape[1] - weight.shape[1] + 1
        y = torch.baddbmm(bias[:, None], x[:, :n], weight[:, 0])
        for j in range(1, weight.shape[1]):
            y.baddbmm_(x[:, j : j + n], weight[:, j])
        ctx.save_for_backward(x, weight)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        n = grad.shape[1]
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = torch.zeros_like(x)
            for j in range(weight.shape[1]):
                to_x[:, j : j + n].baddbmm_(grad, weight[:, j].transpose(1, 2))
        if ctx.needs_input_grad[1]:
            taps = [
                torch.bmm(x[:, j : j + n].transpose(1, 2), grad)
                for j in range(weight.shape[1])
            ]
            to_weight = torch.stack(taps, 1)
        if ctx.needs_input_grad[2]:
            to_bias = grad.sum(1)
        return to_x, to_weight, to_bias
