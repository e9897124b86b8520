"""What a training step computes, apart from the loop that repeats it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from torch import nn

    from napari_cebra.embedding.losses import InfoNCE


class Objective(ABC):
    """Draws batches, turns them into a loss, and makes the model of the weights.

    One subclass for each kind of training; `loop.Loop` does the rest, alike for
    all of them.

    Attributes
    ----------
    device : torch.device
    network : nn.Module
        Everything that is trained, averaged, judged and kept, apart from the
        temperature; an ``nn.ModuleList`` if several encoders learn together.
        Parameters that do not require gradients stay as they are.
    criterion : InfoNCE
        Its temperature is trained along if it requires gradients.
    generator : Generator
        Where all draws of training steps come from, and nothing else.
    n_negatives : int
        Negatives of each reference; ln of it is chance.
    most_parts : int
        Pieces into which `backward` can part a batch where memory is short.
    """

    device: torch.device
    network: nn.Module
    criterion: InfoNCE
    generator: Generator
    n_negatives: int
    most_parts: int = 1

    @property
    def compiled(self) -> bool:
        """Whether all that is much work in a step is compiled code; see `fused`."""
        return False

    @abstractmethod
    def draw(self) -> Any:
        """Draw the batch of one step, with all that is random in it."""

    @abstractmethod
    def loss(self, batch: Any, step: int) -> Tensor:
        """Return the loss of a batch of `draw`, a scalar that carries gradients.

        The step is counted from 0, for weights that follow a schedule.
        """

    def backward(self, batch: Any, step: int, parts: int) -> Tensor:
        """Add the gradients of a batch to the parameters; return its loss.

        Parameters
        ----------
        batch : object
            Of `draw`.
        step : int
        parts : int
            Pieces to compute it in, at most `most_parts`, to the same result.
        """
        loss = self.loss(batch, step)
        loss.backward()
        return loss.detach()

    def data_hash(self) -> str:
        """Return a word that tells the data of one training from another's."""
        return ""

    @abstractmethod
    def infonce(self, network: nn.Module, heldout: bool) -> float | None:
        """Return InfoNCE in nats on batches drawn once, without dropout.

        Parameters
        ----------
        network : nn.Module
            `self.network`, or an average of it over steps.
        heldout : bool
            On held-out rows; None if there are none.
        """

    @abstractmethod
    def model(self, network: nn.Module, log: dict[str, Any]) -> Any:
        """Return what a person keeps: an encoder of a copy of the network."""

    @abstractmethod
    def latents(self, network: nn.Module) -> Any:
        """Return the latents of all rows under these weights."""


class Generators(NamedTuple):
    """Where what is random comes from: three streams of one seed."""

    initial: Generator
    """Initial weights, on the CPU."""
    draws: Generator
    judge: Generator
    """Batches for evaluation."""


def generators(seed: int, device: torch.device) -> Generators:
    """Return the generators of a seed."""
    seeds = np.random.SeedSequence(seed).generate_state(3, np.uint64)
    initial, draws, judge = (int(number >> 1) for number in seeds)
    return Generators(
        torch.Generator().manual_seed(initial),
        torch.Generator(device).manual_seed(draws),
        torch.Generator(device).manual_seed(judge),
    )
