"""The encoders of several recordings that were trained together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder
from napari_cebra.embedding.weights_file import FileKind, group, named
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch

FILE = FileKind(
    "napari-cebra encoders of several recordings",
    2,
    "file of encoders of several recordings",
    "export it again, or train again",
)


@dataclass(frozen=True, eq=False)
class MultiEncoder:
    """One encoder for each recording, into one space of latents.

    Parameters
    ----------
    encoders : tuple of Encoder
        In the order of the recordings.
    """

    encoders: tuple[Encoder, ...]

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.encoders)

    def __getitem__(self, session: int) -> Encoder:
        """Return the encoder of a recording.

        Raises
        ------
        InvalidInput
            If there is no such recording.
        """
        if not 0 <= session < len(self):
            raise InvalidInput(
                f"There is no recording {session}; this model was trained on "
                f"{len(self)}, counted from 0."
            )
        return self.encoders[session]

    @property
    def config(self) -> TrainConfig:
        """What they were trained with."""
        return self.encoders[0].config

    @property
    def n_neurons(self) -> tuple[int, ...]:
        """Number of ROIs of each recording."""
        return tuple(encoder.n_neurons for encoder in self.encoders)

    @property
    def receptive_field(self) -> tuple[int, int]:
        """(left, right): row i sees the frames ``[i - left, i + right)``."""
        return self.encoders[0].receptive_field

    @property
    def output_dimension(self) -> int:
        """Number of latents."""
        return self.config.output_dimension

    def to(self, device: torch.device) -> MultiEncoder:
        """Return the encoders on another device."""
        return replace(self, encoders=tuple(e.to(device) for e in self.encoders))

    def transform(
        self, values: np.ndarray, segment: np.ndarray, session: int
    ) -> np.ndarray:
        """Return the (T, D) latents of a recording; see `Encoder.transform`.

        Raises
        ------
        InvalidInput
            If there is no such recording, or it had another number of ROIs.
        """
        return self[session].transform(values, segment)

    def save(self, path: str | Path) -> None:
        """Write all weights (safetensors) and settings (its JSON header) to a file.

        Raises
        ------
        InvalidInput
            If the file cannot be written.
        """
        header = {
            "recordings": str(len(self)),
            "config": json.dumps(self.config.to_dict()),
            "training": json.dumps(self.encoders[0].training),
        }
        tensors: dict[str, torch.Tensor] = {}
        for s, encoder in enumerate(self.encoders):
            tensors |= named(encoder.tensors(), f"{s}.")
        FILE.write(path, header, tensors)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> MultiEncoder:
        """Open a file that `save` wrote. Nothing in it is executed.

        Raises
        ------
        InvalidInput
            If it is not such a file, is cut short, or is from a later version.
        """
        header, tensors = FILE.read(path)
        with FILE.fitting(path):
            config = TrainConfig.from_json(header["config"])
            training = json.loads(header["training"])
            count = int(header["recordings"])
            if count < 1:
                raise ValueError("no recordings")
            encoders = tuple(
                Encoder.of_tensors(group(tensors, f"{s}."), config, training)
                for s in range(count)
            )
        return cls(encoders).to(resolve_device(device))
