"""Parts of the windows hidden while training: four masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Generator

KINDS = ("RandomNeuronMask", "RandomTimestepMask", "NeuronBlockMask", "TimeBlockMask")


@dataclass(frozen=True)
class Masks:
    """Masks, of which each batch gets one kind, drawn at random.

    Parameters
    ----------
    values : mapping of str to value
        ``RandomNeuronMask`` and ``RandomTimestepMask`` hide each neuron, or each
        frame, of a window with a probability; ``NeuronBlockMask`` hides that
        share of the neurons, next to each other. The value is a number between
        0 and 1, a list of which one is drawn for each batch, or a tuple (min,
        max, step) that stands for such a list. ``TimeBlockMask`` takes (rate,
        length): from that share of the frames, drawn at random, the next
        `length` frames are hidden. Names as in the reference package (0.6.0).

    Raises
    ------
    InvalidInput
        If a name or a value is none of these.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(cls, given: Masks | Mapping[str, Any] | None) -> Masks | None:
        """Return masks as they may be given; None where nothing is hidden."""
        masks = given if isinstance(given, Masks) else cls(dict(given or {}))
        return masks if masks.values else None

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if name not in KINDS:
                raise InvalidInput(
                    f"There is no mask called {name!r}; use {', '.join(KINDS)}."
                )
            if name == "TimeBlockMask":
                _check_block(value)
            else:
                _choices(name, value)

    def draw(self, shape: tuple[int, int, int], generator: Generator) -> Tensor:
        """Return what n windows of L frames of N neurons are multiplied with.

        Parameters
        ----------
        shape : (n, L, N)
        generator : Generator

        Returns
        -------
        (n, L, N), (n, L, 1) or (n, 1, N) float32
            1 where seen, 0 where hidden.
        """
        n, length, neurons = shape
        names = list(self.values)
        name = names[_below(len(names), generator)]
        value = self.values[name]
        if name == "TimeBlockMask":
            rate, block = value
            return _time_blocks(n, length, rate, block, generator)[:, :, None].float()
        choices = _choices(name, value)
        share = choices[_below(len(choices), generator)]
        device = generator.device
        if name == "NeuronBlockMask":
            return _blocks(n, neurons, int(neurons * share), generator)[:, None].float()
        part = (n, 1, neurons) if name == "RandomNeuronMask" else (n, length, 1)
        return (torch.rand(part, generator=generator, device=device) >= share).float()

    def draw_parts(
        self, parts: int, shape: tuple[int, int, int], generator: Generator
    ) -> Tensor:
        """Return masks of all parts of a batch end to end, each of a kind of its own.

        Parameters
        ----------
        parts : int
            References, positives, negatives, …; n windows each.
        shape : (n, L, N)
        generator : Generator

        Returns
        -------
        (parts n, L, N) float32
        """
        each = [self.draw(shape, generator).expand(shape) for _ in range(parts)]
        return torch.cat(each)


def _below(count: int, generator: Generator) -> int:
    if count == 1:
        return 0
    device = generator.device
    return int(torch.randint(count, (), generator=generator, device=device))


def _blocks(n: int, size: int, hidden: int, generator: Generator) -> Tensor:
    """(n, size) bool: false on a run of `hidden` that begins anywhere."""
    device = generator.device
    high = size - hidden + 1
    first = torch.randint(high, (n, 1), generator=generator, device=device)
    place = torch.arange(size, device=device)
    return (place < first) | (place >= first + hidden)


def _time_blocks(
    n: int, length: int, rate: float, block: int, generator: Generator
) -> Tensor:
    """(n, length) bool: false for `block` frames from each of some frames on."""
    device = generator.device
    begins = torch.zeros((n, length), dtype=torch.int64, device=device)
    lot = torch.rand((n, length), generator=generator, device=device)
    begins.scatter_(1, lot.argsort(1)[:, : int(length * rate)], 1)
    hidden = begins.cumsum(1)
    hidden[:, block:] -= hidden[:, :-block].clone()
    return hidden == 0


def _choices(name: str, value: Any) -> list[float]:
    if isinstance(value, tuple) and len(value) == 3:
        low, high, step = value
        if 0 <= low < high <= 1 and 0 < step <= high - low:
            count = math.floor((high - low) / step + 1e-9) + 1
            return [low + k * step for k in range(count)]
    else:
        listed = list(value) if isinstance(value, list) else [value]
        numbers = all(isinstance(v, int | float) for v in listed)
        if listed and numbers and all(0 < v < 1 for v in listed):
            return listed
    raise InvalidInput(
        f"{name} takes a number between 0 and 1, a list of such numbers, or (min, max, "
        f"step) with a step no longer than the range; not {value!r}."
    )


def _check_block(value: Any) -> None:
    pair = isinstance(value, tuple | list) and len(value) == 2
    if not pair or not (0 < value[0] < 1) or value[1] != int(value[1]) or value[1] < 1:
        raise InvalidInput(
            "TimeBlockMask takes (rate, length): a number between 0 and 1 and a whole "
            f"number of frames; not {value!r}."
        )
