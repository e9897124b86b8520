"""A fitted estimator in a file: safetensors with a JSON header."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import ModuleList

from napari_cebra.embedding.checkpoint import optimizer_state, optimizer_tensors
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder
from napari_cebra.embedding.estimator.inputs import Offset
from napari_cebra.embedding.estimator.parameters import draw_seed
from napari_cebra.embedding.estimator.solver import Solver
from napari_cebra.embedding.loop import Evaluation
from napari_cebra.embedding.losses import InfoNCE
from napari_cebra.embedding.reference_files import (
    ReferenceModel,
    is_torch_file,
    read_reference_model,
    without_standardization,
    write_reference_model,
)
from napari_cebra.embedding.weights_file import FileKind, group, named
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from napari_cebra.embedding.estimator.cebra import CEBRA

FILE = FileKind("napari-cebra estimator", 2, "estimator file", "save it again")

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
    encoder, solver = estimator.encoders_[0], estimator.solver_
    parameters = estimator.get_params()
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = estimator._seed
    state = {
        "parameters": {name: _listed(value) for name, value in parameters.items()},
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
        "optimizer": solver.optimizer.get("param_groups"),
        "feature_names": [str(n) for n in getattr(estimator, "feature_names_in_", [])],
    }
    tensors = named(solver.criterion.state_dict(), "criterion.")
    for number, each in enumerate(estimator.encoders_):
        tensors |= named(each.tensors(), f"{number}.")
    tensors |= {
        f"log.{k}": torch.tensor(v, dtype=torch.float64) for k, v in solver.log.items()
    }
    tensors |= optimizer_tensors(solver.optimizer)
    if solver.generator is not None:
        tensors["generator"] = solver.generator
    FILE.write(path, {"state": json.dumps(state, default=_plain)}, tensors)


def read_estimator(cls: type[CEBRA], path: str | Path, device: str) -> CEBRA:
    """Open a file of `write_estimator`, or of the published package.

    Raises
    ------
    InvalidInput
        If it is another kind of file, is cut short, or does not fit together.
    """
    if is_torch_file(path):
        return _from_reference(cls, path, device)
    header, tensors = FILE.read(path)
    with FILE.fitting(path):
        state = json.loads(header["state"])
        parameters = {name: _unlisted(v) for name, v in state["parameters"].items()}
        estimator = cls(**parameters)
        config = TrainConfig.from_dict(state["config"])
        criterion = _criterion(config)
        criterion.load_state_dict(group(tensors, "criterion."))
        log = {k: v.tolist() for k, v in group(tensors, "log.").items()}
        count = state["num_sessions"]
        encoders = [
            Encoder.of_tensors(group(tensors, f"{k}."), config, state["training"])
            for k in range(1 if count is None else count)
        ]
        _fill(estimator, encoders, criterion, log, count is not None, device)
        _go_on(estimator.solver_, state.get("optimizer"), tensors)
        estimator.evaluations_ = [Evaluation(*each) for each in state["evaluations"]]
        estimator.solver_name_ = state["solver_name"]
        estimator.label_types_ = _types_of(state["label_types"])
        estimator.n_negatives_ = state["n_negatives"]
        estimator._seed, estimator._calls = state["seed"], state["calls"]
        if state["feature_names"]:
            estimator.feature_names_in_ = np.array(state["feature_names"], object)
    return estimator


def _from_reference(cls: type[CEBRA], path: str | Path, device: str) -> CEBRA:
    model = read_reference_model(path)
    with FILE.fitting(path):
        estimator = _of_reference(cls, model, device)
    return estimator


def _of_reference(cls: type[CEBRA], model: ReferenceModel, device: str) -> CEBRA:
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
    estimator._seed, estimator._calls = draw_seed(estimator), 1
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


def _go_on(
    solver: Solver, groups: list[dict[str, Any]] | None, tensors: dict[str, Tensor]
) -> None:
    """Set what `partial_fit` goes on from, where the file has it."""
    if groups is not None:
        kept = {"state": optimizer_state(tensors), "param_groups": groups}
        if not all(isinstance(each["params"], list) for each in groups):
            raise TypeError("the optimiser has no parameters")
        solver.optimizer = kept
    state = tensors.get("generator")
    if state is not None:
        if len(state) == len(torch.Generator().get_state()):
            torch.Generator().set_state(state)  # raises if it is none
        solver.generator = state


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


def _types(types: Any) -> Any:
    """Write (dtype, shape) pairs, in lists of lists, as JSON types."""
    if isinstance(types, tuple):
        return {"dtype": str(types[0]), "shape": list(types[1])}
    return [_types(part) for part in types]


def _types_of(written: Any) -> Any:
    if isinstance(written, dict):
        return np.dtype(written["dtype"]), tuple(written["shape"])
    return [_types_of(part) for part in written]


def _listed(value: Any) -> Any:
    """Write a parameter as JSON: tuples as arrays, and lists as such by name."""
    if isinstance(value, list):
        return {"list": [_listed(v) for v in value]}
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def _unlisted(written: Any) -> Any:
    if isinstance(written, dict):
        return [_unlisted(v) for v in written["list"]]
    return (
        tuple(_unlisted(v) for v in written) if isinstance(written, list) else written
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise InvalidInput(
        f"A parameter of type {type(value).__name__} cannot be saved; set it to a "
        "number, a text or a tuple of them."
    )
