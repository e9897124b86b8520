"""Files exchanged with the reference both ways, and those that are refused."""

import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from napari_cebra.embedding import (
    Encoder,
    TrainConfig,
    reference_files,
    reference_pickle,
)
from napari_cebra.embedding.architectures import published_names
from napari_cebra.embedding.encoder import Standardization, build_network
from napari_cebra.embedding.reference_files import (
    ReferenceModel,
    read_reference_model,
    without_standardization,
    write_reference_model,
)
from napari_cebra.embedding.reference_weights import weight_names
from napari_cebra.recording import InvalidInput

ROWS, N = 80, 6


def recording(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, n)).astype("f4"), rng.normal(size=(ROWS, 2))


def fitted(name="offset10-model", several=False, discrete=False, **args):
    cebra = pytest.importorskip("cebra")
    args = {"max_iterations": 2, "batch_size": 16, "device": "cpu"} | args
    torch.manual_seed(0)  # its first weights; some put latents next to the origin,
    model = cebra.CEBRA(name, output_dimension=3, num_hidden_units=8, **args)
    # from where rounding is carried far along the sphere
    x, y = recording()
    y = y.astype("f4")
    if several:
        other, _ = recording(4, 1)
        return model.fit([x, other], [y, y])
    labels = (y, np.arange(ROWS) % 3) if discrete else (y,)
    return model.fit(x, *labels)


def latents(model, x, session=None):
    return model.encoder(session).transform(x, np.zeros(len(x), int))


@pytest.mark.parametrize("name", published_names())
def test_weights_have_the_names_of_the_reference(name):
    models = pytest.importorskip("cebra.models")
    theirs = models.init(name, num_neurons=5, num_units=6, num_output=3)
    assert weight_names(name) == list(theirs.state_dict())


CASES = {
    "windows": {},
    "one frame": {"name": "offset1-model", "discrete": True},
    "tied": {"name": "offset1-model-mse-v2-3layers"},
    "tied skips": {"name": "offset1-model-mse-resnet-3layers-tanh"},
    "hybrid, learned": {
        "hybrid": True,
        "conditional": "time_delta",
        "temperature_mode": "auto",
    },
    "whole recording": {"batch_size": None},
    "Euclidean": {"name": "offset10-model-mse", "distance": "euclidean"},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_a_model_goes_to_us_and_back(case, tmp_path):
    theirs = fitted(**CASES[case])
    theirs.save(str(tmp_path / "theirs.pt"))
    model = read_reference_model(tmp_path / "theirs.pt")
    x, _ = recording(seed=5)
    expected = theirs.transform(x)
    np.testing.assert_allclose(latents(model, x), expected, rtol=1e-5, atol=1e-6)
    assert model.args == theirs.get_params()
    assert model.solver_name == theirs.solver_name_
    assert model.log == theirs.solver_.log
    assert model.losses.tolist() == theirs.solver_.history
    write_reference_model(tmp_path / "ours.pt", model)
    back = opened_there(tmp_path / "ours.pt")
    np.testing.assert_array_equal(back.transform(x), expected)
    assert back.label_types_ == theirs.label_types_
    assert back.get_params() == theirs.get_params()
    assert repr(back.offset_) == repr(theirs.offset_)
    assert back.solver_.criterion.temperature == pytest.approx(
        theirs.solver_.criterion.temperature
    )


def opened_there(path):
    """Open a file in the reference, both ways it has."""
    cebra = pytest.importorskip("cebra")
    estimator = pytest.importorskip("cebra.integrations.sklearn.cebra")
    safely = estimator._safe_torch_load(path, weights_only=True)
    estimator._load_cebra_with_sklearn_backend(safely)
    return cebra.CEBRA.load(str(path))


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_several_recordings(tmp_path):
    theirs = fitted(several=True)
    theirs.save(str(tmp_path / "theirs.pt"))
    model = read_reference_model(tmp_path / "theirs.pt")
    assert model.several and model.n_features == (N, 4)
    write_reference_model(tmp_path / "ours.pt", model)
    back = opened_there(tmp_path / "ours.pt")
    for session, n in enumerate((N, 4)):
        x, _ = recording(n, 7)
        expected = theirs.transform(x, session_id=session)
        got = latents(model, x, session)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(back.transform(x, session_id=session), expected)
    with pytest.raises(InvalidInput, match="trained on 2 recordings"):
        model.encoder()
    with pytest.raises(InvalidInput, match="no recording 2"):
        model.encoder(2)


def ours(name="offset5-model", **settings):
    config = TrainConfig(name, output_dimension=3, num_hidden_units=8, **settings)
    x = 3 + 2 * recording()[0]
    network = build_network(config, N, torch.Generator().manual_seed(0))
    return Encoder(network, Standardization.fit(x, config), config, {})


ARGS = {
    "model_architecture": "offset5-model",
    "num_hidden_units": 8,
    "output_dimension": 3,
    "learning_rate": 3e-4,
    "verbose": False,
    "device": "cpu",
    "optimizer_kwargs": (("betas", (0.9, 0.999)), ("eps", 1e-8)),
}


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_our_own_opens_there(tmp_path):
    encoder = ours()
    model = ReferenceModel(
        ARGS, (without_standardization(encoder),), [("float32", (ROWS, 2))]
    )
    write_reference_model(tmp_path / "ours.pt", model)
    x = 3 + 2 * recording(seed=3)[0]
    expected = encoder.transform(x, np.zeros(ROWS, int))
    got = opened_there(tmp_path / "ours.pt").transform(x)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_what_the_reference_cannot_hold_is_not_written(tmp_path):
    path = tmp_path / "ours.pt"
    with pytest.raises(InvalidInput, match="scales its input"):
        without_standardization(ours(normalize_frames=True))
    encoder = ours("m3 u1 d1")
    args = ARGS | {"model_architecture": "m3 u1 d1"}
    with pytest.raises(InvalidInput, match="not one the published package knows"):
        write_reference_model(path, ReferenceModel(args, (encoder.network,)))
    with pytest.raises(InvalidInput, match="not the one that"):
        write_reference_model(path, ReferenceModel(ARGS, (encoder.network,)))
    deep = "offset1-model-mse-v2-3layers"
    args = ARGS | {"model_architecture": deep}
    with pytest.raises(InvalidInput, match="weights of their own"):
        write_reference_model(path, ReferenceModel(args, (ours(deep).network,)))
    assert not path.exists()


def test_the_reference_need_not_be_installed(tmp_path):
    path = tmp_path / "ours.pt"
    write_reference_model(path, ReferenceModel(ARGS, (ours().network,)))
    code = (
        "import sys; sys.modules['cebra'] = None\n"
        "from napari_cebra.embedding.reference_files import *\n"
        f"model = read_reference_model({str(path)!r})\n"
        "write_reference_model(sys.argv[1], model)\n"
        "print(model.offset, model.n_features)"
    )
    again = tmp_path / "again.pt"
    run = [sys.executable, "-c", code, str(again)]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["(2,", "3)", f"({N},)"]
    assert read_reference_model(again).n_features == (N,)


def test_an_encoder_opens_from_either_kind_of_file(tmp_path):
    encoder = ours(standardize=False)
    model = ReferenceModel(ARGS, (encoder.network,))
    write_reference_model(tmp_path / "model.pt", model)
    x, _ = recording()
    opened = Encoder.load(tmp_path / "model.pt")
    rows = np.zeros(ROWS, int)
    np.testing.assert_array_equal(opened.transform(x, rows), encoder.transform(x, rows))
    opened.save(tmp_path / "model.safetensors")
    again = Encoder.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(x, rows), opened.transform(x, rows))


# ----------------------------------------------------------- files to be refused


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "model.pt"
    write_reference_model(path, ReferenceModel(ARGS, (ours().network,)))
    return path


def repacked(path, body=None, **options):
    """Put another pickle into a model file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in parts.items():
            replaced = body is not None and name.endswith("data.pkl")
            archive.writestr(name, body if replaced else content)


@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "system"), (eval, "eval"), (bytearray, "bytearray")],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_hostile_is_run(function, name, protocol, good, tmp_path):
    witness = tmp_path / "witness"
    if function is bytearray:
        argument = 10**12
    elif function is eval:
        argument = f"open({str(witness)!r}, 'w')"
    else:
        argument = f"touch {witness}"
    attack = {"args": Hostile(function, argument)}
    repacked(good, pickle.dumps(attack, protocol))
    with pytest.raises(InvalidInput, match=f"{name}|STACK_GLOBAL"):
        read_reference_model(good)
    torch.save(attack, good)
    with pytest.raises(InvalidInput, match=rf"asks for \w+\.{name}"):
        Encoder.load(good)
    assert not witness.exists()


def test_what_the_session_allows_to_others_is_not_allowed_here(good):
    torch.save({"args": Hostile(os.path.join, "a", "b")}, good)
    name = f"{os.path.__name__}.join"
    with torch.serialization.safe_globals([(os.path.join, name)]):
        assert torch.load(good, weights_only=True)["args"] == os.path.join("a", "b")
        with pytest.raises(InvalidInput, match="asks for"):
            read_reference_model(good)
    left = torch.serialization.get_safe_globals()
    assert not set(reference_pickle.STAND_INS) & set(left)


def test_a_damaged_file_is_one_sentence(good):
    content = good.read_bytes()
    for size in (0, 3, 100, len(content) // 2, len(content) - 10):
        good.write_bytes(content[:size])
        with pytest.raises(InvalidInput, match="cut short"):
            read_reference_model(good)
    good.unlink()
    with pytest.raises(InvalidInput, match="no model file"):
        read_reference_model(good)
    good.mkdir()
    with pytest.raises(InvalidInput, match="could not be read"):
        read_reference_model(good)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("name", "'own-model' is not a published one"),
        ("size", "sizes are not those of its weights"),
        ("huge", "not a number of neurons"),
        ("hollow", "sizes are not those of its weights"),
        ("endless", "does not hold a fitted model"),
        ("field", "receptive field"),
        ("fewer", "lacks the weights net"),
        ("more", "weights that its encoder does not have"),
        ("unfitted", "does not hold a fitted model"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(damage, said, good):
    content = reference_files._dicts(read_reference_model(good))
    weights = content["state_dict"]["model"]
    content["args"] = args = dict(content["args"])
    if damage == "name":
        args["model_architecture"] = "own-model"
    elif damage == "size":
        args["num_hidden_units"] = 10**6
    elif damage == "huge":
        content["state"]["n_features_in_"] = 10**12
    elif damage == "hollow":  # a large array of one number, repeated
        content["state"]["n_features_in_"] = 10**6
        weights["net.0.weight"] = torch.ones(1, 1, 1).expand(8, 10**6, 2)
    elif damage == "endless":
        content["state"]["label_types_"].append(content["state"]["label_types_"])
    elif damage == "field":
        content["state"]["offset_"].left = 5
    elif damage == "fewer":
        weights.popitem()
    elif damage == "more":
        weights["extra"] = torch.ones(1)
    else:
        del content["state"]["num_sessions_"]
    good.write_bytes(reference_pickle.pickled(content))
    with pytest.raises(InvalidInput, match=rf"model\.pt.*{said}"):
        read_reference_model(good)


def test_files_of_others_are_refused(good):
    torch.save([1, 2], good)
    with pytest.raises(InvalidInput, match="holds a list"):
        read_reference_model(good)
    torch.save({"weights": torch.ones(2)}, good)
    with pytest.raises(InvalidInput, match="does not hold a fitted model"):
        read_reference_model(good)
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(InvalidInput, match=r"data\.pkl"):
        read_reference_model(good)


def test_compressed_archives_are_refused(good):
    repacked(good, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidInput, match="compressed"):
        read_reference_model(good)


@pytest.mark.filterwarnings("ignore")
def test_a_pickled_estimator_is_refused_with_advice(tmp_path):
    fitted("offset1-model").save(str(tmp_path / "model.pt"), backend="torch")
    with pytest.raises(InvalidInput, match="save it again"):
        read_reference_model(tmp_path / "model.pt")
