"""Models that the reference saved, read and written; no pickle is ever run.

``cebra.CEBRA.save`` writes what ``torch.save`` makes of four dicts: ``args`` (the
constructor's), ``state`` (the fitted attributes), ``state_dict`` (of the solver:
weights, optimiser, log) and ``metadata``. `reference_pickle` takes them out
of the file, and `reference_weights` knows how weights are called.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cebra.embedding.architectures import Network, parse, published_names
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.encoder import Encoder, Standardization
from napari_cebra.embedding.reference_pickle import DType, Offset, pickled, unpickled
from napari_cebra.embedding.reference_weights import (
    description_of,
    named_weights,
    weight_names,
    without_standardization,
)
from napari_cebra.recording import InvalidInput
from napari_cebra.recording.atomic import write_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ReferenceModel",
    "is_torch_file",
    "read_reference_model",
    "without_standardization",
    "write_reference_model",
]

REFERENCE_VERSION = "0.6.1"
"""The version of ``cebra`` whose files are written."""

_LOGGED = ("pos", "neg", "total", "temperature")
_MODULES = {"single-session-hybrid": "module."}


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """A fitted model as the reference's estimator keeps it.

    Parameters
    ----------
    args : dict
        Parameters of the estimator by name (``model_architecture``, …).
    networks : tuple of Network
        One per recording, without standardisation.
    label_types : list
        Of each label (of several recordings: a list per label of one each),
        ``(dtype name, shape)``.
    solver_name : str
        "single-session", "single-session-hybrid", "single-session-full" or
        "multi-session".
    several : bool
        Fitted on a list of recordings, of which there may be one.
    log_inverse_temperature : float or None
        Of a learned temperature.
    log : dict
        Lists "pos", "neg", "total" and "temperature", one number per step.
    losses : (steps,) float32
    metadata : dict
        Versions it was saved with.
    """

    args: dict[str, Any]
    networks: tuple[Network, ...]
    label_types: list[Any] = field(default_factory=list)
    solver_name: str = "single-session"
    several: bool = False
    log_inverse_temperature: float | None = None
    log: dict[str, list[float]] = field(default_factory=dict)
    losses: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def n_features(self) -> tuple[int, ...]:
        """Neurons of each recording."""
        return tuple(_n_neurons(network) for network in self.networks)

    @property
    def offset(self) -> tuple[int, int]:
        """(left, right): row i sees the frames ``[i - left, i + right)``."""
        return self.networks[0].architecture.receptive_field

    def encoder(self, session: int | None = None) -> Encoder:
        """Return the encoder of one recording, which takes traces as they are.

        Raises
        ------
        InvalidInput
            If there are several recordings and none is chosen.
        """
        count = len(self.networks)
        if session is None and count > 1:
            raise InvalidInput(
                f"The model was trained on {count} recordings; choose one of 0 to "
                f"{count - 1}."
            )
        if not 0 <= (session or 0) < count:
            raise InvalidInput(
                f"The model has no recording {session}; choose one of 0 to {count - 1}."
            )
        network = self.networks[session or 0]
        config = TrainConfig(
            model_architecture=description_of(self.args["model_architecture"]),
            num_hidden_units=self.args["num_hidden_units"],
            output_dimension=self.args["output_dimension"],
            distance=self.args.get("distance", "cosine"),
            standardize=False,
            input_dropout=0.0,
        )
        n = _n_neurons(network)
        plain = Standardization(torch.zeros(n), torch.ones(n), False)
        return Encoder(network, plain, config, {"reference": dict(self.metadata)})


def _n_neurons(network: Network) -> int:
    return next(network.steps())[1].weight.shape[1]


def is_torch_file(path: str | Path) -> bool:
    """Say whether a file begins as those of ``torch.save`` (a zip archive) do."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def read_reference_model(path: str | Path) -> ReferenceModel:
    """Open a model that ``cebra.CEBRA.save`` wrote.

    Raises
    ------
    InvalidInput
        If the file is none, is cut short, names anything that such a model does
        not need, or has an encoder of a name that is not published.
    """
    path = Path(path)
    content = unpickled(path)
    try:
        args, state, solver = (content[k] for k in ("args", "state", "state_dict"))
        model = _model(args, state, solver, content.get("metadata") or {})
    except InvalidInput as error:
        raise InvalidInput(f"{path.name} was not opened: {error}") from error
    except (
        *(LookupError, TypeError, ValueError),
        *(AttributeError, RuntimeError, ArithmeticError),
    ) as error:
        raise InvalidInput(
            f"{path.name} does not hold a fitted model of the reference "
            f"({type(error).__name__}: {error}); save it there again."
        ) from error
    return model


def write_reference_model(path: str | Path, model: ReferenceModel) -> None:
    """Write a model that ``cebra.CEBRA.load`` opens.

    Raises
    ------
    InvalidInput
        If its architecture has no published name, or the file cannot be written.
    """
    name = model.args["model_architecture"]
    if name not in published_names():
        raise InvalidInput(
            f"The encoder {name!r} is not one the published package knows; save in "
            "this program's own format, or train with a published name."
        )
    write_whole(path, pickled(_dicts(model)))


# --------------------------------------------------------------------- reading


def _model(
    args: dict[str, Any],
    state: dict[str, Any],
    solver: dict[str, Any],
    metadata: dict[str, Any],
) -> ReferenceModel:
    several = state["num_sessions_"] is not None
    neurons = state["n_features_in_"] if several else [state["n_features_in_"]]
    name = state["solver_name_"]
    criterion = solver.get("criterion") or {}
    learned = criterion.get("log_inverse_temperature")
    networks = []
    for i, n in enumerate(neurons):
        prefix = f"{i}." if several else _MODULES.get(name, "")
        networks.append(_network(args, n, solver["model"], prefix))
    if sum(len(weight_names(args["model_architecture"])) for _ in neurons) != len(
        solver["model"]
    ):
        raise InvalidInput("it holds weights that its encoder does not have.")
    offset = state["offset_"]
    if (offset.left, offset.right) != networks[0].architecture.receptive_field:
        raise InvalidInput("its receptive field is not that of its encoder.")
    return ReferenceModel(
        args=dict(args),
        networks=tuple(networks),
        label_types=_label_types(state["label_types_"]),
        solver_name=name,
        several=several,
        log_inverse_temperature=None if learned is None else float(learned),
        log={k: [float(x) for x in v] for k, v in solver.get("log", {}).items()},
        losses=np.asarray(solver["loss"].float().numpy()),
        metadata={str(k): str(v) for k, v in metadata.items()},
    )


def _network(
    args: dict[str, Any], n: int, weights: dict[str, Tensor], prefix: str
) -> Network:
    units, latents = args["num_hidden_units"], args["output_dimension"]
    for count in (n, units, latents):
        if type(count) is not int or not 1 <= count <= 10**6:
            raise InvalidInput(f"{count!r} is not a number of neurons or units.")
    sizes = parse(description_of(args["model_architecture"])), n, units, latents
    keys = [prefix + key for key in weight_names(args["model_architecture"])]
    missing = [key for key in keys if key not in weights]
    if missing:
        raise InvalidInput(f"it lacks the weights {missing[0]}.")
    with torch.device("meta"):  # nothing is allocated for what is not in the file
        planned = Network(*sizes)
    arrays = [p for _, conv in planned.steps() for p in (conv.weight, conv.bias)]
    if any(
        weights[key].numel() != array.numel() or not _is_whole(weights[key])
        for key, array in zip(keys, arrays, strict=True)
    ):
        raise InvalidInput("its sizes are not those of its weights.")
    network = Network(*sizes)
    network.copy_reference_weights({key: weights[key] for key in keys})
    return network.eval()


def _is_whole(array: Tensor) -> bool:
    """Say whether every element is in the file; strides of 0 repeat a few."""
    return array.untyped_storage().nbytes() >= array.numel() * array.element_size()


def _label_types(labels: Any) -> Any:
    """Return (dtype name, shape) wherever the file has (dtype, shape)."""
    if isinstance(labels, list):
        return [_label_types(label) for label in labels]
    dtype, shape = labels
    name = dtype.name if isinstance(dtype, DType) else str(dtype)
    return np.dtype(name).name, tuple(int(n) for n in shape)


# --------------------------------------------------------------------- writing


def _dicts(model: ReferenceModel) -> dict[str, Any]:
    several, name = model.several, model.solver_name
    features = list(model.n_features) if several else model.n_features[0]
    weights: dict[str, Tensor] = {}
    parameters: list[Tensor] = []
    for i, network in enumerate(model.networks):
        prefix = f"{i}." if several else _MODULES.get(name, "")
        own = named_weights(network, model.args["model_architecture"])
        weights |= {prefix + key: value for key, value in own.items()}
        # a layer that is used several times is one parameter
        parameters += {value.data_ptr(): value for value in own.values()}.values()
    criterion: dict[str, Tensor] = {}
    if model.log_inverse_temperature is not None:
        learned = torch.tensor(model.log_inverse_temperature)
        criterion["log_inverse_temperature"] = learned
        parameters.append(learned)
    optimizer = torch.optim.Adam(
        [torch.nn.Parameter(p.clone()) for p in parameters],
        lr=float(model.args.get("learning_rate", 3e-4)),
        **dict(model.args.get("optimizer_kwargs", ())),
    )
    offset = Offset()
    offset.left, offset.right = model.offset
    sessions = len(model.networks) if several else None
    solver: dict[str, Any] = {
        "model": weights,
        "optimizer": optimizer.state_dict(),
        "loss": torch.from_numpy(np.asarray(model.losses, np.float32)),
        "decode": [],
        "criterion": criterion,
        "version": REFERENCE_VERSION,
        "log": {key: list(model.log.get(key, [])) for key in _LOGGED},
        "n_features": features,
    }
    if several:
        solver["num_sessions"] = sessions
    return {
        "args": model.args,
        "state": {
            "label_types_": _with_dtypes(model.label_types),
            "device_": "cpu",
            "n_features_": features,
            "n_features_in_": features,
            "num_sessions_": sessions,
            "offset_": offset,
            "solver_name_": name,
        },
        "state_dict": solver,
        "metadata": {
            "backend": "sklearn",
            "cebra_version": REFERENCE_VERSION,
            "torch_version": str(torch.__version__),
            "numpy_version": np.__version__,
            **{key: str(value) for key, value in model.metadata.items()},
        },
    }


def _with_dtypes(labels: Any) -> Any:
    if isinstance(labels, list):
        return [_with_dtypes(label) for label in labels]
    dtype, shape = labels
    return np.dtype(dtype), tuple(shape)
