"""A fitted estimator in a file: safetensors with a JSON header."""

from __future__ import annotations

import inspect
import json
import os
import platform
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import sklearn
import torch
from torch.nn import ModuleList

from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization, build_network
from napari_cebra.embedding.estimator_inputs import Offset
from napari_cebra.embedding.estimator_solver import Solver
from napari_cebra.embedding.loop import Evaluation
from napari_cebra.embedding.losses import InfoNCE
from napari_cebra.embedding.reference_files import (
    ReferenceModel,
    is_torch_file,
    read_reference_model,
    without_standardization,
    write_reference_model,
)
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.estimator import CEBRA

FORMAT = "napari-cebra estimator"
VERSION = 1

N_PUBLISHED = 22
"""Parameters of the estimator that the published one has; they come first."""

_CPU = torch.device("cpu")


def write_estimator(estimator: CEBRA, path: str | Path) -> None:
    """Write a fitted estimator.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    path = Path(path)
    encoder, solver = estimator.encoders_[0], estimator.solver_
    parameters = estimator.get_params()
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = estimator._seed
    state = {
        "parameters": parameters,
        "config": encoder.config.to_dict(),
        "training": encoder.training,
        "label_types": _types(estimator.label_types_),
        "num_sessions": estimator.num_sessions_,
        "solver_name": estimator.solver_name_,
        "n_negatives": estimator.n_negatives_,
        "seed": estimator._seed,
        "calls": estimator._calls,
        "evaluations": [
            [e.step, e.bits_train, e.bits_heldout] for e in estimator.evaluations_
        ],
        "feature_names": [str(n) for n in getattr(estimator, "feature_names_in_", [])],
        "versions": {
            "napari-cebra": version("napari-cebra"),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
    }
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "state": json.dumps(state, default=_plain),
    }
    tensors = {}
    for number, each in enumerate(estimator.encoders_):
        for name, weight in each.network.state_dict().items():
            tensors[f"{number}.network.{name}"] = weight
        tensors[f"{number}.mean"] = each.standardization.mean
        tensors[f"{number}.scale"] = each.standardization.scale
    tensors |= {f"criterion.{k}": v for k, v in solver.criterion.state_dict().items()}
    tensors |= {
        f"log.{k}": torch.tensor(v, dtype=torch.float64) for k, v in solver.log.items()
    }
    content = safetensors.torch.save(
        {k: v.detach().cpu().contiguous() for k, v in tensors.items()}, header
    )
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The estimator could not be written to {path} ({error.strerror}); choose "
            "a folder that can be written to."
        ) from error


def read_estimator(cls: type[CEBRA], path: str | Path, device: str) -> CEBRA:
    """Open a file of `write_estimator`, or of the published package.

    Raises
    ------
    InvalidInput
        If it is another kind of file, is cut short, or does not fit together.
    """
    if is_torch_file(path):
        return _from_reference(cls, path, device)
    header, tensors = _read(Path(path))
    try:
        state = json.loads(header["state"])
        parameters = state["parameters"]
        parameters["optimizer_kwargs"] = tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in parameters["optimizer_kwargs"]
        )
        estimator = cls(**parameters)
        config = TrainConfig.from_dict(state["config"])
        criterion = _criterion(config)
        criterion.load_state_dict(_below("criterion", tensors))
        log = {k: v.tolist() for k, v in _below("log", tensors).items()}
        count = state["num_sessions"]
        encoders = [
            _encoder(_below(str(k), tensors), config, state["training"])
            for k in range(count or 1)
        ]
        _fill(estimator, encoders, criterion, log, count is not None, device)
        estimator.evaluations_ = [Evaluation(*each) for each in state["evaluations"]]
        estimator.solver_name_ = state["solver_name"]
        estimator.label_types_ = _types_of(state["label_types"])
        estimator.n_negatives_ = state["n_negatives"]
        estimator._seed, estimator._calls = state["seed"], state["calls"]
        if state["feature_names"]:
            estimator.feature_names_in_ = np.array(state["feature_names"], object)
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise InvalidInput(
            f"The estimator file {path} does not fit together ({error}); save it again."
        ) from error
    return estimator


def _from_reference(cls: type[CEBRA], path: str | Path, device: str) -> CEBRA:
    model = read_reference_model(path)
    known = {k: v for k, v in model.args.items() if k in cls().get_params()}
    estimator = cls(**known)
    sessions = range(len(model.networks))
    encoders = [model.encoder(k if model.several else None) for k in sessions]
    learnt = model.log_inverse_temperature
    criterion = InfoNCE(
        float(estimator.temperature),
        learnt is not None,
        estimator.min_temperature,
        estimator.distance,
    )
    if learnt is not None:
        criterion.load_state_dict({"log_inverse_temperature": torch.tensor(learnt)})
    log = {key: list(values) for key, values in model.log.items()}
    _fill(estimator, encoders, criterion, log, model.several, device)
    estimator.evaluations_ = []
    estimator.solver_name_ = model.solver_name
    estimator.label_types_ = _each_type(model.label_types, np.dtype)
    estimator.n_negatives_ = (estimator.batch_size or 0) * len(encoders)
    estimator._seed, estimator._calls = estimator._draw_seed(), 1
    return estimator


def write_for_reference(estimator: CEBRA, path: str | Path) -> None:
    """Write a file that ``cebra.CEBRA.load`` opens.

    Raises
    ------
    InvalidInput
        If the encoder has no published name, or scales its input in a way that
        the published package cannot.
    """
    signature = inspect.signature(type(estimator).__init__).parameters
    published = [name for name in signature if name != "self"][:N_PUBLISHED]
    learnt = estimator.temperature_mode == "auto"
    criterion = estimator.solver_.criterion
    model = ReferenceModel(
        {name: getattr(estimator, name) for name in published},
        tuple(without_standardization(e.to(_CPU)) for e in estimator.encoders_),
        _each_type(estimator.label_types_, str),
        estimator.solver_name_,
        estimator.num_sessions_ is not None,
        float(criterion.log_inverse_temperature.detach()) if learnt else None,
        estimator.solver_.log,
        np.array(estimator.solver_.history, np.float32),
    )
    write_reference_model(path, model)


def _fill(
    estimator: CEBRA,
    encoders: list[Encoder],
    criterion: InfoNCE,
    log: dict[str, list[float]],
    several: bool,
    device: str,
) -> None:
    """Set what is fitted, apart from what only one kind of file holds."""
    place = resolve_device(device)
    estimator.encoders_ = [encoder.to(place) for encoder in encoders]
    networks = [encoder.network for encoder in estimator.encoders_]
    estimator.model_ = ModuleList(networks) if several else networks[0]
    estimator.solver_ = Solver(estimator.model_, criterion.to(place), log)
    estimator.offset_ = Offset(*encoders[0].receptive_field)
    estimator.device_ = str(place)
    widths = [encoder.n_neurons for encoder in encoders]
    estimator.n_features_ = widths if several else widths[0]
    estimator.n_features_in_ = estimator.n_features_
    estimator.num_sessions_ = len(encoders) if several else None


def _criterion(config: TrainConfig) -> InfoNCE:
    return InfoNCE(
        config.temperature,
        config.temperature_mode == "auto",
        config.min_temperature,
        config.distance,
    )


def _each_type(types: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert the dtypes of (dtype, shape) pairs, in lists of lists."""
    if isinstance(types, tuple):
        return convert(types[0]), tuple(types[1])
    return [_each_type(part, convert) for part in types]


def _encoder(
    tensors: dict[str, torch.Tensor], config: TrainConfig, training: dict[str, Any]
) -> Encoder:
    mean, scale = tensors["mean"], tensors["scale"]
    network = build_network(config, len(mean))
    network.load_state_dict(_below("network", tensors))
    standardization = Standardization(mean, scale, config.normalize_frames)
    return Encoder(network.eval(), standardization, config, training)


def _types(types: Any) -> Any:
    """Write (dtype, shape) pairs, in lists of lists, as JSON types."""
    if isinstance(types, tuple):
        return {"dtype": str(types[0]), "shape": list(types[1])}
    return [_types(part) for part in types]


def _types_of(written: Any) -> Any:
    if isinstance(written, dict):
        return np.dtype(written["dtype"]), tuple(written["shape"])
    return [_types_of(part) for part in written]


def _below(name: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a parameter of type {type(value).__name__} cannot be written")


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no estimator file {path}.") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise InvalidInput(
            f"{path} is not an estimator that this program saved, or it is cut short "
            f"({error}); choose another file."
        ) from error
    if header.get("format") != FORMAT or not header.get("version", "").isdigit():
        raise InvalidInput(
            f"{path} holds weights, but not an estimator that this program saved; "
            "choose another file."
        )
    if int(header["version"]) > VERSION:
        raise InvalidInput(
            f"{path} was written by a later version of this program (format "
            f"{header['version']}); update napari-cebra to open it."
        )
    return header, tensors
