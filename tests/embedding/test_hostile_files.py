"""A damaged file of weights is refused in one sentence that names it."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import safetensors
import safetensors.torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from napari_cebra import CEBRA
from napari_cebra.embedding import (
    ContinuousPairs,
    Encoder,
    MultiEncoder,
    Session,
    SessionTraining,
    TimePairs,
    TrainConfig,
    Training,
    UnifiedEncoder,
    UnifiedTraining,
    read_reference_model,
)
from napari_cebra.embedding.weights_file import checksum
from napari_cebra.recording import InvalidInput

CONFIG = TrainConfig(
    model_architecture="offset5-model",
    output_dimension=2,
    num_hidden_units=4,
    batch_size=8,
    max_iterations=2,
    evaluations=1,
    time_offsets=2,
    device="cpu",
    threads=1,
)
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(60, 3)).astype(np.float32)
LABEL = np.sin(np.cumsum(RNG.normal(0, 0.3, 60)))[:, None]
ROWS = np.zeros(60, int), np.ones(60, bool)
MANY = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def trained(training):
    for _ in training.run():
        pass
    return training


def plain():
    return Training(VALUES, *ROWS, None, TimePairs(2), CONFIG)


def sessions():
    return [Session(VALUES, ROWS[0], ContinuousPairs(LABEL, 2)) for _ in range(2)]


def estimator(x, label):
    parameters = {"max_iterations": 2, "batch_size": 8, "num_hidden_units": 4}
    masks = (("RandomNeuronMask", [0.2, 0.3]),)
    model = CEBRA(
        **parameters, device="cpu", threads=1, random_state=0, masking_kwargs=masks
    )
    return model.fit(x, label)


def resumed(path):
    plain().resume(path)


LOADS = {
    "encoder": Encoder.load,
    "encoders": MultiEncoder.load,
    "unified": UnifiedEncoder.load,
    "estimator": CEBRA.load,
    "estimator of several": CEBRA.load,
    "training": resumed,
    "reference": read_reference_model,
    "reference of several": CEBRA.load,
}
OWN = [name for name in LOADS if "reference" not in name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of a good file of each kind."""
    folder = tmp_path_factory.mktemp("good")
    several = trained(SessionTraining(sessions(), CONFIG)).model()
    one, two = estimator(VALUES, LABEL), estimator([VALUES] * 2, [LABEL] * 2)
    writes = {
        "encoder": trained(plain()).model().save,
        "encoders": several.save,
        "unified": trained(UnifiedTraining(sessions(), CONFIG)).model().save,
        "estimator": one.save,
        "estimator of several": two.save,
        "training": trained(plain()).checkpoint,
        "reference": lambda path: one.save(path, backend="cebra"),
        "reference of several": lambda path: two.save(path, backend="cebra"),
    }
    found = {}
    for name, write in writes.items():
        write(folder / "file")
        found[name] = (folder / "file").read_bytes()
        LOADS[name](folder / "file")
    return found


@pytest.fixture
def opens_or_says(tmp_path):
    path = tmp_path / "given.file"

    def tried(name, content):
        path.write_bytes(content)
        begun = time.perf_counter()
        try:
            LOADS[name](path)
            opened = True
        except InvalidInput as error:
            assert path.name in str(error)
            opened = False
        assert time.perf_counter() - begun < 5  # nothing announced is allocated
        return opened

    return tried


@pytest.mark.parametrize("name", LOADS)
@given(share=st.floats(0, 1, exclude_max=True))
@MANY
def test_cut_short_at_any_length(name, share, files, opens_or_says):
    good = files[name]
    assert not opens_or_says(name, good[: int(share * len(good))])


@pytest.mark.parametrize("name", LOADS)
def test_cut_short_where_parts_meet(name, files, opens_or_says):
    good = files[name]
    header = 8 + struct.unpack("<Q", good[:8])[0] if name in OWN else 30
    edges = {0, 1, 4, 7, 8, 9, header - 1, header, header + 1, len(good) - 1}
    for length in sorted(edges):
        assert not opens_or_says(name, good[:length])


FLIPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    min_size=1,
    max_size=8,
)


def changed(good, flips, early):
    content = bytearray(good)
    # the header is short: half of the time only it is hit
    reach = min(1500, len(content)) if early else len(content)
    for share, value in flips:
        content[int(share * reach)] = value
    return bytes(content)


def parts_of(content):
    """Header and tensors' types, shapes and bytes of a file of ours."""
    tensors = {
        key: (str(value.dtype), [*value.shape], value.numpy().tobytes())
        for key, value in safetensors.torch.load(content).items()
    }
    return metadata_of(content), tensors


@pytest.mark.parametrize("name", OWN)
@given(flips=FLIPS, early=st.booleans())
@MANY
def test_a_file_with_changed_bytes_is_refused(name, flips, early, files, opens_or_says):
    content = changed(files[name], flips, early)
    if opens_or_says(name, content):
        assert parts_of(content) == parts_of(files[name])


@pytest.mark.parametrize("name", OWN)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@MANY
def test_one_bit_of_the_weights_is_enough(name, share, bit, files, opens_or_says):
    good = bytearray(files[name])
    begin = 8 + struct.unpack("<Q", good[:8])[0]
    good[begin + int(share * (len(good) - begin))] ^= 1 << bit
    assert not opens_or_says(name, bytes(good))


BROKEN = (
    *(ValueError, LookupError, TypeError, AttributeError, struct.error),
    safetensors.SafetensorError,
)


@pytest.mark.parametrize("name", LOADS)
@given(flips=FLIPS, early=st.booleans())
@MANY
def test_bytes_changed_and_the_checksum_made_good(
    name, flips, early, files, opens_or_says
):
    content = changed(files[name], flips, early)
    # unless it is no longer a file that could have one
    with suppress(*BROKEN):
        content = with_header(content, metadata_of(content))
    opens_or_says(name, content)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "offset5-model", "u999999999 d9", "-1", "[[[[", "\x00é"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=4,
)


def places(tree, path=()):
    """All places in a tree of dicts and lists."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def with_header(good, metadata):
    """Return a file of ours with another header, lengths and checksum made good."""
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + length])
    tensors = safetensors.torch.load(good)
    header["__metadata__"] = {**metadata, "sha256": checksum(metadata, tensors)}
    written = json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + good[8 + length :]


def metadata_of(good):
    length = struct.unpack("<Q", good[:8])[0]
    return json.loads(good[8 : 8 + length])["__metadata__"]


@pytest.mark.parametrize("name", OWN)
@given(data=st.data(), lie=ANYTHING)
@MANY
def test_a_header_that_lies(name, data, lie, files, opens_or_says):
    metadata = metadata_of(files[name])
    tree = {
        key: json.loads(text) if text[:1] in "{[" else text
        for key, text in metadata.items()
    }
    place = data.draw(st.sampled_from(sorted(places(tree), key=str)))
    target = tree
    for key in place[:-1]:
        target = target[key]
    if data.draw(st.booleans()):
        target[place[-1]] = lie
    else:
        target.pop(place[-1])
    lying = {
        key: part if isinstance(part, str) else json.dumps(part)
        for key, part in tree.items()
    }
    opens_or_says(name, with_header(files[name], lying))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("version", ["2000000000", "9" * 5000, "", "-1", "1.5", "x"])
def test_versions_of_no_such_program(name, version, files, opens_or_says):
    metadata = {**metadata_of(files[name]), "version": version}
    assert not opens_or_says(name, with_header(files[name], metadata))


@pytest.mark.parametrize("name", ["encoder", "encoders", "unified", "estimator"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_hidden_units", 65536),
        ("output_dimension", 4096),
        ("model_architecture", "u999999 d9999"),
        ("model_architecture", "u2 " + "+3 " * 2000 + "d3"),
    ],
)
def test_sizes_that_the_file_does_not_have(name, setting, value, files, opens_or_says):
    metadata = metadata_of(files[name])
    key = "state" if name == "estimator" else "config"
    tree = json.loads(metadata[key])
    (tree["config"] if name == "estimator" else tree)[setting] = value
    metadata[key] = json.dumps(tree)
    assert not opens_or_says(name, with_header(files[name], metadata))


def test_text_nested_beyond_reason(files, opens_or_says):
    deep = "[" * 100_000 + "]" * 100_000
    for name, key in (("encoder", "training"), ("estimator", "state")):
        metadata = {**metadata_of(files[name]), key: deep}
        assert not opens_or_says(name, with_header(files[name], metadata))


@pytest.mark.parametrize("name", OWN)
def test_every_file_of_another_kind(name, files, opens_or_says):
    for other, content in files.items():
        if LOADS[other] != LOADS[name] and "reference" not in other:
            # a unified encoder is an encoder, of the neurons of all recordings
            opened = opens_or_says(name, content)
            assert opened == (name == "encoder" and other == "unified")


def with_pickle(good, change):
    """Return a model of the reference whose pickle was changed, sums made good."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as before,
        zipfile.ZipFile(stream, "w") as archive,
    ):
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = change(content)
            archive.writestr(entry.filename, content)
    return stream.getvalue()


@given(body=st.binary(max_size=60))
@example(body=b"cos\nsystem\n(S'true'\ntR.")
@example(body=b"\x80\x02cbuiltins\nexec\nX\x04\x00\x00\x00pass\x85R.")
@example(body=b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.")
@MANY
def test_a_pickle_of_anything(body, files, opens_or_says):
    lying = with_pickle(files["reference"], lambda content: body)
    assert not opens_or_says("reference", lying)


@pytest.mark.parametrize("name", ["reference", "reference of several"])
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    )
)
@settings(MANY, max_examples=400)
def test_a_pickle_changed_here_and_there(name, flips, files, opens_or_says):
    def change(content):
        content = bytearray(content)
        for share, value in flips:
            content[int(share * len(content))] = value
        return bytes(content)

    opens_or_says(name, with_pickle(files[name], change))
