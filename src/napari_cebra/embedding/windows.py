"""The rows and windows of one recording, as training sees them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from napari_cebra.embedding import fused
from napari_cebra.embedding.compiled import in_threads, kernels, takes
from napari_cebra.embedding.stack import (
    embed_places,
    embed_rows,
    embed_windows,
    layers_at_once,
    steps_of,
)
from napari_cebra.recording import InvalidInput, complete_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.architectures import Architecture, Network
    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.stack import Step

_N_MASKS = 4096


class Noise(NamedTuple):
    """What is random about n training windows; None where nothing is.

    Masks are drawn from a table of them: a fresh one for each window would
    cost as much as a layer.
    """

    partner: Tensor | None = None
    """(n,) row of another repeat, of which some neurons are taken."""
    mixed: Tensor | None = None
    """(n,) mask of those neurons."""
    dropped: Tensor | None = None
    """(n,) mask of the neurons that are kept."""

    def split(self, size: int) -> list[Noise]:
        """Return that of so many windows at a time."""
        fields = [None if f is None else f.split(size) for f in self]
        count = max(len(pieces) for pieces in fields if pieces is not None)
        return [
            Noise(*(None if pieces is None else pieces[i] for pieces in fields))
            for i in range(count)
        ]


class Windows:
    """Windows of traces, with neurons dropped and mixed while training.

    Parameters
    ----------
    x : (T', N) tensor
        Standardised traces, or their running mean over `mean_over` frames;
        finite, in rows that are never drawn too.
    architecture : Architecture
    config : TrainConfig
        `input_dropout` and `mix_repeats`.
    generator : Generator
        Draws the tables of masks.
    partners : callable, optional
        Draws for each row one of another repeat; mixing needs it.
    """

    def __init__(
        self,
        x: Tensor,
        architecture: Architecture,
        config: TrainConfig,
        generator: Generator,
        partners: Callable[[Tensor, Generator], Tensor] | None = None,
    ) -> None:
        self.x = x
        left, right = architecture.receptive_field
        right -= architecture.mean_over - 1
        self.reach = torch.arange(-left, right, device=x.device)
        keep = 1 - config.input_dropout
        self._dropout = self._masks(keep, generator).div_(keep) if keep < 1 else None
        self._steps: tuple[Step, ...] | None = None
        self._partners = partners if config.mix_repeats else None
        self._mixing = None
        if self._partners is not None:
            self._mixing = self._masks(config.mix_repeats, generator)

    @cached_property
    def across(self) -> Tensor:
        """(N, T') the traces, the rows of a neuron next to one another."""
        return self.x.T.contiguous()

    def compiled(self, network: Network) -> bool:
        """Return whether compiled code takes windows through the network."""
        steps = steps_of(network)
        return steps is not None and fused.fits(steps, self.x)

    def noise(self, rows: Tensor, generator: Generator) -> Noise | None:
        """Draw what is random about the windows of (n,) rows; None if nothing."""
        partner = mixed = dropped = None
        if self._partners is not None and self._mixing is not None:
            partner = self._partners(rows, generator)
            mixed = self._pick(self._mixing, len(rows), generator)
        if self._dropout is not None:
            dropped = self._pick(self._dropout, len(rows), generator)
        nothing = partner is None and dropped is None
        return None if nothing else Noise(partner, mixed, dropped)

    def embed(
        self,
        network: Network,
        rows: Tensor,
        noise: Noise | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the (n, D) latents of the windows of (n,) rows, the fastest way.

        Parameters
        ----------
        network : Network
        rows : (n,) tensor
        noise : Noise, optional
            Of `noise`.
        generator : Generator, optional
            Draws the dropout of networks that have some; None leaves it out.
        """
        if self._steps is None and self.x.device.type == "cpu":
            self._steps = steps_of(network)
        steps = self._steps
        if steps is None:
            return network.after_mean(self.of(rows, noise), generator)[:, 0]
        length, first = len(self.reach), rows + self.reach[0]
        if noise is None and fused.fits(steps, self.x):
            return embed_places(network, steps, self.x, first)
        whole = layers_at_once(steps, len(rows), length, len(self.x))
        if noise is not None or whole == 0:
            return embed_windows(network, steps, self.of(rows, noise))
        recording = self.x, self.across
        return embed_rows(network, steps, recording, first, length, whole)

    def of(self, rows: Tensor, noise: Noise | None = None) -> Tensor:
        """Return the (n, L, N) windows of (n,) rows."""
        if takes(self.x) and kernels("window_kernels") is not None:
            return self._compiled(rows, noise or Noise())
        index = (self.reach[:, None] + rows).reshape(-1)
        windows = self.x.index_select(0, index)
        windows = windows.view(len(self.reach), len(rows), -1)
        if noise is not None and noise.partner is not None:
            assert self._mixing is not None and noise.mixed is not None
            mixed = self._mixing.index_select(0, noise.mixed)
            # frame by frame, so that of many neurons no second set is held
            for frame, reach in zip(windows, self.reach, strict=True):
                frame.lerp_(self.x.index_select(0, noise.partner + reach), mixed)
        if noise is not None and noise.dropped is not None:
            assert self._dropout is not None
            windows.mul_(self._dropout.index_select(0, noise.dropped))
        return windows.transpose(0, 1)

    def _compiled(self, rows: Tensor, noise: Noise) -> Tensor:
        windows = self.x.new_empty(len(rows), len(self.reach), self.x.shape[1])
        first = rows + self.reach[0]
        partner = first if noise.partner is None else noise.partner + self.reach[0]
        every, row = self.x.new_ones(1, self.x.shape[1]), torch.zeros_like(rows)
        mixing, dropout = (every, row), (every, row)
        if noise.mixed is not None and self._mixing is not None:
            mixing = self._mixing, noise.mixed
        if noise.dropped is not None and self._dropout is not None:
            dropout = self._dropout, noise.dropped
        given = self.x, first, partner, *mixing, *dropout, windows
        arrays = [tensor.numpy() for tensor in given]
        cut = kernels("window_kernels").cut
        in_threads(lambda _, begin, end: cut(begin, end, *arrays), len(rows))
        return windows

    def _masks(self, share: float, generator: Generator) -> Tensor:
        masks = torch.empty((_N_MASKS, self.x.shape[1]), device=self.x.device)
        return masks.bernoulli_(share, generator=generator)

    def _pick(self, masks: Tensor, n: int, generator: Generator) -> Tensor:
        return torch.randint(
            len(masks), (n,), generator=generator, device=self.x.device
        )


def check_rows(
    values: np.ndarray,
    segment: np.ndarray,
    train_rows: np.ndarray,
    heldout_rows: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return traces (float32) and stretches that fit together.

    Raises
    ------
    InvalidInput
        If shapes disagree, values are not finite, or rows are both trained on
        and held out.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise InvalidInput(
            f"Traces must be a table of time × ROIs (T, N), not shape {values.shape}."
        )
    values = np.ascontiguousarray(values, dtype=np.float32)
    segment = np.asarray(segment)
    parts = {"stretch numbers": segment, "training flags": np.asarray(train_rows)}
    if heldout_rows is not None:
        parts["held-out flags"] = np.asarray(heldout_rows)
        if np.any(np.asarray(heldout_rows, bool) & np.asarray(train_rows, bool)):
            raise InvalidInput(
                "Some rows are both trained on and held out; make the split again."
            )
    for what, part in parts.items():
        if part.shape != (len(values),):
            raise InvalidInput(
                f"There are {len(values)} rows of traces but {part.size} {what}."
            )
    used = np.flatnonzero(segment >= 0)
    bad = ~np.isfinite(values[used]).all(axis=1)
    if bad.any():
        raise InvalidInput(
            f"The traces hold NaN or infinity in {int(bad.sum())} rows (first: row "
            f"{int(used[bad][0])}); mark those rows as not valid, or mend them."
        )
    return values, segment


def complete_rows(
    segment: np.ndarray, rows: np.ndarray, architecture: Architecture
) -> np.ndarray:
    """(T,) bool: those of `rows` whose whole window lies in their stretch.

    Raises
    ------
    InvalidInput
        If there are none.
    """
    left, right = architecture.receptive_field
    complete = complete_windows(segment, left, right) & rows
    if not complete.any():
        raise InvalidInput(
            f"No stretch of rows is as long as the encoder's window of {left + right} "
            "frames; use an encoder that sees fewer frames, or longer trials."
        )
    return complete
