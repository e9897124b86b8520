"""A trained encoder: traces in, latents out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_cebra.embedding.architectures import Network, parse
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.stack import slide
from napari_cebra.embedding.weights_file import FileKind, group, named
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator

FILE = FileKind(
    "napari-cebra encoder", 3, "encoder file", "export it again, or train again"
)
"""Since version 2 the header says what the file was written with, since 3 its sum."""

# A CPU is quickest with what its cache holds, a GPU with much at once.
_CHUNK_BYTES = {"cpu": 2**22, "cuda": 2**25, "mps": 2**25}
_SMALLEST_CHUNK = 64


class Standardization(nn.Module):
    """Each neuron by mean and SD; each frame, on request, by its length.

    Parameters
    ----------
    mean, scale : (N,) float32
        ``(x - mean) * scale``.
    normalize_frames : bool
        Then divide each frame by its root mean square over neurons.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, normalize_frames: bool) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.normalize_frames = normalize_frames

    @classmethod
    def fit(cls, values: np.ndarray, config: TrainConfig) -> Standardization:
        """Measure mean and SD on (n, N) training rows.

        A neuron that never changes in them gets the scale 0: what it does
        elsewhere was never learnt.
        """
        n = values.shape[1]
        mean, scale = np.zeros(n, np.float32), np.ones(n, np.float32)
        if config.standardize:
            mean = values.mean(axis=0, dtype=np.float64).astype(np.float32)
            sd = values.std(axis=0, dtype=np.float64)
            constant = sd <= 1e-6 * np.abs(mean)
            scale = np.where(constant, 0, 1 / np.where(constant, 1, sd))
        return cls(
            torch.from_numpy(mean),
            torch.from_numpy(scale.astype(np.float32)),
            config.normalize_frames,
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return the (…, N) values as the network sees them."""
        x = (values - self.mean).mul_(self.scale)
        if self.normalize_frames:
            square = x.square().mean(dim=-1, keepdim=True)
            x = x * torch.rsqrt(square + 1e-6)
        return x


def check_changing(values: np.ndarray) -> None:
    """Raise InvalidInput if none of the ROIs changes in (n, N) training rows."""
    if np.array_equal(values.max(axis=0), values.min(axis=0)):
        raise InvalidInput(
            f"None of the {values.shape[1]} ROIs changes in the {len(values)} rows to "
            "train on, so there is nothing to learn; check the traces, or use other "
            "rows."
        )


@dataclass(frozen=True, eq=False)
class Encoder:
    """Maps windows of traces to latents.

    Parameters
    ----------
    network : Network
    standardization : Standardization
    config : TrainConfig
        What it was trained with.
    training : dict
        How the training went: steps, seconds, device, `hash_of_values` of the
        training rows (JSON types).
    """

    network: Network
    standardization: Standardization
    config: TrainConfig
    training: dict[str, Any]

    @property
    def receptive_field(self) -> tuple[int, int]:
        """(left, right): row i sees the frames ``[i - left, i + right)``."""
        return self.network.architecture.receptive_field

    @property
    def n_neurons(self) -> int:
        """Number of ROIs it was trained on."""
        return int(self.standardization.mean.shape[0])

    @property
    def output_dimension(self) -> int:
        """Number of latents."""
        return self.config.output_dimension

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.standardization.mean.device

    def to(self, device: torch.device) -> Encoder:
        """Return the encoder on another device."""
        return replace(
            self,
            network=self.network.to(device),
            standardization=self.standardization.to(device),
        )

    @torch.no_grad()
    def transform(self, values: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Return the latents of every row that belongs to a stretch.

        The encoder slides over each stretch; where a window would leave it,
        its first or last row is repeated. Memory is bounded: rows are taken in
        chunks that overlap by the receptive field.

        Parameters
        ----------
        values : (T, N) float
            Traces.
        segment : (T,) int
            Stretch of each row, from `recording.segments`; -1 where none.

        Returns
        -------
        (T, D) float32
            Latents; NaN where `segment` is -1.

        Raises
        ------
        InvalidInput
            If N is not the number of ROIs the encoder was trained on, or
            lengths disagree.
        """
        values, segment = np.asarray(values), np.asarray(segment)
        if values.ndim != 2 or values.shape[1] != self.n_neurons:
            raise InvalidInput(
                f"The encoder was trained on {self.n_neurons} ROIs, but these traces "
                f"have shape {values.shape}; use the ROIs it was trained on, or train "
                "again."
            )
        if segment.shape != (len(values),):
            raise InvalidInput(
                f"There are {len(values)} rows of traces but {segment.size} stretch "
                "numbers."
            )
        latents = np.full((len(values), self.output_dimension), np.nan, np.float32)
        source, centers = padded_rows(segment, *self.receptive_field)
        overlap = sum(self.receptive_field) - 1
        width = max(self.n_neurons, 4 * self.config.num_hidden_units)
        chunk = max(_SMALLEST_CHUNK, _CHUNK_BYTES[self.device.type] // (4 * width))
        for start in range(0, len(source) - overlap, chunk):
            rows = source[start : start + chunk + overlap]
            x = np.require(values[_as_slice(rows)], np.float32, ["C", "W"])
            x = self.standardization(torch.from_numpy(x).to(self.device))
            y = slide(self.network, x).cpu().numpy()
            center = centers[start : start + len(y)]
            latents[_as_slice(center[center >= 0])] = y[center >= 0]
        return latents

    def tensors(self) -> dict[str, Tensor]:
        """Return all that `of_tensors` needs beside the settings, by name."""
        return {
            **named(self.network.state_dict(), "network."),
            "mean": self.standardization.mean,
            "scale": self.standardization.scale,
        }

    @classmethod
    def of_tensors(
        cls, tensors: dict[str, Tensor], config: TrainConfig, training: dict[str, Any]
    ) -> Encoder:
        """Return the encoder of these weights, on the CPU.

        Raises
        ------
        ValueError, RuntimeError or another
            If they are not those of an encoder with these settings.
        """
        mean, scale = tensors["mean"].float(), tensors["scale"].float()
        if mean.ndim != 1 or mean.shape != scale.shape:
            raise ValueError("mean and scale are not one number for each ROI")
        if not isinstance(training, dict):
            raise TypeError("how the training went is no JSON object")
        with torch.device("meta"):  # nothing is allocated for what is not in the file
            network = build_network(config, len(mean))
        weights = {k: v.float() for k, v in group(tensors, "network.").items()}
        network.load_state_dict(weights, assign=True)
        standardization = Standardization(mean, scale, config.normalize_frames)
        return cls(network.eval(), standardization, config, training)

    def save(self, path: str | Path) -> None:
        """Write weights (safetensors) and settings (its JSON header) to a file.

        Raises
        ------
        InvalidInput
            If the file cannot be written.
        """
        header = {
            "config": json.dumps(self.config.to_dict()),
            "training": json.dumps(self.training),
        }
        FILE.write(path, header, self.tensors())

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Encoder:
        """Open a file that `save` wrote, or a model of the reference.

        Nothing in it is executed. Of a reference model of several recordings
        see `reference_files.read_reference_model`.

        Raises
        ------
        InvalidInput
            If it is not such a file, is cut short, or is from a later version.
        """
        from napari_cebra.embedding.devices import resolve_device
        from napari_cebra.embedding.reference_files import (
            is_torch_file,
            read_reference_model,
        )

        if is_torch_file(path):
            model = read_reference_model(path)
            if len(model.networks) > 1:
                raise InvalidInput(
                    f"{path} holds the encoders of {len(model.networks)} recordings; "
                    "open it with read_reference_model, and choose one there."
                )
            with FILE.fitting(path):
                encoder = model.encoder()
            return encoder.to(resolve_device(device))
        header, tensors = FILE.read(path)
        with FILE.fitting(path):
            config = TrainConfig.from_json(header["config"])
            encoder = cls.of_tensors(tensors, config, json.loads(header["training"]))
        return encoder.to(resolve_device(device))


def hash_of_values(values: np.ndarray) -> str:
    """Return the SHA-256 of (n, N) training rows, as float32 in time order.

    It says whether an encoder was trained on these very numbers.
    """
    content = np.ascontiguousarray(values, dtype="<f4")
    digest = hashlib.sha256(np.array(content.shape, "<i8").tobytes())
    digest.update(content.data)
    return digest.hexdigest()


def build_network(
    config: TrainConfig, n_neurons: int, generator: Generator | None = None
) -> Network:
    """Return an untrained network of these settings."""
    return Network(
        parse(config.model_architecture, config.first_kernel),
        n_neurons,
        config.num_hidden_units,
        config.output_dimension,
        generator,
    )


def padded_rows(
    segment: np.ndarray, left: int, right: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lay all stretches end to end, each padded with its own edge rows.

    Returns
    -------
    source : (P,) int
        Row at each place, so that window ``[p, p + left + right)`` is whole.
    centers : (P,) int
        Row whose window begins at each place; -1 where a window would reach
        into the next stretch.
    """
    used = np.flatnonzero(segment >= 0)
    if used.size == 0:
        return used, used
    begins = np.flatnonzero(np.diff(segment[used], prepend=-1))
    lengths = np.diff(begins, append=used.size)
    padding = left + right - 1
    starts = begins + padding * np.arange(len(begins))
    place = np.arange(used.size) + np.repeat(starts - begins, lengths)
    total = used.size + padding * len(begins)
    centers = np.full(total, -1, np.int64)
    centers[place] = used
    stretch = np.repeat(np.arange(len(begins)), lengths + padding)
    within = np.arange(total) - starts[stretch] - left
    source = used[begins[stretch] + np.clip(within, 0, lengths[stretch] - 1)]
    return source, centers


def _as_slice(rows: np.ndarray) -> np.ndarray | slice:
    """Return rows that follow one another as a slice, which is not copied."""
    if rows.size and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
