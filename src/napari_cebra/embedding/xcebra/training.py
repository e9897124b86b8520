"""Training with a penalty on the Jacobian, and with objectives on subspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.first_layer import FirstLayer
from napari_cebra.embedding.loop import Loop, torch_errors
from napari_cebra.embedding.training import Drawn, RecordingObjective
from napari_cebra.embedding.windows import Noise, check_rows
from napari_cebra.embedding.xcebra.config import Subspace, XcebraConfig
from napari_cebra.embedding.xcebra.penalty import jacobian_penalty, random_directions
from napari_cebra.embedding.xcebra.shared import SharedPairs
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.encoder import Encoder
    from napari_cebra.embedding.pairs import Pairs


class XcebraTraining(Loop):
    """One encoder with several objectives, a penalty on its Jacobian, or both.

    The same seed, on the CPU with the same number of threads, gives the same
    bits; see `Loop`. The losses it reports are the weighted sum of the
    objectives and the penalty; goodness of fit is of the objectives alone,
    their weighted mean.

    Parameters
    ----------
    values, segment, train_rows, heldout_rows
        As of `Training`.
    pairs : sequence of Pairs
        One for each of ``xcebra.subspaces`` (one, if there are none). They
        share references and negatives.
    config : TrainConfig
    xcebra : XcebraConfig

    Raises
    ------
    InvalidInput
        If shapes or numbers disagree, or no pair can be drawn.

    Notes
    -----
    Schneider, González Laiz, Filippova, Frey & Mathis, "Time-series attribution
    maps with regularized contrastive learning", AISTATS 2025.
    """

    def __init__(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        train_rows: np.ndarray,
        heldout_rows: np.ndarray | None,
        pairs: Sequence[Pairs],
        config: TrainConfig,
        xcebra: XcebraConfig,
    ) -> None:
        device = resolve_device(config.device)
        values, segment = check_rows(values, segment, train_rows, heldout_rows)
        train = np.asarray(train_rows, bool)
        held = None if heldout_rows is None else np.asarray(heldout_rows, bool)
        subspaces = _subspaces(xcebra, len(pairs), config.output_dimension)
        with torch_errors():
            objective = XcebraObjective(
                values,
                segment,
                train,
                held,
                SharedPairs(tuple(pairs)),
                config,
                device,
            )
            objective.configure(xcebra, subspaces)
            super().__init__(objective, config)

    def model(self) -> Encoder:
        """Return the encoder as it is now (with `keep_best`: the best so far)."""
        encoder: Encoder = super().model()
        return encoder


class XcebraObjective(RecordingObjective):
    """Objectives on subspaces of one recording's latents, and the penalty."""

    def configure(self, xcebra: XcebraConfig, subspaces: tuple[Subspace, ...]) -> None:
        """Say what is computed beyond one objective on all latents."""
        self.xcebra, self.subspaces = xcebra, subspaces
        counts = torch.zeros(self.config.output_dimension, device=self.device)
        for part in subspaces:
            counts[part.start : part.stop] += 1
        self._counts = counts

    @property
    def compiled(self) -> bool:
        """No: the penalty is not."""
        return False

    def loss(self, batch: Drawn, step: int) -> Tensor:
        """Return the weighted objectives, and the penalty at its weight."""
        loss = super().loss(batch, step)
        weight = self.xcebra.weight(step)
        return loss + weight * self.penalty(batch) if weight > 0 else loss

    def backward(self, batch: Drawn, step: int, parts: int) -> Tensor:
        """Add the gradients of a batch; return its loss.

        The penalty is a mean over references, so that of the whole is the
        mean of those of its parts, weighted by their lengths.
        """
        loss = super().backward(batch, step, parts)
        weight = self.xcebra.weight(step)
        if parts == 1 or weight <= 0:
            return loss
        n = self.config.batch_size
        size = -(-n // parts)
        pieces = Drawn(batch.rows[:n], _first(batch.noise, n)).split(size)
        directions = self._directions(n)
        for k, piece in enumerate(pieces):
            some = None
            if directions is not None:
                some = directions[:, k * size : (k + 1) * size]
            share = weight * len(piece.rows) / n
            part = share * self._penalty(piece.rows, piece.noise, some)
            part.backward()
            loss = loss + part.detach()
        return loss

    def penalty(self, batch: Drawn) -> Tensor:
        """Return half the squared Jacobian of the references, as they are seen.

        Each latent counts as often as there are objectives on it.
        """
        n = self.config.batch_size
        noise = _first(batch.noise, n)
        return self._penalty(batch.rows[:n], noise, self._directions(n))

    def _directions(self, n: int) -> Tensor | None:
        """Draw the directions that n Jacobians are seen from; None for all."""
        if self.xcebra.projections is None:
            return None
        like = self._counts.expand(n, -1)
        return random_directions(self.xcebra.projections, like, self.generator)

    def _penalty(
        self, rows: Tensor, noise: Noise | None, directions: Tensor | None
    ) -> Tensor:
        windows = self._windows.of(rows, noise)
        first = FirstLayer.of(self.network)

        def latents(units: Tensor) -> Tensor:
            return self._renormalized(first.rest(units))

        units = first.units(windows, averaged=True)
        return jacobian_penalty(first, units, latents, self._counts, directions)

    def infonce(self, network: nn.Module, heldout: bool) -> float | None:
        """Return InfoNCE in nats, the weighted mean of the objectives."""
        batches = self._judged[heldout]
        if not batches:
            return None
        each = [self._contrast(self._embed(network, batch)) for batch in batches]
        total = sum(part.weight for part in self.subspaces)
        return float(torch.stack(each).mean()) / total

    def model(self, network: nn.Module, log: dict[str, Any]) -> Encoder:
        """Return the encoder with this network."""
        return super().model(network, {**log, "xcebra": self.xcebra.to_dict()})

    def _contrast(self, latents: Tensor) -> Tensor:
        latents = self._renormalized(latents)
        reference, *positives, negative = latents.split(self.config.batch_size)
        losses = []
        for part, positive in zip(self.subspaces, positives, strict=True):
            some = slice(part.start, part.stop)
            triple = reference[:, some], positive[:, some], negative[:, some]
            losses.append(part.weight * self.criterion(*triple).total)
        return torch.stack(losses).sum()

    def _renormalized(self, latents: Tensor) -> Tensor:
        if not self.xcebra.renormalize:
            return latents
        return renormalized(latents, self.subspaces)


def _first(noise: Noise | None, n: int) -> Noise | None:
    """Return what is random in the first n windows."""
    if noise is None:
        return None
    return Noise(*(None if part is None else part[:n] for part in noise))


def renormalized(latents: Tensor, subspaces: Sequence[Subspace]) -> Tensor:
    """Divide each part of (n, D) latents between two borders by its length."""
    parts = latents.split(_widths(subspaces, latents.shape[1]), dim=1)
    return torch.cat([F.normalize(part, dim=1) for part in parts], dim=1)


def _widths(subspaces: Sequence[Subspace], n_latents: int) -> list[int]:
    """Return how many latents lie between two borders of subspaces."""
    borders = {0, n_latents}
    for part in subspaces:
        borders |= {part.start, part.stop}
    return np.diff(sorted(borders)).tolist()


def _subspaces(
    xcebra: XcebraConfig, n_pairs: int, n_latents: int
) -> tuple[Subspace, ...]:
    subspaces = xcebra.subspaces or (Subspace(0, n_latents),)
    if len(subspaces) != n_pairs:
        raise InvalidInput(
            f"There are {len(subspaces)} objectives but {n_pairs} kinds of pairs; give "
            "each objective its own."
        )
    last = max(part.stop for part in subspaces)
    if last > n_latents:
        raise InvalidInput(
            f"A subspace ends at latent {last}, but there are {n_latents}; use more "
            "latents or a smaller subspace."
        )
    if xcebra.renormalize and 1 in _widths(subspaces, n_latents):
        raise InvalidInput(
            "Between two borders of the subspaces lies a single latent, of which "
            "renormalising leaves only the sign; use at least two in each part, or do "
            "not renormalise."
        )
    return subspaces
