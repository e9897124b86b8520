"""Training one encoder on one recording."""

from __future__ import annotations

import copy
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import (
    Encoder,
    Standardization,
    build_network,
    check_changing,
    hash_of_values,
)
from napari_cebra.embedding.in_parts import backward_in_parts
from napari_cebra.embedding.loop import Loop, TrainReport, torch_errors
from napari_cebra.embedding.losses import InfoNCE
from napari_cebra.embedding.masks import Masks
from napari_cebra.embedding.objective import Objective, generators
from napari_cebra.embedding.pairs import Batch, Rows
from napari_cebra.embedding.windows import Noise, Windows, check_rows, complete_rows
from napari_cebra.recording import InvalidInput, segments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Generator, Tensor, nn

    from napari_cebra.embedding.architectures import Network
    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.pairs import Pairs, Sampler

__all__ = ["HYBRID_DIMENSIONS", "RecordingObjective", "TrainReport", "Training"]

HYBRID_DIMENSIONS = 3
"""Latents that the behaviour objective of hybrid pairs shapes."""

_EVALUATION_BATCHES = 2


class Training(Loop):
    """One encoder being trained.

    The same seed, on the CPU with the same number of threads, gives the same
    bits; see `Loop`.

    Parameters
    ----------
    values : (T, N) float
        Traces.
    segment : (T,) int
        Stretch of each row, from `recording.segments`.
    train_rows : (T,) bool
        Rows to learn from. Only those whose whole window lies among them are
        drawn.
    heldout_rows : (T,) bool or None
        Rows to judge by: never learnt from, nor standardised with.
    pairs : Pairs
        Which rows belong together.
    config : TrainConfig
    masks : Masks or mapping, optional
        What is hidden of the training windows.
    context : (T,) bool, optional
        Rows that windows may also look at, though they are neither learnt from
        nor judged: the stretches must keep them apart, see `Split`.

    Raises
    ------
    InvalidInput
        If shapes disagree, values are not finite, or no pair can be drawn.
    """

    objective: RecordingObjective

    def __init__(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        train_rows: np.ndarray,
        heldout_rows: np.ndarray | None,
        pairs: Pairs,
        config: TrainConfig,
        *,
        masks: Masks | Mapping[str, Any] | None = None,
        context: np.ndarray | None = None,
    ) -> None:
        device = resolve_device(config.device)
        values, segment = check_rows(values, segment, train_rows, heldout_rows)
        train = np.asarray(train_rows, bool)
        held = None if heldout_rows is None else np.asarray(heldout_rows, bool)
        with torch_errors():
            objective = RecordingObjective(
                values,
                segment,
                train,
                held,
                pairs,
                config,
                device,
                Masks.of(masks),
                context,
            )
            super().__init__(objective, config)

    def model(self) -> Encoder:
        """Return the encoder as it is now (with `keep_best`: the best so far)."""
        encoder: Encoder = super().model()
        return encoder

    def latents(self) -> np.ndarray:
        """Return the (T, D) latents of all rows under the weights of this moment."""
        latents: np.ndarray = super().latents()
        return latents


class Drawn(NamedTuple):
    """A batch: references, positives of each objective, negatives, end to end."""

    rows: Tensor
    noise: Noise | None
    mask: Tensor | None = None

    def split(self, size: int) -> list[Drawn]:
        """Return pieces of so many windows."""
        rows = self.rows.split(size)
        nothing: list[Any] = [None] * len(rows)
        noise = nothing if self.noise is None else self.noise.split(size)
        mask = nothing if self.mask is None else self.mask.split(size)
        return [Drawn(*piece) for piece in zip(rows, noise, mask, strict=True)]


class RecordingObjective(Objective):
    """InfoNCE of the windows of one recording; parameters as of `Training`."""

    network: Network
    most_parts = 64

    def __init__(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        train: np.ndarray,
        heldout: np.ndarray | None,
        pairs: Pairs,
        config: TrainConfig,
        device: torch.device,
        masks: Masks | None = None,
        context: np.ndarray | None = None,
    ) -> None:
        used = train & (segment >= 0)
        if not used.any():
            raise InvalidInput("There is no row to train on; select some.")
        check_changing(values[used])
        self.config, self.device = config, device
        self.n_negatives, self._masks = config.batch_size, masks
        self._values, self._segment, self._used = values, segment, used
        self._standardization = Standardization.fit(values[used], config).to(device)
        initial, self.generator, judge = generators(config.seed, device)
        self.network = build_network(config, values.shape[1], initial).to(device)
        self.criterion = InfoNCE(
            config.temperature,
            config.temperature_mode == "auto",
            config.min_temperature,
            config.distance,
        ).to(device)
        self._context = np.zeros(len(train), bool) if context is None else context
        self._bind(pairs, train, heldout, judge)
        # where windows overlap, rows that nobody may use are multiplied too
        usable = np.where(segment[:, None] >= 0, values, 0)
        x = self._standardization(torch.from_numpy(usable).to(device))
        self._windows = Windows(
            self.network.mean(x),
            self.network.architecture,
            config,
            self.generator,
            getattr(self.sampler, "partners", None),
        )

    def _bind(
        self,
        pairs: Pairs,
        train: np.ndarray,
        heldout: np.ndarray | None,
        judge: Generator,
    ) -> None:
        def fixed_batches(sampler: Sampler) -> list[Drawn]:
            n = self.config.batch_size
            drawn = [sampler.draw(n, judge) for _ in range(_EVALUATION_BATCHES)]
            return [Drawn(end_to_end(batch), None) for batch in drawn]

        def usable(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            seen = (rows | self._context) & (self._segment >= 0)
            stretch = segments(self._segment, seen)
            return complete_rows(stretch, rows, self.network.architecture), stretch

        complete, stretch = usable(train)
        self.sampler = pairs.bind(Rows(complete, stretch), self.device)
        self._judged = {False: fixed_batches(self.sampler), True: []}
        if heldout is not None and np.any(heldout):
            judged = pairs.bind(Rows(*usable(heldout), complete), self.device)
            self._judged[True] = fixed_batches(judged)

    @property
    def compiled(self) -> bool:
        """Whether windows go through compiled code."""
        return self._masks is None and self._windows.compiled(self.network)

    def draw(self) -> Drawn:
        """Draw the rows of one step, and the noise of their windows."""
        batch = self.sampler.draw(self.config.batch_size, self.generator)
        rows = end_to_end(batch)
        noise = self._windows.noise(rows, self.generator)
        if self._masks is None:
            return Drawn(rows, noise)
        n, neurons = self.config.batch_size, self._windows.x.shape[1]
        shape = n, len(self._windows.reach), neurons
        mask = self._masks.draw_parts(len(rows) // n, shape, self.generator)
        return Drawn(rows, noise, mask)

    def loss(self, batch: Drawn, step: int) -> Tensor:
        """Return InfoNCE of a batch."""
        return self._contrast(self._embed(self.network, batch, self.generator))

    def backward(self, batch: Drawn, step: int, parts: int) -> Tensor:
        """Add the gradients of a batch; return its loss."""
        if parts == 1:
            return super().backward(batch, step, parts)
        return backward_in_parts(
            batch.split(-(-len(batch.rows) // parts)),
            lambda piece: self._embed(self.network, piece, self.generator),
            lambda latents: self._contrast(torch.cat(latents)),
            self.generator,
        )

    def data_hash(self) -> str:
        """Return a hash of traces, stretches, and the pairs that are judged."""
        digest = hashlib.sha256(self._values.tobytes())
        digest.update(np.asarray(self._segment, np.int64).tobytes())
        for batches in self._judged.values():
            for batch in batches:
                digest.update(batch.rows.cpu().numpy().tobytes())
        return digest.hexdigest()

    def infonce(self, network: nn.Module, heldout: bool) -> float | None:
        """Return InfoNCE in nats; with hybrid pairs the mean of both objectives."""
        batches = self._judged[heldout]
        if not batches:
            return None
        each = [self._contrast(self._embed(network, batch)) for batch in batches]
        objectives = len(batches[0].rows) // self.config.batch_size - 2
        return float(torch.stack(each).mean()) / objectives

    def model(self, network: nn.Module, log: dict[str, Any]) -> Encoder:
        """Return the encoder with this network."""
        standardization = copy.deepcopy(self._standardization)
        log = {**log, "data_sha256": self._data_hash}
        return Encoder(network, standardization, self.config, log)  # type: ignore[arg-type]

    @cached_property
    def _data_hash(self) -> str:
        return hash_of_values(self._values[self._used])

    def latents(self, network: nn.Module) -> np.ndarray:
        """Return the (T, D) latents of all rows."""
        encoder = Encoder(network, self._standardization, self.config, {})  # type: ignore[arg-type]
        return encoder.transform(self._values, self._segment)

    def _embed(
        self, network: nn.Module, batch: Drawn, generator: Generator | None = None
    ) -> Tensor:
        """One forward for references, positives and negatives together."""
        net: Network = network  # type: ignore[assignment]
        if batch.mask is None:
            return self._windows.embed(net, batch.rows, batch.noise, generator)
        windows = self._windows.of(batch.rows, batch.noise) * batch.mask
        return net.after_mean(windows, generator)[:, 0]

    def _contrast(self, latents: Tensor) -> Tensor:
        parts = latents.split(self.config.batch_size)
        reference, negative = parts[0], parts[-1]
        loss = self.criterion(reference, parts[-2], negative).total
        if len(parts) == 4:
            few = slice(0, HYBRID_DIMENSIONS)
            behavior = reference[:, few], parts[1][:, few], negative[:, few]
            loss = loss + self.criterion(*behavior).total
        return loss


def end_to_end(batch: Batch) -> Tensor:
    """Return references, positives and negatives as one tensor of rows."""
    return torch.cat([batch.reference, *batch.positives, batch.negative])
