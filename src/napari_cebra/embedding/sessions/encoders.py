"""The encoders of several recordings that were trained together."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch

from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization, build_network
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import torch

FORMAT = "napari-cebra encoders of several recordings"
VERSION = 1


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
        path = Path(path)
        header = {
            "format": FORMAT,
            "version": str(VERSION),
            "recordings": str(len(self)),
            "config": json.dumps(self.config.to_dict()),
            "training": json.dumps(self.encoders[0].training),
        }
        tensors = {}
        for s, encoder in enumerate(self.encoders):
            for name, weight in encoder.network.state_dict().items():
                tensors[f"{s}.network.{name}"] = weight
            tensors[f"{s}.mean"] = encoder.standardization.mean
            tensors[f"{s}.scale"] = encoder.standardization.scale
        content = safetensors.torch.save(
            {k: v.detach().cpu().contiguous() for k, v in tensors.items()}, header
        )
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        except OSError as error:
            raise InvalidInput(
                f"The encoders could not be written to {path} ({error.strerror}); "
                "choose a folder that can be written to."
            ) from error
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> MultiEncoder:
        """Open a file that `save` wrote. Nothing in it is executed.

        Raises
        ------
        InvalidInput
            If it is not such a file, is cut short, or is from a later version.
        """
        path = Path(path)
        header, tensors = _read(path)
        try:
            config = TrainConfig.from_json(header["config"])
            training = json.loads(header["training"])
            encoders = []
            for s in range(int(header["recordings"])):
                own = {
                    name.removeprefix(f"{s}."): weight
                    for name, weight in tensors.items()
                    if name.startswith(f"{s}.")
                }
                mean, scale = own.pop("mean"), own.pop("scale")
                network = build_network(config, len(mean))
                network.load_state_dict(
                    {k.removeprefix("network."): v for k, v in own.items()}
                )
                standardization = Standardization(mean, scale, config.normalize_frames)
                encoders.append(Encoder(network, standardization, config, training))
            if not encoders:
                raise ValueError("no recordings")
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise InvalidInput(
                f"The encoder file {path} does not fit together ({error}); export it "
                "again, or train again."
            ) from error
        return cls(tuple(encoders)).to(resolve_device(device))


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no encoder file {path}.") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise InvalidInput(
            f"{path} is not an encoder file, or it is cut short ({error}); choose a "
            "file that this program wrote."
        ) from error
    if header.get("format") != FORMAT:
        raise InvalidInput(
            f"{path} does not hold encoders of several recordings; choose another file."
        )
    if not header.get("version", "").isdecimal() or int(header["version"]) > VERSION:
        raise InvalidInput(
            f"{path} was written by a later version of this program; update "
            "napari-cebra to open it."
        )
    return header, tensors
