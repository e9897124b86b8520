"""InfoNCE and goodness of fit of a fitted estimator, against the reference's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cebra import CEBRA, InvalidInput, metrics

cebra = pytest.importorskip("cebra")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(500) / 61
    label = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    centre = rng.uniform(0, 2 * np.pi, 12)
    x = np.cos(phase[:, None] - centre) + rng.normal(0, 0.3, (500, 12))
    model = CEBRA(
        batch_size=128, max_iterations=150, learning_rate=3e-3, output_dimension=3,
        device="cpu", random_state=0, threads=1,
    ).fit(x, label)  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "model.pt"
    model.save(path, backend="cebra")
    return model, cebra.CEBRA.load(path), x.astype(np.float32), label


def test_they_are_those_of_the_reference_on_the_same_weights(fitted):
    import cebra.integrations.sklearn.metrics as published

    ours, theirs, x, label = fitted
    mine = metrics.infonce_loss(ours, x, label, num_batches=300)
    other = published.infonce_loss(theirs, x, label, num_batches=300)
    assert abs(mine - other) < 0.02  # means of 300 random batches
    assert metrics.infonce_to_goodness_of_fit(mine, ours) == pytest.approx(
        published.infonce_to_goodness_of_fit(mine, theirs)
    )
    assert metrics.infonce_to_goodness_of_fit(
        2.0, batch_size=64, num_sessions=3
    ) == pytest.approx(
        published.infonce_to_goodness_of_fit(2.0, batch_size=64, num_sessions=3)
    )
    np.testing.assert_allclose(
        metrics.goodness_of_fit_history(ours),
        published.goodness_of_fit_history(theirs),
        atol=1e-6,
    )


def test_no_gradient_is_kept_and_the_draws_follow_the_seed(fitted):
    model, _, x, label = fitted
    before = [p.clone() for p in model.model_.parameters()]
    scores = [metrics.goodness_of_fit_score(model, x, label) for _ in range(2)]
    assert scores[0] == scores[1] > 1
    assert all(p.grad is None for p in model.model_.parameters())
    after = model.model_.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_random_labels_have_no_bits_on_data_not_seen():
    rng = np.random.default_rng(1)
    x, label = rng.normal(size=(2000, 8)), rng.normal(size=(2000, 1))
    model = CEBRA(
        batch_size=256, max_iterations=60, device="cpu", random_state=0, threads=1
    ).fit(x[:1000], label[:1000])
    bits = metrics.goodness_of_fit_score(model, x[1000:], label[1000:], num_batches=100)
    assert abs(bits) < 0.075


def test_what_cannot_be_judged_is_said(fitted):
    model, _, x, label = fitted
    with pytest.raises(InvalidInput, match="one recording at a time"):
        metrics.infonce_loss(model, [x, x], label)
    with pytest.raises(InvalidInput, match="same kinds"):
        metrics.infonce_loss(model, x)
    with pytest.raises(InvalidInput, match="not both"):
        metrics.infonce_to_goodness_of_fit(1.0, model, batch_size=3)
    with pytest.raises(InvalidInput, match="batch_size and num_sessions"):
        metrics.infonce_to_goodness_of_fit(1.0)
    full = CEBRA(max_iterations=1, device="cpu").fit(x)
    with pytest.raises(InvalidInput, match="all rows at once"):
        metrics.goodness_of_fit_history(full)
    assert np.isfinite(metrics.infonce_loss(full, x, num_batches=2))
