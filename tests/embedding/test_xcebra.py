"""The penalty against autograd and the reference, objectives on subspaces."""

import numpy as np
import pytest
import torch

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    Encoder,
    HybridPairs,
    MoviePairs,
    TimePairs,
    TrainConfig,
    Training,
)
from napari_cebra.embedding.attribution import (
    AttributionConfig,
    attribute_rois,
    separation,
)
from napari_cebra.embedding.encoder import build_network
from napari_cebra.embedding.first_layer import FirstLayer
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.xcebra import (
    Subspace,
    XcebraConfig,
    XcebraTraining,
    renormalized,
)
from napari_cebra.embedding.xcebra.penalty import jacobian_penalty, random_directions
from napari_cebra.embedding.xcebra.shared import SharedPairs
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import InvalidInput

N, D = 6, 4
ARCHITECTURES = ["offset1-model", "offset10-model", "m3 u4 d1", "m4 d1", "u2 d3 linear"]


def network(name="offset10-model", n=N):
    config = TrainConfig(
        model_architecture=name, output_dimension=D, num_hidden_units=8
    )
    return build_network(config, n, torch.Generator().manual_seed(0))


def windows_for(net, n=5):
    generator = torch.Generator().manual_seed(1)
    length = sum(net.architecture.receptive_field)
    return torch.randn(n, length, N, generator=generator)


def penalty(net, windows, counts=None, directions=None):
    first = FirstLayer.of(net)
    counts = torch.ones(D) if counts is None else counts
    return jacobian_penalty(first, first.units(windows), first.rest, counts, directions)


def gradients(net, value):
    return torch.autograd.grad(value, list(net.parameters()), allow_unused=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_exact_penalty_and_its_gradient_are_autograds(name):
    net = network(name)
    x = windows_for(net)
    counts = torch.tensor([2.0, 2.0, 1.0, 0.0])

    def brute():
        each = [
            torch.autograd.functional.jacobian(
                lambda w: net(w[None])[0, 0], window, create_graph=True
            )
            for window in x
        ]
        squares = torch.stack(each).square().sum((2, 3))
        return 0.5 * (squares * counts).sum(1).mean()

    ours, theirs = penalty(net, x, counts), brute()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    pairs = zip(gradients(net, ours), gradients(net, theirs), strict=True)
    for mine, other in pairs:
        if mine is None or other is None:  # of the last bias, when linear
            present = mine if other is None else other
            assert present is None or present.abs().max() < 1e-6
        else:
            torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)


def test_the_penalty_is_the_references():
    models = pytest.importorskip("cebra.models")
    net = network()
    x = windows_for(net, 16).requires_grad_()
    theirs = models.JacobianReg(n=-1)(x, net(x)[:, 0])
    torch.testing.assert_close(penalty(net, x), theirs, rtol=1e-4, atol=1e-6)


def test_random_directions_have_the_exact_penalty_as_their_mean():
    net = network()
    x = windows_for(net)
    counts = torch.tensor([2.0, 1.0, 1.0, 1.0])
    generator = torch.Generator().manual_seed(0)
    directions = random_directions(2000, torch.zeros(len(x), D), generator)
    with torch.no_grad():
        estimate = penalty(net, x, counts, directions)
        exact = penalty(net, x, counts)
        one = penalty(net, x, counts, directions[:1])
        assert float(estimate / exact) == pytest.approx(1, abs=0.03)
    assert float(one / exact) != pytest.approx(1, abs=1e-3)


def test_a_network_whose_first_layer_is_not_plain_is_taken_whole():
    net = network("m2 u3 d1")
    x = windows_for(net)
    expected = penalty(net, x)
    layer = net.architecture.layers[0]
    object.__setattr__(layer, "stride", 2)
    try:
        first = FirstLayer.of(net)
        assert first.after is net
        torch.testing.assert_close(penalty(net, x), expected)
    finally:
        object.__delattr__(layer, "stride")


def test_schedules():
    linear = XcebraConfig(
        jacobian_weight=2.0, schedule="linear", start_weight=1.0, from_step=4, to_step=8
    )
    assert [linear.weight(s) for s in (3, 4, 6, 8, 9)] == [0, 1, 1.5, 2, 0]
    ramp = XcebraConfig.from_dict({**linear.to_dict(), "schedule": "ramp_up"})
    assert [ramp.weight(s) for s in (3, 4, 6, 8, 9)] == [0, 1, 1.5, 2, 2]
    assert XcebraConfig(jacobian_weight=2.0).weight(0) == 2
    reference = pytest.importorskip("cebra.solver.schedulers")
    theirs = reference.LinearScheduler(1, 4, 8, 1.0, 2.0)
    for step in range(12):
        assert (theirs.get_weights(step) or [0])[0] == linear.weight(step)


def test_settings_come_back_from_json_and_say_what_is_wrong():
    config = XcebraConfig(
        (Subspace(0, 3), Subspace(0, 4, 0.5)), True, 0.1, "ramp_up", 0.0, 5, 9, 2
    )
    assert XcebraConfig.from_json(config.to_json()) == config
    for wrong, words in [
        ({"subspaces": [{"start": 2, "stop": 2}]}, "later one"),
        ({"subspaces": [{"from": 2}]}, "start, stop and weight"),
        ({"subspaces": [{"start": 0, "stop": 1, "weight": 0}]}, "above 0"),
        ({"jacobian_weight": -1.0}, "jacobian_weight"),
        ({"schedule": "later"}, "schedule"),
        ({"from_step": 5, "to_step": 5}, "later one"),
        ({"projections": 0}, "projections"),
        ({"lambda": 1}, "lambda"),
    ]:
        with pytest.raises(InvalidInput, match=words):
            XcebraConfig.from_dict(wrong)


# ----------------------------------------------------------------- subspaces


def angle(showing):
    return np.sin(2 * np.pi * showing.shown / 60)


@pytest.mark.parametrize("by", ["angle", "movie", "class"])
def test_objectives_share_references_and_each_keeps_its_rule(showing, by):
    classes = showing.shown // 10
    parts = {
        "angle": ContinuousPairs(angle(showing), 5),
        "movie": showing.pairs,
        "class": DiscretePairs(classes, "uniform"),
    }
    rows = Rows(showing.train, showing.segment)
    sampler = SharedPairs((parts[by], TimePairs(7))).bind(rows, torch.device("cpu"))
    batch = sampler.draw(400, torch.Generator().manual_seed(0))
    reference, (first, second) = batch.reference.numpy(), batch.positives
    np.testing.assert_array_equal(second, reference + 7)
    assert showing.train[batch.negative].all()
    assert showing.train[reference].all()
    first = first.numpy()
    assert (first != reference).all()
    if by == "class":
        np.testing.assert_array_equal(classes[first], classes[reference])
    elif by == "movie":
        assert (np.abs(showing.shown[first] - showing.shown[reference]) <= 1).all()
        assert (showing.repeat[first] != showing.repeat[reference]).all()
    else:
        steps = angle(showing)[first] - angle(showing)[reference]
        assert 0.05 < np.abs(steps).mean() < 0.6


def small(quick, **changes):
    return TrainConfig(**{**quick.to_dict(), "output_dimension": D, **changes})


def trained(showing, config, xcebra, pairs=None):
    pairs = pairs or [ContinuousPairs(angle(showing), 5), TimePairs(2)]
    training = XcebraTraining(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout,
        pairs,
        config,
        xcebra,
    )
    for _ in training.run():
        pass
    return training


def test_one_objective_without_a_penalty_is_the_plain_training(showing, quick):
    config = small(quick)
    plain = Training(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout,
        TimePairs(2),
        config,
    )
    for _ in plain.run():
        pass
    ours = trained(showing, config, XcebraConfig(), [TimePairs(2)])
    np.testing.assert_array_equal(ours.losses, plain.losses)
    np.testing.assert_array_equal(ours.latents(), plain.latents())


def test_hybrid_pairs_are_two_subspaces(showing, quick):
    """The loss of the same batch, as `Training` computes it for hybrid pairs."""
    config = small(quick)
    behavior = ContinuousPairs(angle(showing), 5)
    rows = showing.values, showing.segment, showing.train, None
    hybrid = Training(*rows, HybridPairs(behavior, 2), config).objective
    xcebra = XcebraConfig((Subspace(0, 3), Subspace(0, D)))
    ours = XcebraTraining(*rows, [behavior, TimePairs(2)], config, xcebra).objective
    batch = hybrid.draw()
    torch.testing.assert_close(ours.loss(batch, 0), hybrid.loss(batch, 0))


def test_renormalised_parts_are_the_references():
    models = pytest.importorskip("cebra.models")
    multi = pytest.importorskip("cebra.models.multiobjective")
    torch.manual_seed(0)
    theirs = models.init("offset1-model", N, 8, D)
    x = torch.randn(20, N, 1)
    ranges = [slice(0, 3), slice(0, D)]
    wrapped = multi.SubspaceMultiobjectiveModel(theirs, ranges, True)
    expected = wrapped(x)
    ours = renormalized(theirs(x), (Subspace(0, 3), Subspace(0, D)))
    for part, other in zip(ranges, expected, strict=True):
        torch.testing.assert_close(ours[:, part], other)


def test_a_subspace_that_no_objective_reaches_is_not_trained(showing, quick):
    config = small(quick, model_architecture="u3 d1 linear", weight_decay=0.0)
    xcebra = XcebraConfig((Subspace(0, 2),), renormalize=True)
    training = trained(showing, config, xcebra, [TimePairs(2)])
    start = build_network(
        config, 24, torch.Generator().manual_seed(_initial_seed(config.seed))
    )
    last, before = training.objective.network.convs[-1].weight, start.convs[-1].weight
    assert torch.equal(last[2:], before[2:])
    assert not torch.equal(last[:2], before[:2])


def _initial_seed(seed):
    return int(np.random.SeedSequence(seed).generate_state(3, np.uint64)[0] >> 1)


def test_the_same_seed_gives_the_same_bits_and_files_keep_the_settings(
    showing, quick, tmp_path
):
    xcebra = XcebraConfig(
        (Subspace(0, 2), Subspace(0, D)), True, 0.05, "ramp_up", 0.0, 5, 30, 2
    )
    first, again = (trained(showing, small(quick), xcebra) for _ in range(2))
    np.testing.assert_array_equal(first.losses, again.losses)
    np.testing.assert_array_equal(first.latents(), again.latents())
    assert np.isfinite(first.evaluations[-1].bits_heldout)
    assert first.evaluations[-1].bits_train > first.evaluations[0].bits_train
    first.model().save(tmp_path / "encoder.safetensors")
    loaded = Encoder.load(tmp_path / "encoder.safetensors")
    assert XcebraConfig.from_dict(loaded.training["xcebra"]) == xcebra


def test_the_penalty_flattens_the_encoder(showing, quick):
    def steepness(weight):
        training = trained(
            showing, small(quick), XcebraConfig(jacobian_weight=weight), [TimePairs(2)]
        )
        batch = training.objective.draw()
        return float(training.objective.penalty(batch).detach())

    assert steepness(20.0) < 0.6 * steepness(0.0)


def test_bad_input_is_named(showing, quick):
    rows = showing.values, showing.segment, showing.train, None
    two = XcebraConfig((Subspace(0, 2), Subspace(0, 9)))
    for pairs, xcebra, words in [
        ([TimePairs(2)], two, "2 objectives but 1 kinds"),
        ([TimePairs(2), TimePairs(3)], two, "ends at latent 9"),
        (
            [TimePairs(2)],
            XcebraConfig((Subspace(0, 3),), renormalize=True),
            "a single latent",
        ),
        ([HybridPairs(TimePairs(2), 2)], XcebraConfig(), "give them as two"),
        (
            [
                MoviePairs(np.where(showing.shown < 1, 0, -1), showing.repeat),
                DiscretePairs(np.where(showing.shown > 9, 0, -1)),
            ],
            XcebraConfig((Subspace(0, 2), Subspace(2, 4))),
            "partner in every objective",
        ),
    ]:
        with pytest.raises(InvalidInput, match=words):
            XcebraTraining(*rows, pairs, small(quick), xcebra)


# --------------------------------------------------------------- known truth


def population(seed, n_rows=1200, n=15):
    """Half of the neurons are driven by a 2-D variable, half by another one."""
    rng = np.random.default_rng(seed)
    z, drive = np.zeros((n_rows, 4)), rng.normal(0, 0.24, (n_rows, 4))
    for t in range(1, n_rows):
        z[t] = 0.97 * z[t - 1] + drive[t]

    def driven(z):
        return np.tanh(z @ rng.normal(size=(2, n))) + np.sin(
            z @ rng.normal(size=(2, n))
        )

    values = np.concatenate([driven(z[:, :2]), driven(z[:, 2:])], axis=1)
    values += rng.normal(0, 0.6, values.shape)
    order = rng.permutation(2 * n)
    return values[:, order].astype(np.float32), z[:, :2], (np.arange(2 * n) < n)[order]


def test_the_penalty_helps_to_find_the_neurons_that_matter():
    config = TrainConfig(
        model_architecture="offset1-model",
        output_dimension=D,
        temperature=0.5,
        batch_size=128,
        max_iterations=120,
        input_dropout=0,
        weight_decay=0,
        evaluations=1,
        device="cpu",
        threads=1,
    )

    def auc(seed, weight):
        values, variable, truth = population(seed)
        segment, rows = np.zeros(len(values), int), np.ones(len(values), bool)
        training = XcebraTraining(
            values,
            segment,
            rows,
            None,
            [ContinuousPairs(variable, 5)],
            config,
            XcebraConfig(
                jacobian_weight=weight, schedule="ramp_up", from_step=20, to_step=60
            ),
        )
        for _ in training.run():
            pass
        asked = AttributionConfig(max_rows=300)
        found = exhaust(attribute_rois(training.model(), values, segment, asked))
        return separation(found.roi(), truth).auc

    plain, regular = ([auc(seed, w) for seed in range(2)] for w in (0.0, 2.0))
    assert np.mean(plain) > 0.8
    assert np.mean(regular) > np.mean(plain)
    assert np.min(regular) > 0.9
