"""The estimator: published names and behaviour, and scikit-learn's conventions."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import napari_cebra
from napari_cebra import CEBRA, InvalidInput, metrics, recommended
from napari_cebra.embedding.estimator.inputs import numbered, read_labels
from napari_cebra.embedding.sessions.training import SessionObjective
from napari_cebra.embedding.training import RecordingObjective

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
        ((LABEL,), {"masking_kwargs": (("TimeBlockMask", (0.3, 2)),)}),
        ((LABEL,), {"batch_size": None, "masking_kwargs": (("NeuronBlockMask", 0.4),)}),
        ((CLASS,), {"mix_repeats": 0.5}),
        ((CLASS,), {"mix_repeats": 0.5, "batch_size": None}),
        ((CLASS,), {"mix_repeats": 0.5, "hybrid": True}),
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


@pytest.mark.parametrize("several", [False, True])
def test_a_step_that_memory_was_too_short_for_is_logged_once(several, monkeypatch):
    x, label = ([X, X[:90]], [LABEL, LABEL[:90]]) if several else (X, LABEL)
    plain = CEBRA(**QUICK, hybrid=True).fit(x, label)
    kind = SessionObjective if several else RecordingObjective
    backward = kind.backward

    def short(self, batch, step, parts):
        loss = backward(self, batch, step, parts)
        if step == 3 and parts < 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return loss

    monkeypatch.setattr(kind, "backward", short)
    log = CEBRA(**QUICK, hybrid=True).fit(x, label).solver_.log
    for name, values in plain.solver_.log.items():
        np.testing.assert_allclose(log[name], values, rtol=1e-4)


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
        ([[LABEL, LABEL[:90]]], {"conditional": "delta_normal", "delta": 0.1}),
        ([[LABEL, LABEL[:90]]], {"distance": "euclidean", "temperature_mode": "auto"}),
        ([[LABEL, LABEL[:90]]], {"masking_kwargs": (("RandomNeuronMask", 0.3),)}),
        ([[CLASS, CLASS[:90]]], {"mix_repeats": 0.5}),
        ([[CLASS, CLASS[:90]]], {"mix_repeats": 0.5, "hybrid": True}),
    ],
)
def test_several_recordings_in_every_way_the_reference_refuses(labels, extra):
    model = CEBRA(**{**QUICK, "max_iterations": 3, **extra})
    model.fit([X, X[:90, :4]], *labels)
    assert model.transform(X[:90, :4], session_id=1).shape == (90, 3)
    log = model.solver_.log
    assert {len(values) for values in log.values()} == {3}
    assert np.isfinite(log["total"]).all()
    np.testing.assert_allclose(
        np.add(log["pos"], log["neg"]), log["total"], rtol=1e-5, atol=1e-5
    )


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


def test_equal_classes_are_equal_in_all_recordings():
    """Also where one recording has classes that the others have not."""
    named = read_labels((CLASS,), 120), read_labels((np.where(CLASS, 1, -7),), 120)
    first, second = (part.classes for part in numbered(named))
    assert min(first.min(), second.min()) == 0
    assert np.array_equal(first[CLASS == 1], second[CLASS == 1])
    assert not np.isin(first[CLASS == 0], second).any()
    plain = CEBRA(**QUICK).fit([X, X], [CLASS, CLASS])
    other = CEBRA(**QUICK).fit([X, X], [CLASS - 9, CLASS - 9])
    assert plain.solver_.log == other.solver_.log


@pytest.mark.parametrize(
    ("parameters", "arguments", "says"),
    [
        ({"optimizer": "sgd"}, (X,), "optimizer"),
        ({"criterion": "mse"}, (X,), "criterion"),
        ({"conditional": "near"}, (X, LABEL), "conditional must be"),
        ({"conditional": "delta_normal"}, (X, LABEL), "delta > 0"),
        ({"hybrid": True}, (X,), "hybrid"),
        ({"time_offsets": (1, 2)}, (X,), "time_offsets"),
        ({"masking_kwargs": (("p", 0.1),)}, (X,), "masking_kwargs: There is no mask"),
        ({"masking_kwargs": ("p", 0.1)}, (X,), "masking_kwargs must be pairs"),
        ({"mix_repeats": 0.5}, (X, LABEL), "no two usable rows have the same"),
        ({"mix_repeats": 0.5}, (X,), "no two usable rows have the same"),
        ({"mix_repeats": 0.5}, ([X, X], [LABEL, LABEL]), "no two usable rows"),
        ({"conditional": "delta_normal"}, ([X, X], [LABEL, LABEL]), "delta > 0"),
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
