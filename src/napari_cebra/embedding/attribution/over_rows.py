"""Attribution of latents to neurons, chunk by chunk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.attribution import methods
from napari_cebra.embedding.attribution.config import GRADIENTS, AttributionConfig
from napari_cebra.embedding.attribution.pseudo_inverse import pseudo_inverse
from napari_cebra.embedding.attribution.result import (
    Attribution,
    RoiAttribution,
    map_names,
)
from napari_cebra.embedding.encoder import padded_rows
from napari_cebra.embedding.first_layer import FirstLayer
from napari_cebra.recording import InvalidInput, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_cebra.embedding.encoder import Encoder

_CHUNK_BYTES = 2**26
_REPORT_EVERY = 0.1


def attribute(
    encoder: Encoder,
    values: np.ndarray,
    segment: np.ndarray,
    config: AttributionConfig | None = None,
    rows: np.ndarray | None = None,
) -> Generator[Progress, None, Attribution]:
    """Say for each row how much each neuron has a share in each latent.

    Neurons are taken as the encoder sees them: with a standardised encoder, in
    SDs of each neuron, so that the shares of dim and bright ones can be
    compared. Neurons that never changed in the training rows have no share.
    At a border the edge row is repeated, as in `Encoder.transform`.

    Parameters
    ----------
    encoder : Encoder
    values : (T, N) float
        Traces.
    segment : (T,) int
        Stretch of each row, from `recording.segments`; -1 where none.
    config : AttributionConfig, optional
        Method and its settings; default the Jacobian of all rows.
    rows : (T,) bool, optional
        Rows to attribute; default all that belong to a stretch.

    Yields
    ------
    Progress
        In rows.

    Returns
    -------
    Attribution
        With maps of (rows, latents, neurons). It is as large as that: for a
        long recording set ``max_rows``, or use `attribute_rois`.

    Raises
    ------
    InvalidInput
        If shapes disagree, values are not finite, or there is no row.

    Notes
    -----
    Schneider, González Laiz, Filippova, Frey & Mathis, "Time-series attribution
    maps with regularized contrastive learning", AISTATS 2025.
    """
    config = config or AttributionConfig()
    work = _Work(encoder, values, segment, config, rows)
    shape = (len(work.rows), encoder.output_dimension, encoder.n_neurons)
    maps = {name: np.empty(shape, np.float32) for name in work.names}
    for chunk in work.chunks():
        for name, part in chunk.maps.items():
            maps[name][chunk.at] = part.cpu().numpy()
        if chunk.report is not None:
            yield chunk.report
    return Attribution(config, work.rows, maps)


def attribute_rois(
    encoder: Encoder,
    values: np.ndarray,
    segment: np.ndarray,
    config: AttributionConfig | None = None,
    rows: np.ndarray | None = None,
) -> Generator[Progress, None, RoiAttribution]:
    """Sum up over rows how much each neuron has a share in each latent.

    The same numbers as ``attribute(...)`` and then `Attribution.by_roi`,
    in memory that does not grow with the recording. Parameters and errors
    are those of `attribute`.
    """
    config = config or AttributionConfig()
    work = _Work(encoder, values, segment, config, rows)
    shape = (encoder.output_dimension, encoder.n_neurons)
    maps = {name: np.zeros(shape) for name in work.names}
    for chunk in work.chunks():
        for name, part in chunk.maps.items():
            maps[name] += part.abs().cpu().numpy().sum(axis=0, dtype=np.float64)
        if chunk.report is not None:
            yield chunk.report
    n_rows = len(work.rows)
    return RoiAttribution(config, n_rows, {k: v / n_rows for k, v in maps.items()})


class _Chunk(NamedTuple):
    """Maps of some of the rows, and how far that is, when a report is due."""

    at: slice
    maps: dict[str, Tensor]
    report: Progress | None


class _Work:
    """The rows of one attribution, and the maps of each chunk of them."""

    def __init__(
        self,
        encoder: Encoder,
        values: np.ndarray,
        segment: np.ndarray,
        config: AttributionConfig,
        rows: np.ndarray | None,
    ) -> None:
        self.encoder, self.config = encoder, config
        self.values, asked = _check(encoder, values, segment, rows)
        self.names = map_names(config.method, config.method in GRADIENTS)
        self._rng = np.random.default_rng([config.seed, 0xA77])
        if config.max_rows is not None and config.max_rows < len(asked):
            some = self._rng.permutation(len(asked))[: config.max_rows]
            asked = np.sort(asked[some])
        self.rows = asked
        source, centers = padded_rows(np.asarray(segment), *encoder.receptive_field)
        begins = np.flatnonzero(centers >= 0)
        place = begins[np.searchsorted(centers[begins], asked)]
        self._source, self._place = source, place
        self._length = sum(encoder.receptive_field)
        self._first = FirstLayer.of(encoder.network)
        # where the scale is 0, what the weights make of a neuron was never learnt
        self._learnt = (encoder.standardization.scale != 0).float()

    @torch.no_grad()
    def _maps(self, at: slice) -> dict[str, Tensor]:
        by_frame = self._by_frame(at) * self._learnt
        parts = [by_frame.mean(dim=2), by_frame.abs().mean(dim=2)]
        if len(self.names) > len(parts):
            parts += [pseudo_inverse(part) for part in parts]
        return dict(zip(self.names, parts, strict=True))

    def chunks(self) -> Iterator[_Chunk]:
        """Compute the maps of all rows, some at a time."""
        n, size = len(self.rows), self._chunk_size()
        reported = time.perf_counter()
        for start in range(0, n, size):
            at = slice(start, min(start + size, n))
            maps = self._maps(at)
            report = None
            if time.perf_counter() - reported >= _REPORT_EVERY or at.stop == n:
                report = Progress(at.stop, n, "rows", self.config.method)
                reported = time.perf_counter()
            yield _Chunk(at, maps, report)

    def _chunk_size(self) -> int:
        encoder = self.encoder
        neurons = self._length * encoder.n_neurons
        units = self._length * max(map(len, encoder.network.parameters()))
        per_row = 4 * (3 * encoder.output_dimension * neurons + 8 * units)
        if self.config.method == "feature-ablation":
            windows = neurons if self.config.ablate == "frame" else encoder.n_neurons
            per_row = 4 * min(windows, methods.EVALUATIONS) * 8 * units
        return max(1, _CHUNK_BYTES // per_row)

    def _windows(self, places: np.ndarray) -> Tensor:
        rows = self._source[places[:, None] + np.arange(self._length)]
        x = np.ascontiguousarray(self.values[rows], dtype=np.float32)
        return self.encoder.standardization(torch.from_numpy(x).to(self.encoder.device))

    def _baseline(self, windows: Tensor) -> Tensor:
        if self.config.baseline == "zero":
            return torch.zeros_like(windows)
        return self._windows(self._rng.choice(self._place, len(windows)))

    def _by_frame(self, at: slice) -> Tensor:
        config, first = self.config, self._first
        windows = self._windows(self._place[at])
        if config.method in GRADIENTS:
            return methods.gradients(first, windows)
        if config.method == "neuron-gradient-shap":
            return methods.gradient_shap(first, self._draws(windows))
        baseline = self._baseline(windows)
        if config.method == "integrated-gradients":
            return methods.integrated_gradients(
                first, windows, baseline, config.n_steps
            )
        by_frame = config.ablate == "frame"
        return methods.feature_ablation(first, windows, baseline, by_frame)

    def _draws(self, windows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        def on_device(drawn: np.ndarray) -> Tensor:
            return torch.from_numpy(drawn).to(windows.device)

        for _ in range(self.config.n_samples):
            noisy = windows
            if self.config.noise > 0:
                drawn = self._rng.standard_normal(windows.shape, np.float32)
                noisy = windows + self.config.noise * on_device(drawn)
            share = on_device(self._rng.random(len(windows), np.float32))
            yield noisy, self._baseline(windows), share


def _check(
    encoder: Encoder, values: np.ndarray, segment: np.ndarray, rows: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the traces, and the row numbers that are asked for."""
    values, segment = np.asarray(values), np.asarray(segment)
    if values.ndim != 2 or values.shape[1] != encoder.n_neurons:
        raise InvalidInput(
            f"The encoder was trained on {encoder.n_neurons} ROIs, but these traces "
            f"have shape {values.shape}; use the ROIs it was trained on."
        )
    asked = segment >= 0
    for what, part in (("stretch numbers", segment), ("row flags", rows)):
        if part is not None and np.shape(part) != (len(values),):
            raise InvalidInput(
                f"There are {len(values)} rows of traces but {np.size(part)} {what}."
            )
    bad = np.flatnonzero(asked)[~np.isfinite(values[asked]).all(axis=1)]
    if bad.size:
        raise InvalidInput(
            f"The traces hold NaN or infinity in {bad.size} rows (first: row "
            f"{bad[0]}); mark those rows as not valid, or mend them."
        )
    if rows is not None:
        asked = asked & np.asarray(rows, bool)
    if not asked.any():
        raise InvalidInput(
            "There is no row to attribute; choose rows that belong to a stretch."
        )
    return values, np.flatnonzero(asked)
