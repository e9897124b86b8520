"""Attributions against autograd one window at a time, captum and the reference."""

import sys
import types

import numpy as np
import pytest
import torch

from napari_cebra.embedding import Encoder, TrainConfig
from napari_cebra.embedding.attribution import (
    METHODS,
    AttributionConfig,
    attribute,
    attribute_rois,
    separation,
)
from napari_cebra.embedding.attribution import methods as methods_module
from napari_cebra.embedding.attribution import over_rows as over_rows_module
from napari_cebra.embedding.attribution.config import PARTS
from napari_cebra.embedding.attribution.pseudo_inverse import pseudo_inverse
from napari_cebra.embedding.attribution.result import map_names
from napari_cebra.embedding.encoder import Standardization, build_network
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import InvalidInput, window_rows

N, D = 7, 3
SEGMENT = np.r_[[-1] * 3, [0] * 14, [-1] * 2, [1] * 3, [2] * 18]
VALUES = np.random.default_rng(1).normal(1, 2, (len(SEGMENT), N)).astype(np.float32)
ARCHITECTURES = ["offset1-model", "offset10-model", "m4 u3 d1", "m3 d2 linear"]


def encoder(name="offset10-model", n=N, **settings):
    config = TrainConfig(
        model_architecture=name, output_dimension=D, num_hidden_units=8, **settings
    )
    fitted = np.random.default_rng(0).normal(1, 2, (50, n)).astype(np.float32)
    network = build_network(config, n, torch.Generator().manual_seed(0)).eval()
    return Encoder(network, Standardization.fit(fitted, config), config, {})


def windows_of(enc, values=VALUES, segment=SEGMENT):
    """(R, L, N) windows as the network sees them, the rows' own definition."""
    rows = window_rows(segment, *enc.receptive_field)[segment >= 0]
    return enc.standardization(torch.from_numpy(values[rows]))


def run(enc, method="jacobian-based", values=VALUES, segment=SEGMENT, **settings):
    rows = settings.pop("rows", None)
    config = AttributionConfig(method, **settings)
    return exhaust(attribute(enc, values, segment, config, rows))


def jacobians(enc, windows):
    """(R, D, L, N), one window after the other."""
    each = [
        torch.autograd.functional.jacobian(lambda w: enc.network(w[None])[0, 0], x)
        for x in windows
    ]
    return torch.stack(each)


def close(ours, theirs, **tolerance):
    theirs = theirs.detach().numpy() if torch.is_tensor(theirs) else theirs
    np.testing.assert_allclose(ours, theirs, **{"rtol": 1e-4, "atol": 1e-6} | tolerance)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("normalize_frames", [False, True])
def test_gradients_are_the_jacobian_of_each_window(name, normalize_frames):
    enc = encoder(name, normalize_frames=normalize_frames)
    expected = jacobians(enc, windows_of(enc))
    got = run(enc)
    assert got["jf"].shape == ((SEGMENT >= 0).sum(), D, N)
    assert got["jf"].dtype == np.float32
    np.testing.assert_array_equal(got.rows, np.flatnonzero(SEGMENT >= 0))
    close(got["jf"], expected.mean(2))
    close(got["jf-convabs"], expected.abs().mean(2))
    same = run(enc, "neuron-gradient-batched")
    np.testing.assert_array_equal(same["neuron-gradient"], got["jf"])


def test_the_pseudo_inverse_is_numpys_where_nothing_is_lost_to_rounding():
    enc = encoder("offset10-model-mse")
    got = run(enc)
    for name in ("jf", "jf-convabs"):
        full = np.linalg.pinv(got[name].astype(float)).transpose(0, 2, 1)
        close(got[f"{name}-inv-svd"], full, rtol=1e-3, atol=1e-4 * np.abs(full).max())
        assert got[f"{name}-inv-lsq"] is got[f"{name}-inv-svd"]


def test_the_pseudo_inverse_leaves_out_the_direction_a_sphere_has_not():
    got = run(encoder("offset10-model", n=N))
    j = got["jf"].astype(float)
    inverse = got["jf-inv-svd"].astype(float).transpose(0, 2, 1)
    singular = np.linalg.svd(j, compute_uv=False)
    assert (singular[:, -1] < 1e-5 * singular[:, 0]).all()
    close(j @ inverse @ j, j, rtol=0, atol=1e-5 * np.abs(j).max())
    rank = np.trace(j @ inverse, axis1=1, axis2=2)
    close(rank, np.full(len(j), D - 1.0))


def test_no_jacobian_at_all_has_a_pseudo_inverse_of_zero():
    assert pseudo_inverse(torch.zeros(2, 3, 4)).eq(0).all()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_integrated_gradients_and_ablation_agree_with_captum(name):
    attr = pytest.importorskip("captum.attr")
    enc = encoder(name)
    x = windows_of(enc)

    def forward(w):
        return enc.network(w)[:, 0]

    def of_each_latent(method, **settings):
        each = [method.attribute(x, target=d, **settings) for d in range(D)]
        return torch.stack(each, dim=1)  # (R, D, L, N)

    theirs = of_each_latent(attr.IntegratedGradients(forward), n_steps=20)
    got = run(enc, "integrated-gradients", n_steps=20)
    close(got["integrated-gradients"], theirs.mean(2))
    close(got["integrated-gradients-convabs"], theirs.abs().mean(2))
    with torch.no_grad():
        whole = torch.arange(N).expand(x.shape[1], N)[None]
        method = attr.FeatureAblation(forward)
        by_neuron = of_each_latent(method, feature_mask=whole)[:, :, 0]
        by_frame = of_each_latent(method)
    close(run(enc, "feature-ablation")["feature-ablation"], by_neuron)
    got = run(enc, "feature-ablation", ablate="frame")
    close(got["feature-ablation"], by_frame.mean(2))
    close(got["feature-ablation-convabs"], by_frame.abs().mean(2))


def test_gradient_shap_with_many_draws_is_integrated_gradients():
    enc = encoder("offset5-model")
    exact = run(enc, "integrated-gradients")["integrated-gradients"]
    drawn = run(enc, "neuron-gradient-shap", n_samples=800)["neuron-gradient-shap"]
    error = np.abs(drawn - exact).max() / np.abs(exact).max()
    assert error < 0.05
    few = run(enc, "neuron-gradient-shap", n_samples=2)["neuron-gradient-shap"]
    assert np.abs(few - exact).max() / np.abs(exact).max() > 0.1


def test_gradient_shap_against_rows_is_the_mean_over_all_their_baselines():
    attr = pytest.importorskip("captum.attr")
    enc = encoder("offset5-model")
    x = windows_of(enc)
    method = attr.IntegratedGradients(lambda w: enc.network(w)[:, 0])

    def against(row, d):
        baseline = x[row : row + 1]
        return method.attribute(x, baseline, target=d, n_steps=10).mean(1)

    rows = range(len(x))
    each = [torch.stack([against(r, d) for r in rows]).mean(0) for d in range(D)]
    exact = torch.stack(each, dim=1).detach().numpy()
    got = run(enc, "neuron-gradient-shap", n_samples=1500, baseline="rows")
    drawn = got["neuron-gradient-shap"]
    assert np.corrcoef(drawn.ravel(), exact.ravel())[0, 1] > 0.99
    assert np.abs(drawn - exact).max() < 0.15 * np.abs(exact).max()


def test_noise_spreads_the_draws_and_not_their_mean():
    enc = encoder("offset5-model")
    kept = {"n_samples": 400, "seed": 3}
    plain = run(enc, "neuron-gradient-shap", **kept)["neuron-gradient-shap"]
    noisy = run(enc, "neuron-gradient-shap", noise=0.05, **kept)
    difference = np.abs(noisy["neuron-gradient-shap"] - plain).max()
    assert 0 < difference < 0.1 * np.abs(plain).max()


@pytest.mark.parametrize("name", ["offset1-model", "offset10-model"])
def test_the_reference_finds_the_same_with_the_same_weights(name, monkeypatch):
    models = pytest.importorskip("cebra.models")
    # it asks for cvxpy where it begins, and needs it for nothing done here
    monkeypatch.setitem(sys.modules, "cvxpy", types.ModuleType("cvxpy"))
    registered = pytest.importorskip("cebra.attribution")
    torch.manual_seed(2)
    theirs = models.init(name, N, 8, D).eval()
    enc = encoder(name, standardize=False)
    enc.network.copy_reference_weights(theirs.state_dict())
    segment = np.zeros(len(VALUES), int)
    left, right = enc.receptive_field
    complete = slice(left, len(VALUES) - right + 1)
    settings = {"integrated-gradients": {"n_steps": 12}, "feature-ablation": {}}
    for method in ("jacobian-based", "neuron-gradient", *settings):
        input_data = torch.from_numpy(VALUES).requires_grad_()
        their = registered.init(method, theirs, input_data, D)
        if their.input_data.ndim == 2:
            their.input_data = their.input_data[:, :, None]
        maps = their.compute_attribution_map(**settings.get(method, {}))
        ours = run(
            enc,
            method,
            values=VALUES,
            segment=segment,
            **settings.get(method, {}),
            **({"ablate": "frame"} if method == "feature-ablation" else {}),
        )
        for key in list(ours.maps)[:2]:
            last = len(maps[key])
            close(ours[key][complete][:last], maps[key], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_chunks_change_nothing(method, monkeypatch):
    enc = encoder("offset5-model")
    whole = run(enc, method, n_steps=8)
    with monkeypatch.context() as patch:
        patch.setattr(methods_module, "EVALUATIONS", 5)
        patch.setattr(over_rows_module, "_CHUNK_BYTES", 50_000)
        parts = run(enc, method, n_steps=8)
        rois = exhaust(
            attribute_rois(enc, VALUES, SEGMENT, AttributionConfig(method, n_steps=8))
        )
    if method != "neuron-gradient-shap":  # its draws follow the chunks
        for name, values in whole.maps.items():
            close(parts[name], values, atol=1e-5 * np.abs(values).max())
    assert list(parts.maps) == list(rois.maps)
    for name in rois.maps:
        close(rois[name], np.abs(parts[name]).mean(0), rtol=1e-4)
        close(parts.by_roi()[name], rois[name], rtol=1e-4)
    assert rois.main == map_names(method, False)[method not in PARTS]
    assert rois.roi().shape == (N,)
    close(rois.roi(latents=slice(1, 3)), rois[rois.main][1:3].mean(0))


def test_rows_can_be_chosen_or_drawn_and_a_seed_repeats_it():
    enc = encoder("offset5-model")
    asked = np.zeros(len(SEGMENT), bool)
    asked[[0, 5, 30]] = True  # row 0 is in no stretch
    some = run(enc, rows=asked)
    np.testing.assert_array_equal(some.rows, [5, 30])
    full = run(enc)
    close(some["jf"], full["jf"][np.isin(full.rows, [5, 30])])
    first, again, other = (
        run(enc, "neuron-gradient-shap", max_rows=6, seed=seed) for seed in (1, 1, 2)
    )
    assert len(first.rows) == 6
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(
        first["neuron-gradient-shap"], again["neuron-gradient-shap"]
    )
    assert not np.array_equal(first.rows, other.rows)


def test_a_neuron_that_never_changed_in_training_has_no_share():
    config = TrainConfig(
        model_architecture="offset5-model", output_dimension=D, num_hidden_units=8
    )
    fitted = np.random.default_rng(0).normal(size=(50, N)).astype(np.float32)
    fitted[:, 2] = 4
    network = build_network(config, N, torch.Generator().manual_seed(0)).eval()
    enc = Encoder(network, Standardization.fit(fitted, config), config, {})
    for method in METHODS:
        share = run(enc, method, n_steps=3).by_roi().roi()
        assert share[2] == 0
        assert (np.delete(share, 2) > 0).all()


def test_separation_is_the_area_under_scikit_learns_curve():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth = rng.random((D, N)) < 0.4
    values = np.round(rng.random((D, N)) + 0.3 * truth, 1)  # with ties
    found = separation(values, truth)
    assert found.auc == pytest.approx(
        metrics.roc_auc_score(truth.ravel(), values.ravel())
    )
    assert found.gap == values[truth].min() - values[~truth].max()
    with pytest.raises(InvalidInput, match="both connected and unconnected"):
        separation(values, np.ones((D, N), bool))
    with pytest.raises(InvalidInput, match="true or false"):
        separation(values, truth.astype(int))


def test_settings_come_back_from_json_and_say_what_is_wrong():
    config = AttributionConfig("feature-ablation", ablate="frame", max_rows=9)
    assert AttributionConfig.from_json(config.to_json()) == config
    for wrong, words in [
        ({"method": "magic"}, "method"),
        ({"n_steps": 0}, "n_steps"),
        ({"max_rows": 2.5}, "max_rows"),
        ({"noise": -1.0}, "noise"),
        ({"colour": 1}, "colour"),
    ]:
        with pytest.raises(InvalidInput, match=words):
            AttributionConfig.from_dict(wrong)


def test_bad_input_is_named():
    enc = encoder()
    nan = VALUES.copy()
    nan[5, 1] = np.nan
    for arguments, words in [
        ((VALUES[:, :4], SEGMENT), "trained on 7 ROIs"),
        ((VALUES, SEGMENT[:4]), "4 stretch numbers"),
        ((nan, SEGMENT), "row 5"),
        ((VALUES, np.full(len(VALUES), -1)), "no row to attribute"),
    ]:
        with pytest.raises(InvalidInput, match=words):
            exhaust(attribute(enc, *arguments))
    with pytest.raises(InvalidInput, match="no attribution map called 'jff'"):
        _ = run(enc, max_rows=2)["jff"]
