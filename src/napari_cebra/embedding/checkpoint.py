"""A training put aside in a file, and taken up again to the bit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_cebra.embedding.weights_file import FileKind, group, named
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from napari_cebra.embedding.config import TrainConfig

__all__ = [
    "FILE",
    "group",
    "named",
    "optimizer_state",
    "optimizer_tensors",
    "read",
    "restore_optimizer",
    "write",
]

FILE = FileKind(
    "napari-cebra checkpoint",
    2,
    "file with a training put aside",
    "choose another file, or train from the beginning",
)

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
    header = {"config": json.dumps(config.to_dict()), "state": json.dumps(state)}
    FILE.write(path, header, tensors)


def read(path: Path, config: TrainConfig) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `write` wrote. Nothing in the file is executed.

    Raises
    ------
    InvalidInput
        If it is not such a file, is cut short or of a later version, or holds a
        training with other settings.
    """
    header, tensors = FILE.read(path)
    with FILE.fitting(path):
        theirs, state = json.loads(header["config"]), json.loads(header["state"])
        if not isinstance(state, dict):
            raise TypeError("its state is no JSON object")
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


def optimizer_tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of an optimiser's state by ``optimizer.PARAMETER.NAME``."""
    return {
        f"optimizer.{index}.{name}": value
        for index, each in state.get("state", {}).items()
        for name, value in each.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Give an optimiser the state that `optimizer_tensors` returned."""
    groups = optimizer.state_dict()["param_groups"]
    state = optimizer_state(tensors)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def optimizer_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return the state of an optimiser from what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in group(tensors, "optimizer.").items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = value
    return state
