"""Transform at every kind of border, and files that come back the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors
import torch
from safetensors.numpy import save_file

from napari_cebra.embedding import Encoder, TrainConfig, Training
from napari_cebra.embedding import encoder as encoder_module
from napari_cebra.embedding.encoder import Standardization, build_network, padded_rows
from napari_cebra.recording import InvalidInput, window_rows

N = 7


def encoder(name="offset10-model", **settings):
    config = TrainConfig(
        model_architecture=name, output_dimension=3, num_hidden_units=8, **settings
    )
    rng = np.random.default_rng(0)
    fitted = Standardization.fit(rng.normal(2, 3, (50, N)).astype(np.float32), config)
    network = build_network(config, N, torch.Generator().manual_seed(0))
    return Encoder(network, fitted, config, {"steps": 0})


def window_by_window(enc, values, segment):
    """The definition: each row from its own window, edge rows repeated."""
    out = np.full((len(values), 3), np.nan, np.float32)
    rows = window_rows(segment, *enc.receptive_field)
    for i in np.flatnonzero(segment >= 0):
        x = enc.standardization(torch.from_numpy(values[rows[i]]))
        with torch.no_grad():
            out[i] = enc.network(x[None])[0, 0].numpy()
    return out


def plain(enc, values):
    """The same encoder on traces as they are."""
    config = replace(enc.config, standardize=False)
    return Encoder(enc.network, Standardization.fit(values, config), config, {})


SEGMENTS = {
    "one stretch": np.zeros(40, int),
    "short stretches": np.repeat([0, 1, 2, 3], [3, 1, 20, 16]),
    "gaps": np.r_[[-1] * 4, [0] * 12, [-1] * 3, [1] * 2, [2] * 15, [-1] * 4],
    "a single row": np.r_[[-1] * 20, 0, [-1] * 19],
}


@pytest.mark.parametrize(
    "name", ["offset1-model", "offset10-model", "m4 u3 d1", "u4/2&- u3/2 d2"]
)
@pytest.mark.parametrize("case", SEGMENTS)
@pytest.mark.parametrize("chunk", [None, 1])
def test_transform_equals_window_by_window(name, case, chunk, monkeypatch):
    if chunk is not None:
        monkeypatch.setitem(encoder_module._CHUNK_BYTES, "cpu", chunk)
        monkeypatch.setattr(encoder_module, "_SMALLEST_CHUNK", 5)
    values = np.random.default_rng(1).normal(size=(40, N)).astype(np.float32)
    segment = SEGMENTS[case]
    enc = encoder(name)
    got = enc.transform(values, segment)
    expected = window_by_window(enc, values, segment)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(got[:, 0]), segment < 0)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_nothing_to_transform():
    out = encoder().transform(np.ones((12, N), np.float32), np.full(12, -1))
    assert out.shape == (12, 3) and np.isnan(out).all()


@pytest.mark.parametrize(
    "name", ["offset1-model", "offset5-model", "offset10-model", "offset36-model"]
)
def test_padding_equals_reference_transform(name):
    cebra = pytest.importorskip("cebra")
    sizes = {"output_dimension": 3, "num_hidden_units": 8}
    model = cebra.CEBRA(name, max_iterations=1, batch_size=16, device="cpu", **sizes)
    values = np.random.default_rng(2).normal(size=(60, N)).astype(np.float32)
    model.fit(values)
    enc = plain(encoder(name), values)
    enc.network.copy_reference_weights(model.model_.state_dict())
    got = enc.transform(values, np.zeros(60, int))
    np.testing.assert_allclose(got, model.transform(values), rtol=1e-5, atol=1e-6)
    if name != "offset36-model":  # as long as two of these batches
        in_batches = model.transform(values, batch_size=19)
        np.testing.assert_allclose(got, in_batches, rtol=1e-5, atol=1e-6)


def test_a_subsampling_encoder_gives_a_latent_per_frame():
    """The reference gives one per four frames; those are among ours."""
    models = pytest.importorskip("cebra.models")
    solver = pytest.importorskip("cebra.solver.base")
    name = "offset20-model-4x-subsample"
    theirs = models.init(name, num_neurons=N, num_units=8, num_output=3).eval()
    values = np.random.default_rng(2).normal(size=(61, N)).astype(np.float32)
    enc = plain(encoder(name), values)
    enc.network.copy_reference_weights(theirs.state_dict())
    with torch.no_grad():
        expected = solver._not_batched_transform(
            theirs, torch.from_numpy(values), True, theirs.get_offset()
        )
    got = enc.transform(values, np.zeros(61, int))
    assert got.shape == (61, 3)
    np.testing.assert_allclose(got[::4], expected.numpy(), rtol=1e-5, atol=1e-6)


def test_padded_rows_cover_every_row_once():
    segment = SEGMENTS["gaps"]
    source, centers = padded_rows(segment, 5, 5)
    assert sorted(centers[centers >= 0]) == list(np.flatnonzero(segment >= 0))
    rows = window_rows(segment, 5, 5)
    for place in np.flatnonzero(centers >= 0):
        np.testing.assert_array_equal(source[place : place + 10], rows[centers[place]])


def test_standardization_uses_mean_and_sd_and_silences_constant_neurons():
    values = np.random.default_rng(0).normal(5, 2, (100, 3)).astype(np.float32)
    values[:, 1] = 4.5
    scaled = Standardization.fit(values, TrainConfig())(torch.from_numpy(values))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.numpy().std(0), [1, 0, 1], atol=1e-5)


def test_normalized_frames_ignore_a_shared_gain():
    values = np.random.default_rng(0).normal(0, 1, (100, N)).astype(np.float32)
    config = TrainConfig(standardize=False, normalize_frames=True)
    scale = Standardization.fit(values, config)
    got = scale(torch.from_numpy(3 * values))
    torch.testing.assert_close(got, scale(torch.from_numpy(values)), rtol=1e-4, atol=0)


def test_file_round_trip_is_exact(tmp_path, showing, quick):
    training = Training(
        showing.values, showing.segment, showing.train, None, showing.pairs, quick
    )
    for _ in training.run():
        pass
    enc = training.model()
    enc.save(tmp_path / "a.safetensors")
    back = Encoder.load(tmp_path / "a.safetensors")
    assert back.config == enc.config and back.training == enc.training
    assert back.receptive_field == (2, 3) and back.n_neurons == 24
    np.testing.assert_array_equal(
        back.transform(showing.values, showing.segment),
        enc.transform(showing.values, showing.segment),
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_file_says_what_it_was_made_with_and_from(tmp_path, showing, quick):
    training = Training(
        showing.values, showing.segment, showing.train, None, showing.pairs, quick
    )
    enc = training.model()
    used = showing.values[showing.train]
    assert enc.training["data_sha256"] == encoder_module.hash_of_values(used)
    changed = used.copy()
    changed[0, 0] += 1
    assert encoder_module.hash_of_values(changed) != enc.training["data_sha256"]
    assert encoder_module.hash_of_values(used.T) != enc.training["data_sha256"]
    enc.save(tmp_path / "a.safetensors")
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as file:
        written_with = json.loads(file.metadata()["written_with"])
    assert written_with["torch"] == torch.__version__
    assert set(written_with) == {"napari-cebra", "python", "numpy", "torch"}


def test_files_of_the_first_version_open(tmp_path):
    """Made as version 1 of this program made them."""
    enc = encoder("offset5-model")
    header = {
        "format": "napari-cebra encoder",
        "version": "1",
        "config": json.dumps(enc.config.to_dict()),
        "training": '{"steps": 0}',
    }
    arrays = {f"network.{k}": v.numpy() for k, v in enc.network.state_dict().items()}
    arrays["mean"] = enc.standardization.mean.numpy()
    arrays["scale"] = enc.standardization.scale.numpy()
    first = ["mean", "network.convs.0.bias", "network.convs.0.weight"]
    assert sorted(arrays)[:3] == first
    save_file(arrays, tmp_path / "a.safetensors", header)
    back = Encoder.load(tmp_path / "a.safetensors")
    values = np.random.default_rng(0).normal(size=(30, N)).astype(np.float32)
    rows = np.zeros(30, int)
    np.testing.assert_array_equal(
        back.transform(values, rows), enc.transform(values, rows)
    )


def test_wrong_number_of_neurons_is_refused():
    with pytest.raises(InvalidInput, match="trained on 7 ROIs"):
        encoder().transform(np.ones((30, 8), np.float32), np.zeros(30, int))
    with pytest.raises(InvalidInput, match="stretch numbers"):
        encoder().transform(np.ones((30, N), np.float32), np.zeros(29, int))


def test_the_file_may_be_read_by_whom_any_file_may(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"")
    encoder().save(tmp_path / "encoder.safetensors")
    assert (tmp_path / "encoder.safetensors").stat().st_mode == other.stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


def test_files_that_are_no_encoder_are_refused(tmp_path):
    path = tmp_path / "encoder.safetensors"
    with pytest.raises(InvalidInput, match="no encoder file"):
        Encoder.load(path)
    encoder().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidInput, match="cut short"):
        Encoder.load(path)
    path.write_bytes(b"")
    with pytest.raises(InvalidInput, match="no encoder file"):
        Encoder.load(path)
    save_file({"a": np.ones(2)}, path)
    with pytest.raises(InvalidInput, match="no encoder file but holds"):
        Encoder.load(path)
    header = {"format": encoder_module.FILE.format, "version": "99"}
    save_file({"a": np.ones(2)}, path, header)
    with pytest.raises(InvalidInput, match="later version"):
        Encoder.load(path)
    header["version"] = "1"
    save_file({"a": np.ones(2)}, path, header)
    with pytest.raises(InvalidInput, match="does not fit together"):
        Encoder.load(path)


def test_an_unwritable_folder_is_one_sentence(tmp_path):
    with pytest.raises(InvalidInput, match=r"Cannot write a\.safetensors: the folder"):
        encoder().save(tmp_path / "missing" / "a.safetensors")
