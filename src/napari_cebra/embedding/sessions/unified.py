"""One encoder for all recordings: the neurons of all animals side by side."""

from __future__ import annotations

import copy
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_cebra.embedding.architectures import Network
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
from napari_cebra.embedding.sessions.pairs import settings
from napari_cebra.embedding.sessions.session import Session, checked, rows_of
from napari_cebra.embedding.sessions.side_by_side import UnifiedSampler, line_up
from napari_cebra.embedding.sessions.unified_encoder import UnifiedEncoder
from napari_cebra.embedding.stack import embed_windows, steps_of
from napari_cebra.embedding.windows import Noise, Windows
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Generator

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.sessions.pairs import Ties

_EVALUATION_BATCHES = 2


class UnifiedTraining(Loop):
    """One encoder of the neurons of all recordings together.

    References come from one recording, drawn at random in each step; beside
    each stand the rows of the other recordings where the variables are
    nearest, so that all together look like one animal. Positives are drawn in
    each recording as in `ContinuousPairs`. The unified encoder of the
    reference package (0.6.0).

    Parameters
    ----------
    sessions : sequence of Session
        Their pairs are continuous, discrete or mixed.
    config : TrainConfig
    masks : Masks or mapping, optional
        What is hidden of the training windows.
    ties, exclude_self
        As of `SessionTraining`.

    Raises
    ------
    InvalidInput
        If the recordings do not fit together, or have no variables.
    """

    objective: UnifiedObjective

    def __init__(
        self,
        sessions: Sequence[Session],
        config: TrainConfig,
        masks: Masks | Mapping[str, Any] | None = None,
        *,
        ties: Ties | None = None,
        exclude_self: bool | None = None,
    ) -> None:
        with torch_errors():
            objective = UnifiedObjective(
                [checked(s, session) for s, session in enumerate(sessions)],
                config,
                Masks.of(masks),
                ties,
                exclude_self,
            )
            super().__init__(objective, config)

    def model(self) -> UnifiedEncoder:
        """Return the encoder as it is now (with `keep_best`: the best so far)."""
        encoder: UnifiedEncoder = super().model()
        return encoder


class Drawn(NamedTuple):
    """(S, 3 n) references, positives and negatives; what is random in windows."""

    rows: Tensor
    noise: tuple[Noise | None, ...] | None
    mask: Tensor | None

    def split(self, parts: int) -> list[Drawn]:
        """Return so many pieces."""
        size = -(-self.rows.shape[1] // parts)
        rows = self.rows.split(size, 1)
        nothing: list[Any] = [None] * len(rows)
        noise = nothing
        if self.noise is not None:
            each = [nothing if n is None else n.split(size) for n in self.noise]
            noise = list(zip(*each, strict=True))
        mask = nothing if self.mask is None else self.mask.split(size)
        return [Drawn(*piece) for piece in zip(rows, noise, mask, strict=True)]


class UnifiedObjective(Objective):
    """InfoNCE of windows in which all recordings stand side by side."""

    most_parts = 64

    def __init__(
        self,
        sessions: Sequence[Session],
        config: TrainConfig,
        masks: Masks | None,
        ties: Ties | None,
        exclude_self: bool | None,
    ) -> None:
        if not sessions:
            raise InvalidInput("There is no recording to train on; give one or more.")
        first, apart = settings(sessions[0].pairs, ties, exclude_self)
        self.config, self.device = config, resolve_device(config.device)
        self._sessions, self._masks = sessions, masks
        self.n_negatives = config.batch_size
        initial, self.generator, judge = generators(config.seed, self.device)
        neurons = [session.values.shape[1] for session in sessions]
        network = build_network(config, sum(neurons), initial).to(self.device)
        self.network = network
        self.criterion = InfoNCE(
            config.temperature,
            config.temperature_mode == "auto",
            config.min_temperature,
            config.distance,
        ).to(self.device)
        lengths = [len(session.values) for session in sessions]
        starts = [sum(lengths[:s]) for s in range(len(sessions))]
        self._starts = torch.tensor(starts, device=self.device)[:, None]

        def sampler(which: str) -> UnifiedSampler:
            rows = rows_of(sessions, which, network.architecture)
            pairs = [session.pairs for session in sessions]
            linked = line_up(pairs, rows, self.device, apart)
            return UnifiedSampler(linked, first, apart)

        def judged(source: UnifiedSampler) -> list[Drawn]:
            return [
                Drawn(self._rows(source, judge), None, None)
                for _ in range(_EVALUATION_BATCHES)
            ]

        self.sampler = sampler("train_rows")
        self._judged: dict[bool, list[Drawn]] = {False: judged(self.sampler), True: []}
        held = [session.heldout_rows is not None for session in sessions]
        if any(held) and not all(held):
            raise InvalidInput(
                f"Recording {held.index(False)} has no held-out rows, but others have; "
                "hold rows out in all recordings, or in none."
            )
        if all(held):
            self._judged[True] = judged(sampler("heldout_rows"))
        self._scales, self._windows = [], []
        partners = partners_within(self.sampler, starts, config)
        for session, other in zip(sessions, partners, strict=True):
            scale = Standardization.fit(session.values[session.used], config)
            scale = scale.to(self.device)
            x = scale(torch.from_numpy(session.values).to(self.device))
            self._scales.append(scale)
            self._windows.append(
                Windows(
                    network.mean(x), network.architecture, config, self.generator, other
                )
            )

    @property
    def compiled(self) -> bool:
        """Whether windows go through compiled code."""
        return self._windows[0].compiled(self.network)  # type: ignore[arg-type]

    def draw(self) -> Drawn:
        """Draw the rows of one step, and what is random in their windows."""
        rows = self._rows(self.sampler, self.generator)
        noise = tuple(
            window.noise(own, self.generator)
            for window, own in zip(self._windows, rows, strict=True)
        )
        mask = None
        if self._masks is not None:
            # references, positives and negatives: a kind of mask for each
            length = len(self._windows[0].reach)
            neurons = sum(window.x.shape[1] for window in self._windows)
            shape = (self.config.batch_size, length, neurons)
            mask = self._masks.draw_parts(3, shape, self.generator)
        return Drawn(rows, noise, mask)

    def loss(self, batch: Drawn, step: int) -> Tensor:
        """Return InfoNCE of a batch."""
        return self._contrast(self.network, batch, self.generator)

    def backward(self, batch: Drawn, step: int, parts: int) -> Tensor:
        """Add the gradients of a batch; return its loss."""
        if parts == 1:
            return super().backward(batch, step, parts)
        return backward_in_parts(
            batch.split(parts),
            lambda piece: self._embed(self.network, piece, self.generator),
            lambda latents: self.criterion(*torch.cat(latents).chunk(3)).total,
            self.generator,
        )

    def data_hash(self) -> str:
        """Return a hash of all traces, stretches, and the pairs that are judged."""
        digest = hashlib.sha256()
        for session in self._sessions:
            digest.update(session.values.tobytes())
            digest.update(np.asarray(session.segment, np.int64).tobytes())
        for batches in self._judged.values():
            for drawn in batches:
                digest.update(drawn.rows.cpu().numpy().tobytes())
        return digest.hexdigest()

    def infonce(self, network: nn.Module, heldout: bool) -> float | None:
        """Return InfoNCE in nats."""
        batches = self._judged[heldout]
        if not batches:
            return None
        return float(np.mean([float(self._contrast(network, b)) for b in batches]))

    def model(self, network: nn.Module, log: dict[str, Any]) -> UnifiedEncoder:
        """Return the encoder of this network."""
        mean = torch.cat([scale.mean for scale in self._scales])
        scale = torch.cat([scale.scale for scale in self._scales])
        # frames were normalised within each recording
        together = Standardization(mean, scale, self.config.normalize_frames)
        neurons = [session.values.shape[1] for session in self._sessions]
        log = {**log, "neurons": neurons, "data_sha256": self._data_hashes}
        return UnifiedEncoder(
            Encoder(network, copy.deepcopy(together), self.config, log)  # type: ignore[arg-type]
        )

    @cached_property
    def _data_hashes(self) -> list[str]:
        return [hash_of_values(s.values[s.used]) for s in self._sessions]

    def latents(self, network: nn.Module) -> list[np.ndarray]:
        """Return the (T, D) latents of all rows of each recording."""
        model = self.model(network, {})
        values = [session.values for session in self._sessions]
        segments = [session.segment for session in self._sessions]
        pairs = [session.pairs for session in self._sessions]
        return [model.transform(values, segments, pairs, s) for s in range(len(values))]

    def _rows(self, sampler: UnifiedSampler, generator: Generator) -> Tensor:
        n = self.config.batch_size
        reference = sampler.prior(n, generator)
        negative = sampler.prior(n, generator)
        positive = sampler.positive(reference, generator)
        return torch.cat([reference, positive, negative], 1) - self._starts

    def _contrast(
        self, network: nn.Module, drawn: Drawn, generator: Generator | None = None
    ) -> Tensor:
        latents = self._embed(network, drawn, generator)
        loss: Tensor = self.criterion(*latents.chunk(3)).total
        return loss

    def _embed(
        self, network: nn.Module, drawn: Drawn, generator: Generator | None = None
    ) -> Tensor:
        """Return the (n, D) latents of windows that stand side by side."""
        parts = [
            window.of(rows, None if drawn.noise is None else drawn.noise[s])
            for s, (window, rows) in enumerate(
                zip(self._windows, drawn.rows, strict=True)
            )
        ]
        windows = torch.cat(parts, 2)
        if drawn.mask is not None:
            windows = windows * drawn.mask
        assert isinstance(network, Network)
        steps = steps_of(network) if windows.device.type == "cpu" else None
        if steps is not None:
            return embed_windows(network, steps, windows)
        return network.after_mean(windows, generator)[:, 0]
