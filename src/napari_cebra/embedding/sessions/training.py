"""Training one encoder for each of several recordings, with one loss."""

from __future__ import annotations

import copy
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import (
    Encoder,
    Standardization,
    build_network,
    hash_of_values,
)
from napari_cebra.embedding.in_parts import backward_in_parts
from napari_cebra.embedding.loop import Loop, torch_errors
from napari_cebra.embedding.losses import InfoNCE
from napari_cebra.embedding.masks import Masks
from napari_cebra.embedding.mixing import partners_within
from napari_cebra.embedding.objective import Objective, generators
from napari_cebra.embedding.sessions.encoders import MultiEncoder
from napari_cebra.embedding.sessions.pairs import SessionBatch, Ties, bind_sessions
from napari_cebra.embedding.sessions.session import Session, checked, rows_of
from napari_cebra.embedding.training import HYBRID_DIMENSIONS
from napari_cebra.embedding.windows import Noise, Windows
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cebra.embedding.architectures import Architecture, Network
    from napari_cebra.embedding.config import TrainConfig

_EVALUATION_BATCHES = 2


class SessionTraining(Loop):
    """One encoder for each recording, trained with one loss over all of them.

    Multi-session training of Schneider, Lee & Mathis, Nature 2023: positives
    are looked for in any of the recordings, so latents of the same values of
    the variables come to lie together. Chance is the logarithm of the batch
    size times the number of recordings.

    Parameters
    ----------
    sessions : sequence of Session
        Two or more.
    config : TrainConfig
        `batch_size` references are drawn from each recording.
    ties : {"random", "first"}, optional
        Which of several equally near rows is the positive; by default as the
        pairs say.
    exclude_self : bool, optional
        No row is its own positive; by default as the pairs say.
    full_batch : bool
        Take every usable row of every recording in each step; `batch_size` is
        not used then.
    masks : Masks or mapping, optional
        What is hidden of the training windows.
    networks : sequence of Network, optional
        Start from these (see `adapt`), not from random weights.

    Raises
    ------
    InvalidInput
        If the recordings do not fit together; the text names the recording.
    """

    objective: SessionObjective

    def __init__(
        self,
        sessions: Sequence[Session],
        config: TrainConfig,
        *,
        ties: Ties | None = None,
        exclude_self: bool | None = None,
        full_batch: bool = False,
        masks: Masks | Mapping[str, Any] | None = None,
        networks: Sequence[Network] | None = None,
    ) -> None:
        device = resolve_device(config.device)
        with torch_errors():
            objective = SessionObjective(
                [checked(s, session) for s, session in enumerate(sessions)],
                config,
                device,
                (ties, exclude_self, full_batch),
                networks,
                Masks.of(masks),
            )
            super().__init__(objective, config)

    def model(self) -> MultiEncoder:
        """Return the encoders as they are now (with `keep_best`: the best so far)."""
        encoders: MultiEncoder = super().model()
        return encoders

    def latents(self) -> list[np.ndarray]:
        """Return the (T, D) latents of all rows of each recording."""
        latents: list[np.ndarray] = super().latents()
        return latents


class Drawn(NamedTuple):
    """The rows of a step, and the noise of each recording's windows."""

    batch: SessionBatch
    noise: tuple[Noise | None, ...] | None
    masks: tuple[Tensor, ...] | None = None


class Piece(NamedTuple):
    """Windows of one recording."""

    session: int
    rows: Tensor
    noise: Noise | None
    mask: Tensor | None


class SessionObjective(Objective):
    """InfoNCE over the windows of several recordings."""

    network: nn.ModuleList
    most_parts = 64

    def __init__(
        self,
        sessions: Sequence[Session],
        config: TrainConfig,
        device: torch.device,
        drawing: tuple[Ties | None, bool | None, bool],
        networks: Sequence[Network] | None = None,
        masks: Masks | None = None,
    ) -> None:
        if not sessions:
            raise InvalidInput("There is no recording to train on; give one or more.")
        self.config, self.device, self._sessions = config, device, sessions
        initial, self.generator, judge = generators(config.seed, device)
        if networks is None:
            networks = [
                build_network(config, session.values.shape[1], initial)
                for session in sessions
            ]
        self.network = nn.ModuleList(networks).to(device)
        self.criterion = InfoNCE(
            config.temperature,
            config.temperature_mode == "auto",
            config.min_temperature,
            config.distance,
        ).to(device)
        lengths = [len(session.values) for session in sessions]
        self._starts = [sum(lengths[:s]) for s in range(len(sessions))]
        self._bind(networks[0].architecture, drawing, judge)
        partners = partners_within(self.sampler, self._starts, config)
        self._standardizations, self._windows = [], []
        for session, network, other in zip(sessions, networks, partners, strict=True):
            scale = Standardization.fit(session.values[session.used], config)
            scale = scale.to(device)
            x = scale(torch.from_numpy(session.values).to(device))
            self._standardizations.append(scale)
            self._windows.append(
                Windows(
                    network.mean(x), network.architecture, config, self.generator, other
                )
            )
        self._masks = masks

    def _bind(
        self,
        architecture: Architecture,
        drawing: tuple[Ties | None, bool | None, bool],
        judge: torch.Generator,
    ) -> None:
        ties, exclude_self, full_batch = drawing
        self._n = None if full_batch else self.config.batch_size
        sessions = self._sessions
        pairs = [session.pairs for session in sessions]

        def judged(sampler: Any) -> list[Drawn]:
            count = 1 if full_batch else _EVALUATION_BATCHES
            return [Drawn(sampler.draw(self._n, judge), None) for _ in range(count)]

        self.sampler = bind_sessions(
            pairs,
            rows_of(sessions, "train_rows", architecture),
            self.device,
            ties,
            exclude_self,
        )
        self._judged = {False: judged(self.sampler), True: []}
        self.n_negatives = len(self._judged[False][0].batch.negative)
        held = [session.heldout_rows is not None for session in sessions]
        if any(held):
            if not all(held):
                raise InvalidInput(
                    f"Recording {held.index(False)} has no held-out rows, but others "
                    "have; hold rows out in all recordings, or in none."
                )
            sampler = bind_sessions(
                pairs,
                rows_of(sessions, "heldout_rows", architecture),
                self.device,
                ties,
                exclude_self,
            )
            self._judged[True] = judged(sampler)

    @property
    def compiled(self) -> bool:
        """Whether windows of all recordings go through compiled code."""
        each = zip(self._windows, self.network, strict=True)
        return self._masks is None and all(
            windows.compiled(own)  # type: ignore[arg-type]
            for windows, own in each
        )

    def draw(self) -> Drawn:
        """Draw the rows of one step, and the noise of their windows."""
        batch = self.sampler.draw(self._n, self.generator)
        noise = tuple(
            window.noise(rows, self.generator)
            for window, rows in zip(self._windows, self._rows(batch), strict=True)
        )
        return Drawn(batch, noise, self._hidden(batch))

    def _hidden(self, batch: SessionBatch) -> tuple[Tensor, ...] | None:
        """Draw masks: a kind for each part of the batch in each recording."""
        if self._masks is None:
            return None
        parts = len(batch.positives) + 2
        return tuple(
            self._masks.draw_parts(
                parts, (size, len(window.reach), window.x.shape[1]), self.generator
            )
            for window, size in zip(self._windows, batch.sizes, strict=True)
        )

    def loss(self, batch: Drawn, step: int) -> Tensor:
        """Return InfoNCE of a batch, over all recordings."""
        return self._contrast(self.network, batch, self.generator)

    def backward(self, batch: Drawn, step: int, parts: int) -> Tensor:
        """Add the gradients of a batch; return its loss."""
        if parts == 1:
            return super().backward(batch, step, parts)
        pieces = [p for whole in self._pieces(batch) for p in _split(whole, parts)]

        def loss_of(latents: list[Tensor]) -> Tensor:
            each: list[list[Tensor]] = [[] for _ in self._sessions]
            for piece, some in zip(pieces, latents, strict=True):
                each[piece.session].append(some)
            return self._loss([torch.cat(some) for some in each], batch.batch)

        def embed(piece: Piece) -> Tensor:
            return self._embed(self.network, piece, self.generator)

        return backward_in_parts(pieces, embed, loss_of, self.generator)

    def data_hash(self) -> str:
        """Return a hash of all traces, stretches, and the pairs that are judged."""
        digest = hashlib.sha256()
        for session in self._sessions:
            digest.update(session.values.tobytes())
            digest.update(np.asarray(session.segment, np.int64).tobytes())
        for batches in self._judged.values():
            for drawn in batches:
                for rows in self._rows(drawn.batch):
                    digest.update(rows.cpu().numpy().tobytes())
        return digest.hexdigest()

    def infonce(self, network: nn.Module, heldout: bool) -> float | None:
        """Return InfoNCE in nats; with hybrid pairs the mean of both objectives."""
        batches = self._judged[heldout]
        if not batches:
            return None
        each = []
        for drawn in batches:
            loss = float(self._contrast(network, drawn)) / len(drawn.batch.positives)
            # full batches: held-out rows are fewer, and so is chance
            chance = np.log(self.n_negatives / len(drawn.batch.negative))
            each.append(loss + chance)
        return float(np.mean(each))

    def model(self, network: nn.Module, log: dict[str, Any]) -> MultiEncoder:
        """Return one encoder for each recording."""
        log = {**log, "data_sha256": self._data_hashes}
        return MultiEncoder(self._encoders(network, log))

    @cached_property
    def _data_hashes(self) -> list[str]:
        return [hash_of_values(s.values[s.used]) for s in self._sessions]

    def latents(self, network: nn.Module) -> list[np.ndarray]:
        """Return the (T, D) latents of all rows of each recording."""
        return [
            encoder.transform(session.values, session.segment)
            for encoder, session in zip(
                self._encoders(network, {}), self._sessions, strict=True
            )
        ]

    def _encoders(self, network: nn.Module, log: dict[str, Any]) -> tuple[Encoder, ...]:
        assert isinstance(network, nn.ModuleList)
        return tuple(
            Encoder(one, copy.deepcopy(scale), self.config, log)  # type: ignore[arg-type]
            for one, scale in zip(network, self._standardizations, strict=True)
        )

    def _rows(self, batch: SessionBatch) -> list[Tensor]:
        """Return the rows of each recording: references, positives, negatives."""
        parts = [batch.reference, *batch.positives, batch.negative]
        split = [part.split(list(batch.sizes)) for part in parts]
        return [
            torch.cat([part[s] for part in split]) - start
            for s, start in enumerate(self._starts)
        ]

    def _pieces(self, drawn: Drawn) -> list[Piece]:
        """Return the windows of a batch, by recording."""
        nothing = (None,) * len(self._sessions)
        each = zip(
            self._rows(drawn.batch),
            drawn.noise or nothing,
            drawn.masks or nothing,
            strict=True,
        )
        return [Piece(s, *parts) for s, parts in enumerate(each)]

    def _contrast(
        self,
        network: nn.Module,
        drawn: Drawn,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        # One recording after the other: what a layer makes of one then stays in
        # the cache, worth more than one product for all (measured, two cores).
        latents = [self._embed(network, p, generator) for p in self._pieces(drawn)]
        return self._loss(latents, drawn.batch)

    def _embed(
        self,
        network: nn.Module,
        piece: Piece,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the (n, D) latents of windows of one recording."""
        assert isinstance(network, nn.ModuleList)
        own: Network = network[piece.session]  # type: ignore[assignment]
        windows = self._windows[piece.session]
        if piece.mask is None:
            return windows.embed(own, piece.rows, piece.noise, generator)
        x = windows.of(piece.rows, piece.noise) * piece.mask
        return own.after_mean(x, generator)[:, 0]

    def _loss(self, latents: list[Tensor], batch: SessionBatch) -> Tensor:
        """Return InfoNCE of the latents of each recording."""
        split = [z.split(size) for z, size in zip(latents, batch.sizes, strict=True)]
        parts = [torch.cat(part) for part in zip(*split, strict=True)]
        reference, negative = parts[0], parts[-1]
        loss = reference.new_zeros(())
        for k, order in enumerate(batch.orders):
            positive = parts[k + 1] if order is None else parts[k + 1][order]
            if k == 0 and len(batch.orders) == 2:  # hybrid: behaviour
                few = slice(0, HYBRID_DIMENSIONS)
                some = reference[:, few], positive[:, few], negative[:, few]
                loss = loss + self.criterion(*some).total
            else:
                loss = loss + self.criterion(reference, positive, negative).total
        return loss


def _split(whole: Piece, parts: int) -> list[Piece]:
    """Part the windows of one recording."""
    size = -(-len(whole.rows) // parts)
    rows = whole.rows.split(size)
    nothing: list[Any] = [None] * len(rows)
    noise = nothing if whole.noise is None else whole.noise.split(size)
    mask = nothing if whole.mask is None else whole.mask.split(size)
    return [
        Piece(whole.session, *piece) for piece in zip(rows, noise, mask, strict=True)
    ]
