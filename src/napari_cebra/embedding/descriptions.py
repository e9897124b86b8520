"""The encoders, each written in one line of a small description language.

A description is a row of layers, first to last, separated by spaces::

    offset10-model = "u2 +3 +3 +3 d3"

- ``u2``  convolution over 2 frames to `num_hidden_units` channels, then GELU;
  ``h`` is half as many, ``d`` is `output_dimension`, ``30d`` thirty times that.
- ``+3``  the same width, GELU inside a skip: ``x + gelu(conv(x))``, where x
  loses the frames at both ends that the convolution needs.
- ``~1``  GELU round the skip: ``gelu(x + conv(x))``.
- ``~h1`` a skip to another width: channels of x are left out, or zeros added.
- ``u2-`` has no GELU: the layer is linear.
- ``u3/2`` moves on by 2 frames from one output to the next.
- ``u4/2&`` puts the input itself, every second frame of it, beside the output,
  as further channels.
- ``u2%10`` leaves out 10 % of its output channels while training, ``+3%10`` of
  the channels that the convolution inside the skip sees.
- ``=``   the layer before once more, with the same weights.
- ``m7``  at the beginning: the running mean of each neuron over 7 frames. It
  has no weights, so a wide receptive field costs nothing to learn.
- The last layer has no GELU. A last word says what happens to its output:
  ``sphere`` (the default: divided by its length), ``linear``, ``tanh``,
  ``relu``, or ``[-5,10]``, clamped to these bounds.

The receptive field L is one more than the sum of (kernel − 1), each times the
frames that its input moves on by; row i sees the frames
``[i − L//2, i − L//2 + L)``. The layers are those of Schneider, Lee & Mathis,
Nature 2023, and of its reference implementation, whose names `published` knows.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from napari_cebra.embedding.published import describe
from napari_cebra.recording import InvalidInput

_LAYER = re.compile(r"([+~]?)(?:(\d*)([uhd]))?(\d+)(?:/(\d+))?(&?)(-?)(?:%(\d+))?")
_BOUNDS = re.compile(r"\[(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)\]")
_HEADS = ("sphere", "linear", "tanh", "relu")


@dataclass(frozen=True)
class Layer:
    """One layer.

    Parameters
    ----------
    size : {"u", "h", "d", ""}
        Its width, `factor` times a named size; "" keeps that of its input.
    factor, kernel : int
    skip : {"", "+", "~"}
    gelu : bool
    stride : int
        Frames from one output to the next.
    beside : bool
        The input follows the output as further channels.
    dropout : float
        Share of channels left out in training.
    again : bool
        The layer before with the same weights.
    """

    size: str
    factor: int
    kernel: int
    skip: str
    gelu: bool
    stride: int = 1
    beside: bool = False
    dropout: float = 0.0
    again: bool = False


@dataclass(frozen=True)
class Architecture:
    """A parsed description; `bounds` are those that a head clamps to."""

    layers: tuple[Layer, ...]
    head: str
    mean_over: int = 1
    bounds: tuple[float, float] | None = None

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Frames seen before the row, and from the row on."""
        length, step = self.mean_over, 1
        for layer in self.layers:
            length += step * (layer.kernel - 1)
            step *= layer.stride
        return length // 2, length - length // 2

    @property
    def subsampling(self) -> int:
        """Frames from one output to the next when the encoder slides."""
        return math.prod(layer.stride for layer in self.layers)


def parse(name: str, first_kernel: int | None = None) -> Architecture:
    """Return the architecture of a published name or of a description.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    words = describe(name, first_kernel).split()
    head, bounds = "sphere", None
    clamped = _BOUNDS.fullmatch(words[-1]) if words else None
    if clamped:
        head, bounds = "clamp", (float(clamped[1]), float(clamped[2]))
        words.pop()
    elif words and words[-1] in _HEADS:
        head = words.pop()
    mean_over = 1
    if words and re.fullmatch(r"m[1-9]\d*", words[0]):
        mean_over = int(words.pop(0)[1:])
    layers = _layers(words)
    if layers is None or (bounds is not None and bounds[0] >= bounds[1]):
        raise InvalidInput(
            f"There is no encoder called {name!r}; use offset1-model, offset5-model, "
            'offset10-model … or a description such as "u2 +3 +3 +3 d3".'
        )
    return Architecture(layers, head, mean_over, bounds)


def _layers(words: list[str]) -> tuple[Layer, ...] | None:
    """Return the layers, or None where the words do not make an encoder."""
    layers: list[Layer] = []
    for i, word in enumerate(words):
        if word == "=":
            if not layers or not _keeps_width(layers):
                return None
            layers.append(replace(layers[-1], again=True))
            continue
        match = _LAYER.fullmatch(word)
        if match is None:
            return None
        skip, factor, size, kernel, stride, beside, linear, dropout = match.groups()
        layer = Layer(
            size=size or "",
            factor=int(factor or 1),
            kernel=int(kernel),
            skip=skip,
            gelu=not linear and i < len(words) - 1,
            stride=int(stride or 1),
            beside=bool(beside),
            dropout=int(dropout or 0) / 100,
        )
        if not (size or skip) or (beside and skip) or layer.dropout >= 1:
            return None
        if min(layer.factor, layer.kernel, layer.stride) < 1:
            return None
        layers.append(layer)
    if not layers or not layers[0].size:
        return None
    last = layers[-1]
    if last.size != "d" or last.skip or last.beside or last.again:
        return None
    return tuple(layers)


def _keeps_width(layers: list[Layer]) -> bool:
    """Say whether the last layer gives as many channels as it takes."""
    *before, last = layers
    if last.beside or not last.size:
        return not last.beside
    sized = [layer for layer in before if layer.size or layer.beside]
    if not sized or sized[-1].beside:
        return False
    return (sized[-1].size, sized[-1].factor) == (last.size, last.factor)


def receptive_field(name: str, first_kernel: int | None = None) -> tuple[int, int]:
    """Return (left, right): row i sees the frames ``[i - left, i + right)``."""
    return parse(name, first_kernel).receptive_field
