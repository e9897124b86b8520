"""A training put aside in a file, and taken up again to the bit."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.embedding.config import TrainConfig

FORMAT = "napari-cebra checkpoint"
VERSION = 1

_MAY_DIFFER = {"device", "threads", "stop_iteration", "patience", "keep_best"}
"""Settings that a training may be taken up with changed."""


def write(
    path: Path, config: TrainConfig, tensors: dict[str, Tensor], state: dict[str, Any]
) -> None:
    """Write tensors (safetensors) and the rest (its JSON header) to a file.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "torch": torch.__version__,
        "config": json.dumps(config.to_dict()),
        "state": json.dumps(state),
    }
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    content = safetensors.torch.save(whole, header)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The training could not be put aside in {path} ({error.strerror}); "
            "choose a folder that can be written to."
        ) from error


def read(path: Path, config: TrainConfig) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `write` wrote. Nothing in the file is executed.

    Raises
    ------
    InvalidInput
        If it is not such a file, is cut short or of a later version, or holds a
        training with other settings.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
    except FileNotFoundError as error:
        raise InvalidInput(
            f"There is no file {path} with a training put aside; choose another."
        ) from error
    except (safetensors.SafetensorError, OSError) as error:
        raise InvalidInput(
            f"{path} holds no training, or is cut short ({error}); choose a file that "
            "this program wrote, or train from the beginning."
        ) from error
    if header.get("format") != FORMAT or header.get("version") != str(VERSION):
        raise InvalidInput(
            f"{path} holds no training that this version of the program can take up; "
            "choose another file, or train from the beginning."
        )
    try:
        theirs, state = json.loads(header["config"]), json.loads(header["state"])
    except (KeyError, json.JSONDecodeError) as error:
        raise misfit(path, error) from error
    ours = config.to_dict()
    other = sorted(
        name
        for name in ours.keys() | theirs.keys()
        if name not in _MAY_DIFFER and ours.get(name) != theirs.get(name)
    )
    if other:
        raise InvalidInput(
            f"The training in {path} had other settings ({', '.join(other)}); take it "
            "up with the same ones, or train from the beginning."
        )
    return tensors, state


def misfit(path: Path, error: Exception) -> InvalidInput:
    """Return what to say of a file whose parts do not fit together."""
    return InvalidInput(
        f"The training in {path} does not fit together ({error}); choose another "
        "file, or train from the beginning."
    )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimiser by ``optimizer.PARAMETER.NAME``."""
    return {
        f"optimizer.{index}.{name}": value
        for index, kept in optimizer.state_dict()["state"].items()
        for name, value in kept.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Give an optimiser the state that `optimizer_tensors` returned."""
    kept: dict[int, dict[str, Tensor]] = {}
    for key, value in group(tensors, "optimizer.").items():
        index, name = key.split(".")
        kept.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": kept, "param_groups": groups})


def group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without the beginning."""
    return {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


def named(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors with names that begin so."""
    return {f"{prefix}{key}": value for key, value in state.items()}
