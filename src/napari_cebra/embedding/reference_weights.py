"""Weights under the names and in the shapes that the reference gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cebra.embedding.architectures import (
    Architecture,
    Network,
    parse,
    published_names,
)
from napari_cebra.embedding.published import describe
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from napari_cebra.embedding.encoder import Encoder


def description_of(name: str) -> str:
    """Return what a published name stands for in the reference's files.

    Raises
    ------
    InvalidInput
        If it is not published.
    """
    if name not in published_names():
        raise InvalidInput(f"its encoder {name!r} is not a published one.")
    tied = describe(name, tied=True)
    return name if tied == describe(name) else tied


def weight_names(name: str) -> list[str]:
    """Return the names of the weights in the reference's encoder of that name.

    They count the modules in a row: flattening, dropout and GELU are modules of
    their own, and what lies inside a skip is one below.
    """
    keys: list[str] = []
    architecture = parse(describe(name, tied=True))
    place, flat = 0, False
    for layer in architecture.layers:
        if layer.kernel == 1 and not flat:
            place, flat = place + 1, True
        inside = ".layer" if layer.beside else ""
        if layer.skip:
            inside = ".module" if "resnet" in name else ".module.0"
            if layer.dropout:
                inside = ".module.1"
        keys += [f"net.{place}{inside}.{part}" for part in ("weight", "bias")]
        place += 1
        if layer.dropout and not layer.skip:
            place += 1
        if layer.gelu and layer.skip != "+":
            place += 1
    return keys


def named_weights(network: Network, name: str) -> dict[str, Tensor]:
    """Return the weights under the names and in the shapes of the reference."""
    shared = parse(describe(name, tied=True))
    separate = parse(describe(name))
    if network.architecture not in (shared, separate):
        raise InvalidInput(f"The encoder is not the one that {name!r} stands for.")
    keys = weight_names(name)
    arrays: list[Tensor] = []
    flat = False
    for layer, conv in network.steps():
        flat = flat or layer.kernel == 1
        weight = conv.weight.detach().cpu()
        arrays += [weight[:, :, 0] if flat else weight, conv.bias.detach().cpu()]
    if shared != network.architecture:
        _tie(arrays, shared, name)
    return dict(zip(keys, arrays, strict=True))


def _tie(arrays: list[Tensor], shared: Architecture, name: str) -> None:
    """Let layers that the reference repeats be one array, if they are equal."""
    for i, layer in enumerate(shared.layers):
        for part in (2 * i, 2 * i + 1) if layer.again else ():
            if not torch.equal(arrays[part], arrays[part - 2]):
                raise InvalidInput(
                    f"The hidden layers of {name!r} have weights of their own here, "
                    "which the published package cannot hold; save in this program's "
                    "own format."
                )
            arrays[part] = arrays[part - 2]


def without_standardization(encoder: Encoder) -> Network:
    """Return a network that takes traces as they are and gives the same latents.

    Mean and scale of each neuron go into the first layer.

    Raises
    ------
    InvalidInput
        If what was done to the traces is not linear in each neuron, or the
        first layer hands its input on.
    """
    first = encoder.network.architecture.layers[0]
    standardization = encoder.standardization
    mean, scale = standardization.mean, standardization.scale
    network = Network(
        encoder.network.architecture,
        encoder.n_neurons,
        encoder.config.num_hidden_units,
        encoder.config.output_dimension,
    )
    network.load_state_dict(encoder.network.state_dict())
    if not standardization.normalize_frames and not mean.any() and (scale == 1).all():
        return network
    if standardization.normalize_frames or first.skip or first.beside:
        raise InvalidInput(
            "The encoder scales its input in a way that the published package "
            "cannot; train without standardize and normalize_frames for that."
        )
    conv = next(network.steps())[1]
    with torch.no_grad():
        scaled = conv.weight.double() * scale.cpu().double()[None, :, None]
        shift = (scaled * mean.cpu().double()[None, :, None]).sum((1, 2))
        conv.bias.copy_(conv.bias.double() - shift)
        conv.weight.copy_(scaled)
    return network
