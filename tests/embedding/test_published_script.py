"""A script for the published package, run with either import."""

from __future__ import annotations

import contextlib
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

cebra = pytest.importorskip("cebra")

SCRIPT = """
model = CEBRA(
    model_architecture="offset10-model", batch_size=128, learning_rate=3e-3,
    temperature=1, output_dimension=3, max_iterations=150, distance="cosine",
    conditional="time_delta", device="cpu", verbose=False, time_offsets=3,
)
model.fit(neural[:600], position[:600])
model.save(folder / "model.pt")
model = CEBRA.load(folder / "model.pt")
train, test = model.transform(neural[:600]), model.transform(neural[600:])
batched = model.transform(neural, batch_size=200)

decoder = KNNDecoder(n_neighbors=9, metric="cosine")
decoder.fit(train, position[:600])
knn = decoder.score(test, position[600:])
line = L1LinearRegressor(alpha=0.01)
line.fit(train, position[:600])
lasso = line.score(test, position[600:])

total = np.array(model.solver_.log["total"])
loss = metrics.infonce_loss(model, neural[:600], position[:600], num_batches=50)
bits = metrics.goodness_of_fit_score(
    model, neural[:600], position[:600], num_batches=50)
history = metrics.goodness_of_fit_history(model)
converted = metrics.infonce_to_goodness_of_fit(loss, model)
corrected = metrics.infonce_loss(
    model, neural[:600], position[:600], num_batches=5, correct_by_batchsize=True)

time_model = CEBRA(batch_size=128, max_iterations=20, device="cpu", time_offsets=3)
time_embedding = time_model.fit_transform(neural)
mixed = CEBRA(batch_size=128, max_iterations=20, device="cpu")
mixed_embedding = mixed.fit_transform(neural, position, direction)
hybrid = CEBRA(batch_size=128, max_iterations=20, device="cpu", hybrid=True)
hybrid_embedding = hybrid.fit(neural, position).transform(neural)
full = CEBRA(max_iterations=5, device="cpu", temperature_mode="auto")
full_embedding = full.fit(neural, position).transform(neural)

adapted = model.fit(neural[:, :20], position, adapt=True, callback=note,
                    callback_frequency=250)
adapted_embedding = adapted.transform(neural[:, :20])

multi = CEBRA(batch_size=64, max_iterations=20, device="cpu", output_dimension=3)
multi.fit([neural[:600], neural[600:, :15]], [position[:600], position[600:]])
first = multi.transform(neural[:600], session_id=0)
second = multi.transform(neural[600:, :15], session_id=1)

scores, pairs, runs = metrics.consistency_score([train, time_embedding[:600]], "runs")
datasets, _, _ = metrics.consistency_score(
    [first, second], "datasets", labels=[position[:600, 0], position[600:, 0]],
    dataset_ids=["a", "b"], num_discretization_bins=20)
widths = (model.n_features_, model.num_sessions_, multi.num_sessions_,
          len(model.state_dict_["loss"]), list(model.solver_.log))
"""


def recording():
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(900) / 97
    position = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    centre = rng.uniform(0, 2 * np.pi, 30)
    rate = np.exp(1.5 * np.cos(phase[:, None] - centre))
    neural = rng.poisson(rate).astype(np.float32)
    return neural, position.astype(np.float32), (np.sin(phase) > 0).astype(int)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run(package, metrics, folder):
    neural, position, direction = recording()
    steps = []
    names = {
        "CEBRA": package.CEBRA,
        "KNNDecoder": package.KNNDecoder,
        "L1LinearRegressor": package.L1LinearRegressor,
        "metrics": metrics,
        "np": np,
        "neural": neural,
        "position": position,
        "direction": direction,
        "folder": folder,
        "note": lambda step, solver: steps.append(step),
    }
    given = set(names)
    torch.manual_seed(0)
    with quiet():
        exec(compile(SCRIPT, "script", "exec"), names)
    found = {k: v for k, v in names.items() if k not in given and k[0] != "_"}
    return SimpleNamespace(**found, steps=steps), found


def test_a_published_script_runs_with_only_the_import_changed(tmp_path):
    import cebra.integrations.sklearn.metrics as published

    import napari_cebra

    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, found = run(napari_cebra, napari_cebra.metrics, tmp_path / "ours")
    theirs, expected = run(cebra, published, tmp_path / "theirs")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[name].shape == value.shape, name
            assert found[name].dtype.kind == value.dtype.kind, name
        elif np.isscalar(value):
            assert np.isscalar(found[name]), name
    assert ours.widths == theirs.widths
    assert ours.steps == theirs.steps
    # same method, other draws: scores differ by as little as seeds make
    for name in ("knn", "lasso"):
        assert abs(getattr(ours, name) - getattr(theirs, name)) < 0.1, name
    assert abs(ours.loss - theirs.loss) < 0.1
    assert abs(ours.bits - theirs.bits) < 0.15
    assert abs(ours.converted - theirs.converted) < 0.15
    assert abs(ours.corrected - theirs.corrected) < 0.15
    assert abs(ours.total[-20:].mean() - theirs.total[-20:].mean()) < 0.1
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=0.25)
