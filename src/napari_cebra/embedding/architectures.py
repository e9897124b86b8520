"""The encoders, each written in one line of a small description language.

A description is a row of layers, first to last, separated by spaces::

    offset10-model = "u2 +3 +3 +3 d3"

- ``u2``  convolution over 2 frames to `num_hidden_units` channels, then GELU;
  ``h`` is half as many, ``d`` is `output_dimension`, ``30d`` thirty times that.
- ``+3``  the same width, GELU inside a skip: ``x + gelu(conv(x))``, where x
  loses the frames at both ends that the convolution needs.
- ``~1``  GELU round the skip: ``gelu(x + conv(x))``.
- ``u2-`` has no GELU: the layer is linear.
- ``m7``  at the beginning: the running mean of each neuron over 7 frames. It
  has no weights, so a wide receptive field costs nothing to learn.
- The last layer has no GELU. A last word says what happens to its output:
  ``sphere`` (the default: divided by its length), ``linear`` or ``tanh``.

The receptive field L is one more than the sum of (kernel − 1); row i sees the
frames ``[i − L//2, i − L//2 + L)``. The layers are those of Schneider, Lee &
Mathis, Nature 2023, and of its reference implementation.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTIONS = {
    "offset1-model": "u1 u1 h1 d1",
    "offset1-model-v2": "u1 u1 u1 d1",
    "offset1-model-v3": "u1 ~1 ~1 d1",
    "offset1-model-v4": "u1 +1 +1 +1 +1 d1",
    "offset1-model-v5": "u1 ~1 ~1 ~1 ~1 d1",
    "offset1-model-mse": "30d1 30d1 10d1 d1 linear",
    "offset1-model-mse-tanh": "30d1 30d1 10d1 d1 tanh",
    "offset10-model-mse": "u2 +3 +3 +3 d3 linear",
    "offset10-model-mse-tanh": "u2 +3 +3 +3 d3 tanh",
}
"""Published names that do not follow the rule of `offset_description`."""

_LAYER = re.compile(r"(?:(\d*)([uhd])|([+~]))(\d+)(-?)")
_HEADS = ("sphere", "linear", "tanh")


@dataclass(frozen=True)
class Layer:
    """One layer: width as a factor of a named size, kernel, and kind of skip."""

    size: str
    factor: int
    kernel: int
    skip: str
    gelu: bool


@dataclass(frozen=True)
class Architecture:
    """A parsed description."""

    layers: tuple[Layer, ...]
    head: str
    mean_over: int = 1

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Frames seen before the row, and from the row on."""
        length = self.mean_over + sum(layer.kernel - 1 for layer in self.layers)
        return length // 2, length - length // 2


def offset_description(length: int, first_kernel: int | None = None) -> str:
    """Describe an encoder that sees `length` frames.

    With a first kernel of 2 (the default) these are the published
    ``offset5-model`` … ``offset50-model``: skips of kernel 3, closed by a
    kernel of 2 or 3. A wider first kernel takes the place of as many skips.
    """
    if length == 1:
        return DESCRIPTIONS["offset1-model"]
    first = min(2 if first_kernel is None else first_kernel, length)
    rest = length - first
    last = 1 if rest == 0 else 2 + (rest % 2 == 0)
    skips = (rest - (last - 1)) // 2
    if skips == 0:  # one hidden layer alone would be nearly linear
        return f"u{first} u1 d{last}"
    return " ".join([f"u{first}", *["+3"] * skips, f"d{last}"])


def parse(name: str, first_kernel: int | None = None) -> Architecture:
    """Return the architecture of a published name or of a description.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    text = DESCRIPTIONS.get(name, name)
    published = re.fullmatch(r"offset(\d+)(?:-model)?", name)
    if published and 1 <= int(published[1]) <= 1000:
        text = offset_description(int(published[1]), first_kernel)
    words = text.split()
    head = words.pop() if words and words[-1] in _HEADS else "sphere"
    mean_over = 1
    if words and re.fullmatch(r"m[1-9]\d*", words[0]):
        mean_over = int(words.pop(0)[1:])
    layers: list[Layer] = []
    for word in words:
        match = _LAYER.fullmatch(word)
        if match is None or int(match[4]) < 1:
            break
        factor, size, skip, kernel, linear = match.groups()
        gelu = not linear and len(layers) < len(words) - 1
        layers.append(
            Layer(size or "", int(factor or 1), int(kernel), skip or "", gelu)
        )
    complete = len(layers) == len(words) and len(layers) > 0
    if not complete or layers[-1].size != "d" or layers[0].skip:
        raise InvalidInput(
            f"There is no encoder called {name!r}; use offset1-model, offset5-model, "
            'offset10-model … or a description such as "u2 +3 +3 +3 d3".'
        )
    return Architecture(tuple(layers), head, mean_over)


def receptive_field(name: str, first_kernel: int | None = None) -> tuple[int, int]:
    """Return (left, right): row i sees the frames ``[i - left, i + right)``."""
    return parse(name, first_kernel).receptive_field


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
    ) -> None:
        super().__init__()
        bound = 1 / math.sqrt(channels_in * kernel)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel))
        self.bias = nn.Parameter(torch.empty(channels_out))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out, L - kernel + 1) of (B, in, L)."""
        channels_out, _, kernel = self.weight.shape
        if kernel == x.shape[2]:
            # memory order of the input: of windows of traces, time is first
            if x.stride(1) == 1:
                taps = self.weight.transpose(1, 2).reshape(channels_out, -1)
                flat = x.transpose(1, 2).reshape(len(x), -1)
            else:
                taps, flat = self.weight.flatten(1), x.flatten(1)
            return F.linear(flat, taps, self.bias)[:, :, None]
        return F.conv1d(x, self.weight, self.bias)


class Network(nn.Module):
    """An encoder network: (B, L, N) → (B, L − receptive field + 1, D)."""

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
            out = layer.factor * sizes[layer.size] if layer.size else width
            self.convs.append(TimeConv(width, out, layer.kernel, generator))
            width = out

    def forward(self, x: Tensor) -> Tensor:
        """Return the latents of (B, L, N) windows."""
        return self.after_mean(self.mean(x))

    def mean(self, x: Tensor) -> Tensor:
        """Return the running mean over time, (…, L - mean_over + 1, N)."""
        if self.architecture.mean_over == 1:
            return x
        return x.unfold(-2, self.architecture.mean_over, 1).mean(dim=-1)

    def after_mean(self, x: Tensor) -> Tensor:
        """Return the latents of windows whose running mean was taken."""
        x = x.transpose(1, 2)
        for layer, conv in zip(self.architecture.layers, self.convs, strict=True):
            y = conv(x)
            if layer.skip:
                crop = (layer.kernel - 1) // 2
                kept = x[:, :, crop : crop + y.shape[2]]
                x = kept + F.gelu(y) if layer.skip == "+" else F.gelu(kept + y)
            else:
                x = F.gelu(y) if layer.gelu else y
        x = x.transpose(1, 2)
        if self.architecture.head == "sphere":
            return F.normalize(x, dim=-1)
        return torch.tanh(x) if self.architecture.head == "tanh" else x

    def copy_reference_weights(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights of the reference's model of the same name.

        Its layers come in the same order with the same shapes; those of
        ``offset1`` models are linear, (out, in) instead of (out, in, 1).
        """
        ours = list(self.parameters())
        theirs = list(state.values())
        if len(ours) != len(theirs):
            raise InvalidInput(
                f"The model has {len(theirs)} arrays of weights, this encoder "
                f"{len(ours)}; choose the architecture it was trained with."
            )
        with torch.no_grad():
            for mine, other in zip(ours, theirs, strict=True):
                mine.copy_(other.reshape(mine.shape))
