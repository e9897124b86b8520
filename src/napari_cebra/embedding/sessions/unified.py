"""One encoder for all recordings: the neurons of all animals side by side."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from napari_cebra.embedding.architectures import Network
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization, build_network
from napari_cebra.embedding.loop import Loop, torch_errors
from napari_cebra.embedding.losses import InfoNCE
from napari_cebra.embedding.objective import Objective, generators
from napari_cebra.embedding.pairs import HybridPairs, Pairs, Rows, TimePairs
from napari_cebra.embedding.pairs.rows import below
from napari_cebra.embedding.sessions.contrast import contrast
from napari_cebra.embedding.sessions.masks import Masks
from napari_cebra.embedding.sessions.training import Session, checked, rows_of
from napari_cebra.embedding.sessions.variables import Linked, link
from napari_cebra.embedding.stack import embed_windows, steps_of
from napari_cebra.embedding.windows import Noise, Windows
from napari_cebra.recording import InvalidInput, complete_windows, window_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Generator

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.sessions.pairs import Ties

_EVALUATION_BATCHES = 2
_CHUNK = 2**23


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
        ties: Ties = "random",
        exclude_self: bool = True,
    ) -> None:
        if masks is not None and not isinstance(masks, Masks):
            masks = Masks(dict(masks))
        with torch_errors():
            objective = UnifiedObjective(
                [checked(s, session) for s, session in enumerate(sessions)],
                config,
                masks if masks is not None and masks.values else None,
                ties == "first",
                exclude_self,
            )
            super().__init__(objective, config)

    def model(self) -> UnifiedEncoder:
        """Return the encoder as it is now (with `keep_best`: the best so far)."""
        encoder: UnifiedEncoder = super().model()
        return encoder


@dataclass(frozen=True, eq=False)
class UnifiedSampler:
    """Rows of all recordings that stand side by side."""

    linked: Linked
    first: bool
    exclude_self: bool

    def prior(self, n: int, generator: Generator) -> Tensor:
        """Draw (S, n) rows, counted through all recordings."""
        pools = self.linked.pools
        device = self.linked.values.device
        count = torch.tensor([len(pool.rows) for pool in pools], device=device)
        start = count.cumsum(0) - count
        chosen = torch.randint(len(pools), (1,), generator=generator, device=device)
        pick = start[chosen] + below(count[chosen].expand(n), generator)
        rows = torch.cat([pool.rows for pool in pools])[pick]
        return self.beside(rows, chosen, generator)

    def beside(self, rows: Tensor, session: Tensor, generator: Generator) -> Tensor:
        """Return (S, n): rows of one recording, and the nearest of all others."""
        n, sessions = len(rows), len(self.linked.pools)
        query = self.linked.values[rows].repeat(sessions, 1)
        found = self.linked.nearest(query, (n,) * sessions, generator, self.first)
        own = torch.arange(sessions, device=rows.device) == session
        return torch.where(own[:, None], rows, found.view(sessions, n))

    def positive(self, reference: Tensor, generator: Generator) -> Tensor:
        """Draw a positive of each of (S, n) rows in its own recording."""
        flat = reference.flatten()
        query = self.linked.values[flat] + self.linked.delta(len(flat), generator)
        sizes = (reference.shape[1],) * len(reference)
        excluded = flat if self.exclude_self else None
        found = self.linked.nearest(query, sizes, generator, self.first, excluded)
        return found.view_as(reference)


class Drawn(NamedTuple):
    """(S, 3 n) references, positives and negatives; what is random in windows."""

    rows: Tensor
    noise: tuple[Noise | None, ...] | None
    mask: Tensor | None


class UnifiedObjective(Objective):
    """InfoNCE of windows in which all recordings stand side by side."""

    def __init__(
        self,
        sessions: Sequence[Session],
        config: TrainConfig,
        masks: Masks | None,
        first: bool,
        exclude_self: bool,
    ) -> None:
        if not sessions:
            raise InvalidInput("There is no recording to train on; give one or more.")
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
        self._scales, self._windows, starts = [], [], [0]
        for session in sessions:
            scale = Standardization.fit(session.values[session.used], config)
            scale = scale.to(self.device)
            x = scale(torch.from_numpy(session.values).to(self.device))
            self._scales.append(scale)
            self._windows.append(
                Windows(network.mean(x), network.architecture, config, self.generator)
            )
            starts.append(starts[-1] + len(session.values))
        self._starts = torch.tensor(starts[:-1], device=self.device)[:, None]

        def sampler(which: str) -> UnifiedSampler:
            rows = rows_of(sessions, which, network.architecture)
            pairs = [session.pairs for session in sessions]
            linked = _linked(pairs, rows, self.device, exclude_self)
            return UnifiedSampler(linked, first, exclude_self)

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

    def draw(self) -> Drawn:
        """Draw the rows of one step, and what is random in their windows."""
        rows = self._rows(self.sampler, self.generator)
        noise = mask = None
        if self.config.input_dropout:
            noise = tuple(
                window.noise(own, self.generator)
                for window, own in zip(self._windows, rows, strict=True)
            )
        if self._masks is not None:
            # references, positives and negatives: a kind of mask for each
            length = len(self._windows[0].reach)
            neurons = sum(window.x.shape[1] for window in self._windows)
            shape = (self.config.batch_size, length, neurons)
            parts = [
                self._masks.draw(shape, self.generator).expand(shape) for _ in range(3)
            ]
            mask = torch.cat(parts)
        return Drawn(rows, noise, mask)

    def loss(self, batch: Drawn, step: int) -> Tensor:
        """Return InfoNCE of a batch."""
        return self._contrast(self.network, batch, self.generator)

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
        log = {**log, "neurons": neurons}
        return UnifiedEncoder(
            Encoder(network, copy.deepcopy(together), self.config, log)  # type: ignore[arg-type]
        )

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
        parts = [
            window.time_first(rows, None if drawn.noise is None else drawn.noise[s])
            for s, (window, rows) in enumerate(
                zip(self._windows, drawn.rows, strict=True)
            )
        ]
        windows = torch.cat(parts, 2)
        if drawn.mask is not None:
            windows = windows * drawn.mask.transpose(0, 1)
        assert isinstance(network, Network)
        steps = steps_of(network) if windows.device.type == "cpu" else None
        if steps is not None:
            latents = embed_windows(network, steps, windows)
        else:
            latents = network.after_mean(windows.transpose(0, 1), generator)[:, 0]
        return contrast(self.criterion, *latents.chunk(3))


@dataclass(frozen=True, eq=False)
class UnifiedEncoder:
    """Maps the neurons of all recordings together to latents.

    Parameters
    ----------
    encoder : Encoder
        Of the neurons of all recordings side by side.
    """

    encoder: Encoder

    @property
    def n_neurons(self) -> tuple[int, ...]:
        """Number of ROIs of each recording."""
        return tuple(self.encoder.training["neurons"])

    @torch.no_grad()
    def transform(
        self,
        values: Sequence[np.ndarray],
        segments: Sequence[np.ndarray],
        pairs: Sequence[Pairs],
        session: int,
    ) -> np.ndarray:
        """Return the latents of one recording.

        Beside the window of each of its rows stand those of the nearest rows of
        the other recordings, as while training.

        Parameters
        ----------
        values : one (T, N) float a recording
        segments : one (T,) int a recording
        pairs : one Pairs a recording
            Over the variables that link them.
        session : int
            The recording whose rows are embedded.

        Returns
        -------
        (T, D) float32
            NaN where the row is in no stretch, or its variables are not known.

        Raises
        ------
        InvalidInput
            If the recordings are not those it was trained on.
        """
        shapes = tuple(np.shape(v)[-1] for v in values)
        if shapes != self.n_neurons or not 0 <= session < len(values):
            raise InvalidInput(
                f"The encoder was trained on recordings of {self.n_neurons} ROIs; give "
                f"all of them, in that order, and one of their numbers from 0 (not "
                f"{shapes} and {session})."
            )
        left, right = self.encoder.receptive_field
        rows = []
        for s, segment in enumerate(segments):
            whole = complete_windows(segment, left, right)
            rows.append(Rows(segment >= 0 if s == session else whole, segment))
        device = self.encoder.device
        linked = _linked(pairs, rows, device, exclude_self=False)
        sampler = UnifiedSampler(linked, first=True, exclude_self=False)
        start = sum(len(v) for v in values[:session])
        own = linked.pools[session].rows
        generator = torch.Generator(device)  # the first of ties: nothing is drawn
        found = sampler.beside(own, torch.tensor(session, device=device), generator)
        latents = np.full(
            (len(values[session]), self.encoder.output_dimension), np.nan, np.float32
        )
        chunk = max(1, _CHUNK // (sum(shapes) * (left + right)))
        for low in range(0, len(own), chunk):
            part = found[:, low : low + chunk].cpu().numpy()
            latents[part[session] - start] = self._of(values, segments, part)
        return latents

    def _of(
        self,
        values: Sequence[np.ndarray],
        segments: Sequence[np.ndarray],
        rows: np.ndarray,
    ) -> np.ndarray:
        """Return the latents of (S, n) rows that stand side by side."""
        device, scale = self.encoder.device, self.encoder.standardization
        first = start = 0
        parts = []
        for s, (v, segment) in enumerate(zip(values, segments, strict=True)):
            neurons = slice(first, first + v.shape[1])
            one = Standardization(
                scale.mean[neurons], scale.scale[neurons], scale.normalize_frames
            )
            where = window_rows(segment, *self.encoder.receptive_field)[rows[s] - start]
            x = np.ascontiguousarray(v[where], dtype=np.float32)
            parts.append(one(torch.from_numpy(x).to(device)))
            first, start = first + v.shape[1], start + len(v)
        found: np.ndarray = (
            self.encoder.network(torch.cat(parts, 2))[:, 0].cpu().numpy()
        )
        return found

    def save(self, path: str | Path) -> None:
        """Write it to a file, as `Encoder.save` does."""
        self.encoder.save(path)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> UnifiedEncoder:
        """Open a file that `save` wrote.

        Raises
        ------
        InvalidInput
            If it is not such a file.
        """
        encoder = Encoder.load(path, device)
        neurons = encoder.training.get("neurons")
        if not isinstance(neurons, list) or sum(neurons) != encoder.n_neurons:
            raise InvalidInput(
                f"{path} holds the encoder of one recording, not of several together; "
                "choose another file."
            )
        return cls(encoder)


def _linked(
    pairs: Sequence[Pairs],
    rows: Sequence[Rows],
    device: torch.device,
    exclude_self: bool,
) -> Linked:
    if any(isinstance(rule, TimePairs | HybridPairs) for rule in pairs):
        raise InvalidInput(
            "The unified encoder lines recordings up by a variable, so it cannot be "
            "trained on time; choose a continuous or discrete variable."
        )
    return link(pairs, rows, device, exclude_self)
