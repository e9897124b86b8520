"""Models that the reference saved, read and written; no pickle is ever run.

``cebra.CEBRA.save`` writes what ``torch.save`` makes of four dicts: ``args`` (the
constructor's), ``state`` (the fitted attributes), ``state_dict`` (of the solver:
weights, optimiser, log) and ``metadata``. They hold numbers, text, tensors, and a
few classes, which are replaced by stand-ins here, so the reference need not be
installed. A file that names anything else is refused before it is unpickled.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.architectures import (
    Architecture,
    Network,
    parse,
    published_names,
)
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.encoder import Encoder, Standardization, write_whole
from napari_cebra.embedding.published import describe
from napari_cebra.recording import InvalidInput

REFERENCE_VERSION = "0.6.1"
"""The version of ``cebra`` whose files are written."""

_MODULES = {"single-session-hybrid": "module."}


class Offset:
    """Stands for ``cebra.data.datatypes.Offset``."""

    __slots__ = ("left", "right")

    def __setstate__(self, state: object) -> None:
        slots = state[1] if isinstance(state, tuple) and len(state) == 2 else None
        if not isinstance(slots, dict) or set(slots) != {"left", "right"}:
            raise pickle.UnpicklingError("an Offset without left and right")
        if not all(type(n) is int and 0 <= n < 10**6 for n in slots.values()):
            raise pickle.UnpicklingError("an Offset that is not two counts")
        self.left, self.right = slots["left"], slots["right"]


class DType:
    """Stands for ``numpy.dtype``: keeps its name alone."""

    def __init__(self, name: object = None, *_: object) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[<>|=]?[biufcSU?]\d*", name):
            raise pickle.UnpicklingError(f"the data type {name!r}")
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignore the byte order; labels are not in the file."""


class _Text(str):
    """Stands for ``torch.torch_version.TorchVersion``."""

    __slots__ = ()


_STAND_INS: list[Any] = [
    (Offset, "cebra.data.datatypes.Offset"),
    (DType, "numpy.dtype"),
    (_Text, "torch.torch_version.TorchVersion"),
]
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Byte")
_ALLOWED = {
    *(name for _, name in _STAND_INS),
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch.Size",
    "torch.device",
    *(f"torch.{kind}Storage" for kind in (*_STORAGES, "Bool", "Char")),
}
_LOGGED = ("pos", "neg", "total", "temperature")
_NAMING = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")


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
            model_architecture=_description(self.args),
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
    content = _content(path)
    try:
        parts = [content[key] for key in ("args", "state", "state_dict")]
        args, state, solver = parts
        model = _model(args, state, solver, content.get("metadata") or {})
    except InvalidInput as error:
        raise InvalidInput(f"{path.name} was not opened: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
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
    write_whole(path, _pickled(_dicts(model)))


def without_standardization(encoder: Encoder) -> Network:
    """Return a network that takes traces as they are and gives the same latents.

    Mean and scale of each neuron go into the first layer.

    Raises
    ------
    InvalidInput
        If what was done to the traces is not linear in each neuron, or the
        first layer hands its input on.
    """
    first = encoder.network.architecture.layers[0]
    standardization = encoder.standardization
    mean, scale = standardization.mean, standardization.scale
    network = Network(
        encoder.network.architecture,
        encoder.n_neurons,
        encoder.config.num_hidden_units,
        encoder.config.output_dimension,
    )
    network.load_state_dict(encoder.network.state_dict())
    if not standardization.normalize_frames and not mean.any() and (scale == 1).all():
        return network
    if standardization.normalize_frames or first.skip or first.beside:
        raise InvalidInput(
            "The encoder scales its input in a way that the published package "
            "cannot; train without standardize and normalize_frames for that."
        )
    conv = next(network.steps())[1]
    with torch.no_grad():
        scaled = conv.weight.double() * scale.cpu().double()[None, :, None]
        shift = (scaled * mean.cpu().double()[None, :, None]).sum((1, 2))
        conv.bias.copy_(conv.bias.double() - shift)
        conv.weight.copy_(scaled)
    return network


# --------------------------------------------------------------------- reading


def _content(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no model file {path}.") from error
    except OSError as error:
        raise InvalidInput(
            f"{path} could not be read ({error.strerror}); choose another file."
        ) from error
    try:
        unknown = _names(data) - _ALLOWED
        if not unknown:
            with torch.serialization.safe_globals(_STAND_INS):
                content = torch.load(
                    io.BytesIO(data), map_location="cpu", weights_only=True
                )
    except Exception as error:  # whatever a damaged file makes the readers raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InvalidInput(
            f"{path.name} is not a model of the reference, or it is cut short "
            f"({said}); copy it again."
        ) from error
    if any(name.startswith("cebra.integrations") for name in unknown):
        raise InvalidInput(
            f"{path.name} was saved with backend='torch', which needs code to be run; "
            "open it in the published package and save it again as it does by default."
        )
    if unknown:
        raise InvalidInput(
            f"{path.name} was not opened: it asks for {', '.join(sorted(unknown))}, "
            "which a model does not need; get the file from its source again."
        )
    if not isinstance(content, dict):
        raise InvalidInput(
            f"{path.name} holds a {type(content).__name__}, not a model that the "
            "published package saved; choose another file."
        )
    return content


def _names(data: bytes) -> set[str]:
    """Return what the pickle in an archive names, without unpickling it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its parts are compressed")
        pickles = [e for e in entries if e.filename.endswith(".pkl")]
        if len(pickles) != 1 or not pickles[0].filename.endswith("/data.pkl"):
            raise ValueError("it does not hold one pickle called data.pkl")
        body = archive.read(pickles[0])
    names = set()
    for opcode, argument, _ in pickletools.genops(body):
        if opcode.name == "GLOBAL":
            names.add(str(argument).replace(" ", "."))
        elif opcode.name in _NAMING:
            raise ValueError(f"it uses {opcode.name}, which torch.save does not")
    return names


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
    if sum(len(_keys(args["model_architecture"])) for _ in neurons) != len(
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
    sizes = parse(_description(args)), n, units, latents
    keys = [prefix + key for key in _keys(args["model_architecture"])]
    missing = [key for key in keys if key not in weights]
    if missing:
        raise InvalidInput(f"it lacks the weights {missing[0]}.")
    with torch.device("meta"):  # nothing is allocated for what is not in the file
        planned = Network(*sizes)
    arrays = [p for _, conv in planned.steps() for p in (conv.weight, conv.bias)]
    if any(
        weights[key].numel() != array.numel()
        for key, array in zip(keys, arrays, strict=True)
    ):
        raise InvalidInput("its sizes are not those of its weights.")
    network = Network(*sizes)
    network.copy_reference_weights({key: weights[key] for key in keys})
    return network.eval()


def _description(args: dict[str, Any]) -> str:
    name = args["model_architecture"]
    if name not in published_names():
        raise InvalidInput(f"its encoder {name!r} is not a published one.")
    tied = describe(name, tied=True)
    return name if tied == describe(name) else tied


def _keys(name: str) -> list[str]:
    """Return the names of the weights in the reference's encoder of that name.

    They count the modules in a row: flattening, dropout and GELU are modules of
    their own, and what lies inside a skip is one below.
    """
    keys: list[str] = []
    architecture = parse(describe(name, tied=True))
    place, flat = 0, False
    for layer in architecture.layers:
        if layer.kernel == 1 and not flat:
            place, flat = place + 1, True
        inside = ".layer" if layer.beside else ""
        if layer.skip:
            inside = ".module" if "resnet" in name else ".module.0"
            if layer.dropout:
                inside = ".module.1"
        keys += [f"net.{place}{inside}.{part}" for part in ("weight", "bias")]
        place += 1
        if layer.dropout and not layer.skip:
            place += 1
        if layer.gelu and layer.skip != "+":
            place += 1
    return keys


def _label_types(labels: Any, depth: int = 0) -> Any:
    """Return (dtype name, shape) wherever the file has (dtype, shape)."""
    if isinstance(labels, list):
        return [_label_types(label, depth + 1) for label in labels]
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
        own = _weights(network, model.args["model_architecture"])
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


def _weights(network: Network, name: str) -> dict[str, Tensor]:
    """Return the weights under the names and in the shapes of the reference."""
    shared = parse(describe(name, tied=True))
    separate = parse(describe(name))
    if network.architecture not in (shared, separate):
        raise InvalidInput(f"The encoder is not the one that {name!r} stands for.")
    keys = _keys(name)
    arrays: list[Tensor] = []
    flat = False
    for layer, conv in network.steps():
        flat = flat or layer.kernel == 1
        weight = conv.weight.detach().cpu()
        arrays += [weight[:, :, 0] if flat else weight, conv.bias.detach().cpu()]
    if shared != network.architecture:
        _tie(arrays, shared, name)
    return dict(zip(keys, arrays, strict=True))


def _tie(arrays: list[Tensor], shared: Architecture, name: str) -> None:
    """Let layers that the reference repeats be one array, if they are equal."""
    for i, layer in enumerate(shared.layers):
        for part in (2 * i, 2 * i + 1) if layer.again else ():
            if not torch.equal(arrays[part], arrays[part - 2]):
                raise InvalidInput(
                    f"The hidden layers of {name!r} have weights of their own here, "
                    "which the published package cannot hold; save in this program's "
                    "own format."
                )
            arrays[part] = arrays[part - 2]


def _with_dtypes(labels: Any) -> Any:
    if isinstance(labels, list):
        return [_with_dtypes(label) for label in labels]
    dtype, shape = labels
    return np.dtype(dtype), tuple(shape)


# Only the pickler that is written in Python lets a class go by another name.
_PythonPickler: Any = pickle._Pickler


class _Pickler(_PythonPickler):
    """Names the stand-in after the class it stands for."""

    def save_global(self, obj: object, name: str | None = None) -> None:
        if obj is Offset:
            self.write(pickle.GLOBAL + b"cebra.data.datatypes\nOffset\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)


def _pickled(content: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    module = SimpleNamespace(__name__="pickle", Pickler=_Pickler)
    torch.save(content, stream, pickle_module=module)
    return stream.getvalue()
