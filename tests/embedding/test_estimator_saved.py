"""Estimators that go on: with new data, and from files of either package."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import save_file

from napari_cebra import CEBRA, InvalidInput, metrics

QUICK = dict(
    max_iterations=8,
    batch_size=32,
    num_hidden_units=8,
    output_dimension=3,
    random_state=0,
    device="cpu",
    threads=1,
)  # fmt: skip


def data(rows=120, neurons=6, seed=0):
    rng = np.random.default_rng(seed)
    angle = np.cumsum(rng.normal(0.1, 0.1, rows))
    phases = rng.uniform(0, 2 * np.pi, neurons)
    x = np.cos(angle[:, None] - phases) + rng.normal(0, 0.3, (rows, neurons))
    return x, np.stack([np.cos(angle), np.sin(angle)], axis=1)


X, LABEL = data()


def test_partial_fit_goes_on_with_new_data():
    new, label = data(seed=5)
    model = CEBRA(**QUICK).partial_fit(X, LABEL)
    before = {k: v.clone() for k, v in model.model_.state_dict().items()}
    model.partial_fit(new, label)
    assert len(model.solver_.log["total"]) == 16
    again = CEBRA(**QUICK).partial_fit(X, LABEL).partial_fit(X, LABEL)
    # what the second call learnt depends on its data
    assert not np.array_equal(again.transform(X), model.transform(X))
    fresh = CEBRA(**QUICK).fit(new, label).model_.state_dict()
    for name, weight in model.model_.state_dict().items():
        # … and it began where the first ended: Adam moves a weight by about the
        # rate a step, 8 × 3e-4
        assert (weight - before[name]).abs().max() < 20 * 3e-4
        assert not torch.equal(weight, fresh[name])


def test_going_on_keeps_the_first_standardization():
    model = CEBRA(**QUICK, standardize=True).partial_fit(X, LABEL)
    mean = model.encoders_[0].standardization.mean.clone()
    model.partial_fit(X + 5, LABEL)
    assert torch.equal(model.encoders_[0].standardization.mean, mean)
    assert model.encoders_[0].config.standardize


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature_mode": "auto", "hybrid": True, "standardize": True},
        {"weight_decay": 0.01, "input_dropout": 0.2, "batch_size": None},
        {"masking_kwargs": (("RandomNeuronMask", [0.2, 0.4]),)},
        {"model_architecture": "offset36-model-dropout"},
    ],
)
def test_a_saved_training_goes_on_to_the_bits_of_one_unbroken(
    tmp_path, settings, several
):
    x, label = ([X, X[:90, :4]], [LABEL, LABEL[:90]]) if several else (X, LABEL)
    if settings.get("batch_size", 1) is None and not several:
        settings = {**settings, "input_dropout": 0.0}
    settings = {**QUICK, "max_iterations": 6, **settings}
    whole = CEBRA(**{**settings, "max_iterations": 12}).fit(x, label)
    half = CEBRA(**settings).fit(x, label)
    half.save(tmp_path / "half.safetensors")
    back = CEBRA.load(tmp_path / "half.safetensors")
    assert back.get_params() == half.get_params()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half.partial_fit(x, label)
        back.partial_fit(x, label)
    for name, weight in whole.model_.state_dict().items():
        assert torch.equal(half.model_.state_dict()[name], weight), name
        assert torch.equal(back.model_.state_dict()[name], weight), name
    assert back.solver_.log == half.solver_.log == whole.solver_.log


def test_a_file_without_the_optimisers_state_says_so(tmp_path):
    path = tmp_path / "model"
    CEBRA(**QUICK).fit(X, LABEL).save(path)
    with safetensors.safe_open(path, "pt") as file:
        header, names = file.metadata(), list(file.keys())
        kept = {
            name: file.get_tensor(name)
            for name in names
            if not name.startswith(("optimizer.", "generator"))
        }
    assert len(kept) < len(names)
    state = json.loads(header["state"])
    del state["optimizer"]  # as files were before it and a checksum were kept
    del header["sha256"]
    save_file(kept, path, {**header, "version": "1", "state": json.dumps(state)})
    old = CEBRA.load(path)
    with pytest.warns(UserWarning, match="not known from an old file"):
        old.partial_fit(X, LABEL)
    assert len(old.solver_.log["total"]) == 16


def test_an_optimiser_of_other_weights_begins_anew_and_says_so():
    model = CEBRA(**QUICK, max_adapt_iterations=3).fit(X, LABEL)
    model.fit(X, LABEL, adapt=True)
    with pytest.warns(UserWarning, match="not the same weights"):
        model.partial_fit(X, LABEL)
    model.set_params(weight_decay=0.1)
    with pytest.warns(UserWarning, match="with the same optimiser"):
        model.partial_fit(X, LABEL)
    with pytest.raises(InvalidInput, match="goes on with the recordings"):
        model.partial_fit([X, X], [LABEL, LABEL])


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        (
            (LABEL,),
            (),
            r"with y\[0\] of floats of shape \(T, 2\) .* no labels y; pass y",
        ),
        ((), (LABEL,), r"with no labels y but is given y\[0\] of floats"),
        ((LABEL,), (LABEL > 0,), "in 2 columns"),
        ((LABEL,), (LABEL[:, 0],), r"\(T, 2\) but is given .*\(T, 1\)"),
        ((LABEL,), (LABEL[:, 0] > 0,), "but is given y.0. of whole numbers"),
        ((LABEL,), (LABEL, LABEL[:, 0] > 0), r"and y\[1\] of whole numbers"),
    ],
)
def test_going_on_with_labels_of_another_kind_is_refused(before, now, says, several):
    def each(arrays):
        return [[a, a] for a in arrays] if several else arrays

    x = [X, X] if several else X
    model = CEBRA(**QUICK).fit(x, *each(before))
    types = model.label_types_
    with pytest.raises(InvalidInput, match=says):
        model.partial_fit(x, *each(now))
    which = 1 if several else None
    with pytest.raises(InvalidInput, match=says):
        metrics.goodness_of_fit_score(model, X, *now, session_id=which)
    assert model.label_types_ == types and len(model.solver_.history) == 8
    assert np.isfinite(
        metrics.goodness_of_fit_score(model, X, *before, session_id=which)
    )


def test_going_on_in_halves_is_as_good_as_going_on_at_once():
    settings = {**QUICK, "batch_size": 64, "max_iterations": 150, "learning_rate": 3e-3}
    model = CEBRA(**settings).partial_fit(X, LABEL)
    first = np.mean(model.solver_.log["total"][-20:])
    model.partial_fit(X, LABEL)
    assert np.mean(model.solver_.log["total"][-20:]) < first


@pytest.mark.parametrize("several", [False, True])
def test_a_saved_estimator_comes_back(tmp_path, several):
    model = CEBRA(**QUICK, standardize=True, model_architecture="offset5-model")
    x, label = ([X, X[:90]], [LABEL, LABEL[:90]]) if several else (X, LABEL)
    model.fit(x, label)
    model.save(tmp_path / "model.pt")
    back = CEBRA.load(tmp_path / "model.pt")
    which = 1 if several else None
    assert np.array_equal(
        back.transform(X, session_id=which), model.transform(X, session_id=which)
    )
    assert back.get_params() == model.get_params()
    assert back.label_types_ == model.label_types_
    assert back.solver_.log["total"] == model.solver_.log["total"]
    back.partial_fit(x, label)
    assert len(back.solver_.log["total"]) == 16
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(
        again.transform(X, session_id=which), model.transform(X, session_id=which)
    )


def test_foreign_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    with pytest.raises(InvalidInput, match="no estimator file"):
        CEBRA.load(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(InvalidInput, match="fitted model of the reference"):
        CEBRA.load(path)
    path.write_bytes(b"words")
    with pytest.raises(InvalidInput, match="is no estimator file"):
        CEBRA.load(path)
    model = CEBRA(**QUICK).fit(X)
    model.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidInput, match="cut short"):
        CEBRA.load(path)
    model.encoders_[0].save(path)
    with pytest.raises(InvalidInput, match="no estimator file but holds"):
        CEBRA.load(path)


@pytest.mark.parametrize("several", [False, True])
def test_models_go_to_the_published_package_and_come_back(tmp_path, several):
    cebra = pytest.importorskip("cebra")
    settings = {**QUICK, "model_architecture": "offset5-model", "standardize": True}
    model = CEBRA(**settings, temperature_mode="auto")
    x, label = ([X, X[:90]], [LABEL, LABEL[:90]]) if several else (X, LABEL)
    which = {"session_id": 1} if several else {}
    model.fit(x, label).save(tmp_path / "ours.pt", backend="cebra")
    there = cebra.CEBRA.load(tmp_path / "ours.pt")
    expected = model.transform(X, **which)
    np.testing.assert_allclose(there.transform(X, **which), expected, atol=1e-5)
    there.save(tmp_path / "theirs.pt")
    back = CEBRA.load(tmp_path / "theirs.pt")
    np.testing.assert_allclose(back.transform(X, **which), expected, atol=1e-5)
    assert back.get_params() == {**back.get_params(), **there.get_params()}
    assert back.num_sessions_ == there.num_sessions_
    assert back.label_types_ == there.label_types_
    back.partial_fit(x, label)
