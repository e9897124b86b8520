"""The encoder network that a description stands for.

The description language is explained in `descriptions`; the published names and
what they stand for are in `published`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_cebra.embedding.descriptions import (
    Architecture,
    Layer,
    parse,
    receptive_field,
)
from napari_cebra.embedding.published import (
    DESCRIPTIONS,
    offset_description,
    published_names,
)
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "DESCRIPTIONS",
    "Architecture",
    "Layer",
    "Network",
    "TimeConv",
    "offset_description",
    "parse",
    "published_names",
    "receptive_field",
]


class TimeConv(nn.Module):
    """Convolution over time of (B, C, L) arrays.

    Weights are (out, in, kernel) and start as in ``torch.nn.Conv1d``. A window
    that is as long as the kernel is one plain matrix product.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        generator: torch.Generator | None = None,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.stride = stride
        bound = 1 / math.sqrt(channels_in * kernel)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel))
        self.bias = nn.Parameter(torch.empty(channels_out))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, (L - kernel) // stride + 1) of (B, in, L)."""
        channels_out, _, kernel = self.weight.shape
        if kernel == x.shape[2]:
            # memory order of the input: of windows of traces, time is first
            if x.stride(1) == 1:
                taps = self.weight.transpose(1, 2).reshape(channels_out, -1)
                flat = x.transpose(1, 2).reshape(len(x), -1)
            else:
                taps, flat = self.weight.flatten(1), x.flatten(1)
            return F.linear(flat, taps, self.bias)[:, :, None]
        return F.conv1d(x, self.weight, self.bias, self.stride)


class Network(nn.Module):
    """An encoder network: (B, L, N) → (B, L − receptive field + 1, D).

    With strides, L' = (L − receptive field) // subsampling + 1 rows come out;
    `slide` gives every row.
    """

    def __init__(
        self,
        architecture: Architecture,
        n_neurons: int,
        num_hidden_units: int,
        output_dimension: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        sizes = {
            "u": num_hidden_units,
            "h": max(1, num_hidden_units // 2),
            "d": output_dimension,
        }
        self.convs = nn.ModuleList()
        width = n_neurons
        for layer in architecture.layers:
            if layer.again:
                continue
            out = layer.factor * sizes[layer.size] if layer.size else width
            conv = TimeConv(width, out, layer.kernel, generator, layer.stride)
            self.convs.append(conv)
            width = out + width if layer.beside else out

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the latents of (B, L, N) windows.

        Parameters
        ----------
        x : (B, L, N) Tensor
        generator : torch.Generator, optional
            Draws what dropout leaves out; without one nothing is left out.
        """
        return self.after_mean(self.mean(x), generator)

    def slide(self, x: Tensor) -> Tensor:
        """Return the latents of every window of (B, L, N), one per frame.

        A network with strides runs once from each of the frames it would
        skip, which costs as much as the windows do and no more.
        """
        step = self.architecture.subsampling
        if step == 1:
            return self(x)
        n = x.shape[1] - sum(self.architecture.receptive_field) + 1
        rows = [self(x[:, first:]) for first in range(min(step, n))]
        latents = rows[0].new_empty(len(x), n, rows[0].shape[2])
        for first, part in enumerate(rows):
            latents[:, first::step] = part
        return latents

    def mean(self, x: Tensor) -> Tensor:
        """Return the running mean over time, (…, L - mean_over + 1, N)."""
        if self.architecture.mean_over == 1:
            return x
        return x.unfold(-2, self.architecture.mean_over, 1).mean(dim=-1)

    def after_mean(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the latents of windows whose running mean was taken."""
        x = x.transpose(1, 2)
        for layer, conv in self.steps():
            x = _through(layer, conv, x, generator)
        x = x.transpose(1, 2)
        if self.architecture.bounds is not None:
            return x.clamp(*self.architecture.bounds)
        if self.architecture.head == "sphere":
            return F.normalize(x, dim=-1)
        if self.architecture.head == "tanh":
            return torch.tanh(x)
        return F.relu(x) if self.architecture.head == "relu" else x

    def steps(self) -> Iterator[tuple[Layer, TimeConv]]:
        """Yield each layer with its weights, repeated layers included."""
        i = -1
        for layer in self.architecture.layers:
            i += not layer.again
            conv = self.convs[i]
            assert isinstance(conv, TimeConv)
            yield layer, conv

    def copy_reference_weights(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of the reference's model of the same name.

        Its layers come in the same order with the same shapes; those of
        ``offset1`` models are linear, (out, in) instead of (out, in, 1). A
        layer that it repeats comes as often as it is used.
        """
        ours = [p for _, conv in self.steps() for p in (conv.weight, conv.bias)]
        theirs = list(state.values())
        if len(ours) != len(theirs):
            raise InvalidInput(
                f"The model has {len(theirs)} arrays of weights, this encoder "
                f"{len(ours)}; choose the architecture it was trained with."
            )
        with torch.no_grad():
            for mine, other in zip(ours, theirs, strict=True):
                if mine.numel() != other.numel() or len(mine) != len(other):
                    raise InvalidInput(
                        f"The model has weights of shape {tuple(other.shape)} where "
                        f"this encoder has {tuple(mine.shape)}; choose the "
                        "architecture and the sizes it was trained with."
                    )
                mine.copy_(other.reshape(mine.shape))


def _through(
    layer: Layer, conv: TimeConv, x: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Return what one layer makes of (B, C, L)."""
    drops = layer.dropout > 0 and generator is not None
    y = conv(_dropped(x, layer.dropout, generator) if drops and layer.skip else x)
    if drops and not layer.skip:
        y = _dropped(y, layer.dropout, generator)
    if layer.skip:
        kept = _beside(x, layer, y.shape[2], (layer.kernel - 1) // 2)
        if y.shape[1] != x.shape[1]:
            kept = F.pad(kept, (0, 0, 0, y.shape[1] - x.shape[1]))
        if not layer.gelu:
            return kept + y
        return kept + F.gelu(y) if layer.skip == "+" else F.gelu(kept + y)
    if layer.gelu:
        y = F.gelu(y)
    return torch.cat([y, _beside(x, layer, y.shape[2])], 1) if layer.beside else y


def _beside(x: Tensor, layer: Layer, length: int, first: int = 0) -> Tensor:
    """Return the frames of the input that go with the outputs of a layer."""
    last = first + layer.stride * (length - 1) + 1
    return x[:, :, first : last : layer.stride]


def _dropped(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Leave out whole channels of (B, C, L), each window's own."""
    keep = torch.empty_like(x[:, :, :1]).bernoulli_(1 - share, generator=generator)
    return x * keep.div_(1 - share)
