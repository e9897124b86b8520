"""The estimator: published names and behaviour, and scikit-learn's conventions."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import napari_cebra
from napari_cebra import CEBRA, InvalidInput, metrics, recommended

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
CLASS = (LABEL[:, 0] > 0).astype(int)


@parametrize_with_checks([CEBRA(**{**QUICK, "max_iterations": 2})])
def test_scikit_learns_checks_pass_and_none_is_excluded(estimator, check):
    check(estimator)


def test_parameters_and_defaults_are_the_published_ones():
    cebra = pytest.importorskip("cebra")
    theirs = inspect.signature(cebra.CEBRA.__init__).parameters
    ours = inspect.signature(CEBRA.__init__).parameters
    assert [*ours][: len(theirs)] == [*theirs]
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
    public = [n for n in vars(cebra.CEBRA) if not n.startswith("_")]
    assert all(hasattr(CEBRA, name) for name in public)
    assert CEBRA.supported_model_architectures("offset10*")
    assert set(CEBRA.supported_model_architectures()) == set(
        cebra.CEBRA.supported_model_architectures()
    )


@pytest.mark.parametrize(
    ("labels", "extra"),
    [
        ((), {}),
        ((), {"conditional": "time_delta"}),  # published: time, without labels
        ((LABEL,), {}),
        ((LABEL[:, 0], LABEL[:, 1]), {"conditional": "time_delta"}),
        ((LABEL,), {"conditional": "delta_normal", "delta": 0.1}),
        ((LABEL,), {"conditional": "time"}),
        ((CLASS,), {}),
        ((LABEL, CLASS), {}),
        ((LABEL,), {"hybrid": True}),
        ((LABEL,), {"batch_size": None}),
        ((), {"batch_size": None}),
        ((LABEL,), {"break_ties": True, "exclude_self": True}),
        ((LABEL,), {"temperature_mode": "auto", "distance": "euclidean"}),
    ],
)
def test_every_way_of_learning_gives_latents(labels, extra):
    model = CEBRA(**{**QUICK, "model_architecture": "offset5-model", **extra})
    latents = model.fit(X, *labels).transform(X)
    assert latents.shape == (120, 3)
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1, rtol=1e-5)
    log = model.solver_.log
    assert {len(values) for values in log.values()} == {8}
    np.testing.assert_allclose(
        np.add(log["pos"], log["neg"]), log["total"], rtol=1e-5, atol=1e-5
    )
    assert model.state_dict_["log"] is log


def test_labels_may_be_named_and_data_may_be_nested_numbers_or_a_tensor():
    plain = CEBRA(**QUICK).fit(X, LABEL).transform(X)
    for other in (
        CEBRA(**QUICK).fit(X, y=LABEL),
        CEBRA(**QUICK).fit(X.tolist(), LABEL.tolist()),
        CEBRA(**QUICK).fit(torch.as_tensor(X), torch.as_tensor(LABEL)),
        CEBRA(**QUICK).fit(pd.DataFrame(X).to_numpy(), LABEL),
    ):
        assert np.array_equal(other.transform(X), plain)


def test_the_seed_decides_everything_and_no_seed_does_not():
    same = [CEBRA(**QUICK).fit(X, LABEL).transform(X) for _ in range(2)]
    assert np.array_equal(*same)
    free = {**QUICK, "random_state": None}
    other = [CEBRA(**free).fit(X, LABEL).transform(X) for _ in range(2)]
    assert not np.array_equal(*other)


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


def test_going_on_in_halves_is_as_good_as_going_on_at_once():
    settings = {**QUICK, "batch_size": 64, "max_iterations": 150, "learning_rate": 3e-3}
    model = CEBRA(**settings).partial_fit(X, LABEL)
    first = np.mean(model.solver_.log["total"][-20:])
    model.partial_fit(X, LABEL)
    assert np.mean(model.solver_.log["total"][-20:]) < first


def test_adapting_learns_a_first_layer_and_nothing_else():
    model = CEBRA(**QUICK, max_adapt_iterations=5).fit(X, LABEL)
    before = {k: v.clone() for k, v in model.model_.state_dict().items()}
    other, label = data(neurons=9, seed=3)
    model.fit(other, label, adapt=True)
    after = model.model_.state_dict()
    first = list(before)[:2]
    assert all(torch.equal(before[k], after[k]) for k in before if k not in first)
    assert after[first[0]].shape[1] == 9
    assert model.transform(other).shape == (120, 3)
    assert len(model.solver_.log["total"]) == 5


def test_callbacks_come_at_their_steps():
    seen = []
    model = CEBRA(**QUICK)
    model.fit(
        X, callback=lambda step, solver: seen.append((step, len(solver.history))),
        callback_frequency=3,
    )  # fmt: skip
    assert seen == [(0, 1), (3, 4), (6, 7)]


def test_several_recordings_share_one_space():
    other, label = data(90, 4, seed=3)
    sessions, labels = [X, other], [LABEL, label]
    model = CEBRA(**QUICK).fit(sessions, labels)
    assert model.num_sessions == model.num_sessions_ == 2
    assert model.n_features_ == [6, 4]
    assert model.transform(X, session_id=0).shape == (120, 3)
    assert model.transform(other, session_id=1).shape == (90, 3)
    with pytest.raises(InvalidInput, match="session_id"):
        model.transform(X)
    bits = metrics.goodness_of_fit_history(model)
    assert bits.shape == (8,) and np.isfinite(bits).all()
    assert np.isfinite(metrics.infonce_loss(model, other, label, session_id=1))
    model.fit([other, other], [label, label], adapt=True)
    assert model.n_features_ == [4, 4]
    with pytest.raises(InvalidInput, match=r"y\[0\] must be a list of 2"):
        model.fit(sessions, LABEL)


@pytest.mark.parametrize(
    ("labels", "extra"),
    [
        ([], {}),
        ([[CLASS, CLASS[:90]]], {}),
        ([[LABEL, LABEL[:90]], [CLASS, CLASS[:90]]], {}),
        ([[LABEL, LABEL[:90]]], {"hybrid": True}),
        ([[LABEL, LABEL[:90]]], {"batch_size": None}),
    ],
)
def test_several_recordings_in_every_way_the_reference_refuses(labels, extra):
    model = CEBRA(**{**QUICK, "max_iterations": 3, **extra})
    model.fit([X, X[:90, :4]], *labels)
    assert model.transform(X[:90, :4], session_id=1).shape == (90, 3)
    assert np.isfinite(model.solver_.log["total"]).all()


def test_what_is_not_offered_for_several_recordings_is_said():
    model = CEBRA(**QUICK, conditional="delta_normal", delta=0.1)
    with pytest.raises(InvalidInput, match="one recording at a time"):
        model.fit([X, X], [LABEL, LABEL])


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
    with pytest.raises(InvalidInput, match="not an estimator"):
        CEBRA.load(path)
    model = CEBRA(**QUICK).fit(X)
    model.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidInput, match="cut short"):
        CEBRA.load(path)
    model.encoders_[0].save(path)
    with pytest.raises(InvalidInput, match="holds weights, but not an estimator"):
        CEBRA.load(path)


def test_trials_invalid_rows_and_validation_rows_are_kept_apart():
    trials = np.repeat(np.arange(4), 30)
    valid = np.ones(120, bool)
    valid[60:70] = False
    holed = X.copy()
    holed[60:70] = np.nan
    model = CEBRA(**{**QUICK, "model_architecture": "offset5-model"})
    held = np.arange(120) >= 90
    model.fit(holed, LABEL, trials=trials, valid=valid, validation=held)
    latents = model.transform(holed, trials=trials, valid=valid)
    assert (
        np.isnan(latents[60:70]).all() and np.isfinite(latents[~(60 <= trials)]).any()
    )
    assert np.isfinite(np.delete(latents, np.s_[60:70], axis=0)).all()
    assert model.evaluations_[-1].bits_heldout is not None
    # what lies in another trial is not seen
    changed = holed.copy()
    changed[30:60] = 9
    moved = model.transform(changed, trials=trials, valid=valid)
    assert np.array_equal(moved[:30], latents[:30])


def test_without_padding_only_complete_windows_are_returned():
    cut = dict(QUICK, model_architecture="offset10-model", pad_before_transform=False)
    model = CEBRA(**cut).fit(X)
    padded = CEBRA(**{**cut, "pad_before_transform": True}).fit(X).transform(X)
    assert np.array_equal(model.transform(X), padded[5:-4])
    assert len(model.transform(X)) == 120 - 10 + 1


def test_recommended_settings_are_parameters():
    settings = recommended(rate=30)
    model = CEBRA(**{**settings, "output_dimension": 3, "max_iterations": 3})
    assert model.standardize and model.break_ties and model.exclude_self
    assert model.fit(X, LABEL).transform(X).shape == (120, 3)


@pytest.mark.parametrize(
    ("parameters", "arguments", "says"),
    [
        ({"optimizer": "sgd"}, (X,), "optimizer"),
        ({"criterion": "mse"}, (X,), "criterion"),
        ({"conditional": "near"}, (X, LABEL), "conditional must be"),
        ({"conditional": "delta_normal"}, (X, LABEL), "delta > 0"),
        ({"hybrid": True}, (X,), "hybrid"),
        ({"time_offsets": (1, 2)}, (X,), "time_offsets"),
        ({"masking_kwargs": (("p", 0.1),)}, (X,), "masking_kwargs"),
        ({"distance": "far"}, (X,), "distance"),
        ({}, (X, LABEL[:-1]), r"120 rows but labels y\[0\] have 119"),
        ({}, (X, CLASS, CLASS), "only one discrete"),
        ({}, (X, np.where(LABEL > 2, LABEL, np.nan)), "first: row 0"),
        ({"model_architecture": "offset50-model"}, (X[:20],), "window of 50"),
        ({}, ([X, X], [LABEL]), "list of 2"),
    ],
)
def test_what_cannot_be_fitted_is_said(parameters, arguments, says):
    with pytest.raises(ValueError, match=says):
        CEBRA(**{**QUICK, **parameters}).fit(*arguments)


def test_importing_the_package_needs_no_scikit_learn():
    import subprocess
    import sys

    code = "import napari_cebra, sys; napari_cebra.recommended(30); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "sklearn" not in loaded and "torch" not in loaded
    assert "metrics" in dir(napari_cebra)


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
