"""InfoNCE against the reference and against its definition."""

import math

import pytest
import torch

from napari_cebra.embedding.losses import InfoNCE, goodness_of_fit


def batch(n=64, d=5, scale=1.0, seed=0):
    torch.manual_seed(seed)
    points = [torch.randn(n, d) for _ in range(3)]
    points = [scale * p / p.norm(dim=1, keepdim=True) for p in points]
    return [p.requires_grad_() for p in points]


@pytest.mark.parametrize("temperature", [0.05, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("floor", [None, 0.2])
def test_equals_reference_with_gradients(temperature, distance, learnable, floor):
    criterions = pytest.importorskip("cebra.models.criterions")
    name = distance.title()
    if learnable:
        kind = getattr(criterions, f"Learnable{name}InfoNCE")
        theirs = kind(temperature=temperature, min_temperature=floor)
    else:
        theirs = getattr(criterions, f"Fixed{name}InfoNCE")(temperature=temperature)
    ours = InfoNCE(temperature, learnable, floor, distance)
    expected_points, points = batch(scale=1.5), batch(scale=1.5)
    expected, got = theirs(*expected_points), ours(*points)
    for e, g in zip(expected, got, strict=True):
        torch.testing.assert_close(g, e, rtol=1e-5, atol=1e-5)
    expected[0].backward()
    got.total.backward()
    for e, g in zip(expected_points, points, strict=True):
        torch.testing.assert_close(g.grad, e.grad, rtol=1e-4, atol=1e-6)
    if learnable:
        torch.testing.assert_close(
            ours.log_inverse_temperature.grad,
            theirs.log_inverse_temperature.grad.reshape(()),
            rtol=1e-4,
            atol=1e-5,
        )


def test_equals_its_definition_in_double_precision():
    reference, positive, negative = (p.detach().double() for p in batch())
    tau = 0.3
    expected = 0.0
    for r, p in zip(reference, positive, strict=True):
        sums = sum(math.exp(float(r @ n) / tau) for n in negative)
        expected += (-float(r @ p) / tau + math.log(sums)) / len(reference)
    loss = InfoNCE(tau).double()(reference, positive, negative)
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)
    assert float(loss.total) == pytest.approx(
        float(loss.alignment + loss.uniformity), rel=1e-12
    )


def test_no_overflow_at_tiny_temperature():
    loss = InfoNCE(1e-4)(*batch()).total
    loss.backward()
    assert torch.isfinite(loss)


def test_unrelated_points_are_at_chance_and_equal_ones_far_above():
    torch.manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(3, 4096, 8), dim=-1)
    chance = float(InfoNCE(1.0)(*points).total)
    assert goodness_of_fit(chance, 4096) == pytest.approx(0, abs=0.15)
    fit = float(InfoNCE(0.1)(points[0], points[0], points[1]).total)
    assert goodness_of_fit(fit, 4096) > 5


def test_goodness_of_fit_is_in_bits():
    assert goodness_of_fit(math.log(512), 512) == 0
    assert goodness_of_fit(math.log(512) - math.log(2), 512) == pytest.approx(1)


def test_goodness_of_fit_equals_reference():
    metrics = pytest.importorskip("cebra.integrations.sklearn.metrics")
    expected = metrics.infonce_to_goodness_of_fit(4.2, batch_size=512, num_sessions=1)
    assert goodness_of_fit(4.2, 512) == pytest.approx(expected, rel=1e-9)
