"""An encoder cut after its first layer, which is linear and sees all neurons.

Whatever is asked of an encoder's derivatives (attributions, the penalty of a
regularised training), the neurons enter through this one layer alone. So the
network is differentiated as a function of a few units instead of hundreds of
neurons, and the neurons come in afterwards with one matrix product.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_cebra.embedding.architectures import TimeConv

if TYPE_CHECKING:
    from napari_cebra.embedding.architectures import Network


@dataclass(frozen=True, eq=False)
class FirstLayer:
    """The two parts of a network: ``latents(windows) = rest(units(windows))``.

    Parameters
    ----------
    weight : (U, N, K) tensor
        Kernel of the first layer, the running mean before it included, so
        that units at P = L - K + 1 places see windows of L frames.
    network : Network
    after : Network
        The same, sharing all weights, with nothing in the first layer's place.
        It is `network` itself if its first layer skips frames or passes its
        input on; the "units" are then the neurons.
    """

    weight: Tensor
    network: Network
    after: Network

    @classmethod
    def of(cls, network: Network) -> FirstLayer:
        """Cut a network; gradients still reach its weights."""
        layer, first = network.architecture.layers[0], network.convs[0]
        assert isinstance(first, TimeConv)
        mean_over = network.architecture.mean_over
        if getattr(layer, "stride", 1) > 1 or getattr(layer, "beside", False):
            # not a plain first layer: the frames themselves take its place
            n = first.weight.shape[1]
            weight = torch.eye(n, dtype=first.weight.dtype, device=first.weight.device)
            return cls(_with_mean(weight[:, :, None], mean_over), network, network)
        after = copy.copy(network)
        after._modules = dict(network._modules)
        after.convs = nn.ModuleList([_Nothing(), *list(network.convs)[1:]])
        return cls(_with_mean(first.weight, mean_over), network, after)

    def units(self, windows: Tensor, averaged: bool = False) -> Tensor:
        """Return the (B, U, P) units of (B, L, N) windows.

        `averaged` says that the running mean was taken already.
        """
        x = windows if averaged else self.network.mean(windows)
        x = x.transpose(1, 2)
        if self.after is self.network:
            return x
        units: Tensor = self.network.convs[0](x)
        return units

    def rest(self, units: Tensor) -> Tensor:
        """Return the (B, D) latents of (B, U, P) units."""
        return self.after.after_mean(units.transpose(1, 2))[:, 0]

    def to_frames(self, gradient: Tensor) -> Tensor:
        """Turn (…, U, P) gradients by units into (…, L, N) by the window."""
        units, neurons, kernel = self.weight.shape
        places = gradient.shape[-1]
        taps = self.weight.permute(0, 2, 1).reshape(units, kernel * neurons)
        each = (gradient.transpose(-1, -2) @ taps).unflatten(-1, (kernel, neurons))
        shape = (*gradient.shape[:-2], places + kernel - 1, neurons)
        by_window = gradient.new_zeros(shape)
        if places <= kernel:
            for p in range(places):
                by_window[..., p : p + kernel, :] += each[..., p, :, :]
        else:
            for k in range(kernel):
                by_window[..., k : k + places, :] += each[..., k, :]
        return by_window

    def of_single_frames(self, neurons: slice) -> Tensor:
        """(n, L, U, P): what one unit of activity adds, by neuron and frame."""
        weight = self.weight[:, neurons].transpose(0, 1)
        n, _, kernel = weight.shape
        length = sum(self.network.architecture.receptive_field)
        frames = torch.eye(length, dtype=weight.dtype, device=weight.device)
        added = F.conv1d(frames[:, None], weight.reshape(-1, 1, kernel))
        return added.unflatten(1, (n, -1)).transpose(0, 1)


class _Nothing(TimeConv):
    """Stands where the first layer was; what comes in has been through it."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input."""
        return x


def jacobian(first: FirstLayer, units: Tensor) -> Tensor:
    """(B, D, U, P): derivative of each latent by the units of its window.

    One backward pass for each latent, over the whole batch. On a CPU they are
    as fast one after the other, and need less memory.
    """
    pulled = torch.func.vjp(first.rest, units)
    latents, pull = pulled[0], pulled[1]
    each = torch.eye(latents.shape[1], dtype=units.dtype, device=units.device)

    def by_units(one: Tensor) -> Tensor:
        gradient: Tensor = pull(one.expand_as(latents))[0]
        return gradient

    at_once = 1 if units.device.type == "cpu" else None
    return torch.func.vmap(by_units, out_dims=1, chunk_size=at_once)(each)


def _with_mean(weight: Tensor, mean_over: int) -> Tensor:
    """Return the kernel that is the running mean and then `weight`."""
    if mean_over == 1:
        return weight
    padded = F.pad(weight, (mean_over - 1, mean_over - 1))
    return padded.unfold(2, mean_over, 1).mean(dim=-1)
