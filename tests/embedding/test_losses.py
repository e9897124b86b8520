"""InfoNCE against the reference and against its definition."""

import math

import pytest
import torch

from napari_cebra.embedding import compiled, losses
from napari_cebra.embedding.losses import NCE, InfoNCE, goodness_of_fit


def batch(n=64, d=5, scale=1.0, seed=0):
    torch.manual_seed(seed)
    points = [torch.randn(n, d) for _ in range(3)]
    points = [scale * p / p.norm(dim=1, keepdim=True) for p in points]
    return [p.requires_grad_() for p in points]


@pytest.mark.parametrize("temperature", [0.05, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("floor", [None, 0.2])
@pytest.mark.parametrize("pairs", [None, 2**18, 64 * 7])
def test_equals_reference_with_gradients(
    temperature, distance, learnable, floor, pairs, monkeypatch
):
    if pairs is not None:  # without compiled code
        monkeypatch.setattr(losses, "kernels", lambda name: None)
        monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", pairs)
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
        torch.testing.assert_close(g, e, rtol=1e-5, atol=2e-6)
    expected[0].backward()
    got.total.backward()
    for e, g in zip(expected_points, points, strict=True):
        torch.testing.assert_close(g.grad, e.grad, rtol=1e-5, atol=1e-6)
    if learnable:
        torch.testing.assert_close(
            ours.log_inverse_temperature.grad,
            theirs.log_inverse_temperature.grad.reshape(()),
            rtol=1e-5,
            atol=2e-6,
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


@pytest.mark.parametrize("sizes", [(64, 64, 8), (37, 11, 3), (5, 200, 40)])
@pytest.mark.parametrize("threads", [1, 2])
def test_float32_equals_double_precision(sizes, threads):
    n, m, d = sizes
    torch.manual_seed(0)
    points = [torch.randn(k, d).requires_grad_() for k in (n, n, m)]
    with compiled.threads(threads):
        loss = InfoNCE(0.5)(*points).total
        found = torch.autograd.grad(loss, points)
    double = [p.detach().double().requires_grad_() for p in points]
    expected = InfoNCE(0.5).double()(*double).total
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    for mine, other in zip(found, torch.autograd.grad(expected, double), strict=True):
        assert float((mine - other).abs().max() / other.abs().max()) < 1e-5


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


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("sizes", [(50, 50), (37, 11), (5, 200)])
@pytest.mark.parametrize("block", [1, 7, 36])
def test_blocks_give_the_same_value_and_gradients(distance, sizes, block, monkeypatch):
    n, m = sizes
    torch.manual_seed(0)

    def loss_and_gradients(most):
        monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", most)
        torch.manual_seed(1)
        points = [torch.randn(k, 4, dtype=torch.double) for k in (n, n, m)]
        points = [p.requires_grad_() for p in points]
        criterion = InfoNCE(0.3, True, None, distance).double()
        value = criterion(*points)
        (3 * value.total).backward()  # a factor has to reach the inside
        return value.total, [p.grad for p in (*points, *criterion.parameters())]

    expected, gradients = loss_and_gradients(2**18)
    got, ours = loss_and_gradients(block * m)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)
    for mine, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_blocks_pass_the_check_of_finite_differences(monkeypatch):
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", 20)
    torch.manual_seed(0)
    reference, negative = (
        torch.randn(n, 3, dtype=torch.double, requires_grad=True) for n in (6, 5)
    )
    inverse = torch.tensor(1.7, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        losses._MeanLogSumExp.apply, (reference, negative, inverse)
    )


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_blocks_do_not_overflow(distance, monkeypatch):
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", 100)
    points = batch(scale=30.0)
    loss = InfoNCE(1e-3, distance=distance)(*points).total
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in points)


def test_blocks_never_hold_all_pairs(monkeypatch):
    """Counted by PyTorch's own profiler of the CPU allocator."""
    n = 3000
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", n * 50)
    points = batch(n=n)

    def most_held(run):
        with torch.profiler.profile(profile_memory=True) as profile:
            run()
        held = most = 0
        for event in profile.profiler.kineto_results.events():
            if event.name() == "[memory]":
                held += event.nbytes()
                most = max(most, held)
        return most

    one_block = 4 * n * 50
    assert most_held(lambda: InfoNCE()(*points).total.backward()) < 6 * one_block
    monkeypatch.setattr(losses, "kernels", lambda name: None)
    assert most_held(lambda: InfoNCE()(*points).total.backward()) < 6 * one_block
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", 2**24)
    assert most_held(lambda: InfoNCE()(*points).total.backward()) > 4 * n * n


def test_without_gradients_blocks_keep_none(monkeypatch):
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", 500)
    with torch.no_grad():
        value = InfoNCE(0.2)(*batch()).total
    assert not value.requires_grad
    monkeypatch.setitem(losses._BLOCK_PAIRS, "cpu", 2**18)
    torch.testing.assert_close(value, InfoNCE(0.2)(*batch()).total.detach())


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_nce_is_the_reference_with_the_sign_turned(reduce):
    criterions = pytest.importorskip("cebra.models.criterions")
    settings = {"temperature": 0.4, "negative_weight": 0.7, "reduce": reduce}
    theirs = criterions.NCE(**settings)(*batch())
    ours = NCE(**settings)(*batch())
    torch.testing.assert_close(ours.total, -theirs[0].mean(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.alignment, -theirs[1].mean())
    torch.testing.assert_close(ours.uniformity, -0.7 * theirs[2].mean())


def test_nce_falls_as_positives_come_near_and_negatives_go_away():
    near, _, far = (p.detach() for p in batch())
    assert NCE()(near, near, far).total < NCE()(near, far, far).total
    assert NCE()(near, far, -near).total < NCE()(near, far, near).total
    reference, positive, negative = batch()
    NCE()(reference, positive, negative).total.backward()
    with torch.no_grad():
        moved = positive - 10 * positive.grad
        assert (reference * moved).sum() > (reference * positive).sum()
