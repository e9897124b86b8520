"""What is drawn, beside the samplers and masks of the reference: chi-square tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare, ks_2samp

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    Masks,
    MixedPairs,
    Session,
    SessionTraining,
    TimePairs,
    TrainConfig,
    Training,
)
from napari_cebra.embedding.estimator.inputs import Labels
from napari_cebra.embedding.estimator.pairs import published_pairs
from napari_cebra.embedding.pairs import Rows

CPU = torch.device("cpu")
N, ROWS = 20_000, 60
RNG = np.random.default_rng(0)
CLASSES = RNG.choice([0, 1, 2], size=ROWS, p=[0.6, 0.3, 0.1])
LABEL = np.round(np.sin(np.arange(ROWS) / 4) * 32) / 32


def rows(n=ROWS):
    return Rows(np.ones(n, bool), np.zeros(n, int))


def drawn(pairs, seed=0):
    batch = pairs.bind(rows(), CPU).draw(N, torch.Generator().manual_seed(seed))
    return [
        part.numpy() for part in (batch.reference, *batch.positives, batch.negative)
    ]


def theirs(module, *arguments, **options):
    distributions = pytest.importorskip("cebra.distributions")
    torch.manual_seed(0)
    np.random.seed(0)
    return getattr(distributions, module)(*arguments, **options)


def alike(ours, other, size=ROWS):
    """Whether two draws are of one distribution over rows."""
    table = np.stack([np.bincount(part, minlength=size) for part in (ours, other)])
    return chi2_contingency(table[:, table.sum(0) > 0]).pvalue > 1e-3


def even(found, among):
    counts = np.bincount(found, minlength=ROWS)
    assert counts.sum() == counts[among].sum()
    return chisquare(counts[among]).pvalue > 1e-3


def published(continuous=None, classes=None, **options):
    return published_pairs(Labels(continuous, classes, []), **options)


def test_time():
    reference, positive, negative = drawn(published(time_offset=5))
    their = theirs("TimeContrastive", None, 5, ROWS, "cpu")
    other = their.sample_prior(N)
    assert alike(reference, other.numpy()) and alike(negative, other.numpy())
    assert alike(positive, their.sample_conditional(other).numpy())


@pytest.mark.parametrize("prior", ["empirical", "uniform"])
def test_classes(prior):
    index = torch.from_numpy(CLASSES)
    name = "DiscreteUniform" if prior == "uniform" else "DiscreteEmpirical"
    their = theirs(name, index, device="cpu")
    pairs = DiscretePairs(CLASSES, prior, exclude_self=False)
    if prior == "empirical":
        assert published(classes=CLASSES).prior == prior  # the published default
    reference, positive, negative = drawn(pairs)
    other = torch.as_tensor(their.sample_prior(N))
    assert alike(reference, other.numpy()) and alike(negative, other.numpy())
    same = their.sample_conditional(index[other])
    assert alike(positive, np.asarray(same))


def test_continuous_labels_as_normal_noise_spreads_them():
    label = np.arange(ROWS)[:, None] / 4.0
    reference, positive, negative = drawn(
        published(label, conditional="delta_normal", delta=1.0)
    )
    everything = np.arange(ROWS)
    assert even(reference, everything) and even(negative, everything)
    their = theirs(
        "DeltaNormalDistribution", torch.from_numpy(label).float(), 1.0, device="cpu"
    )
    other = their.sample_prior(N)
    found = their.sample_conditional(other)
    assert ks_2samp(positive - reference, (found - other).numpy()).pvalue > 1e-3
    assert alike(positive, found.numpy())


def test_continuous_labels_as_time_changes_them():
    label = LABEL[:, None]
    reference, positive, negative = drawn(published(label, time_offset=3))
    everything = np.arange(ROWS)
    assert even(reference, everything) and even(negative, everything)
    their = theirs(
        "TimedeltaDistribution", torch.from_numpy(label).float(), 3, device="cpu"
    )
    other = their.sample_prior(N)
    # the reference adds a difference of zero for each of its first rows
    steps = np.r_[label[3:, 0] - label[:-3, 0]]
    query = torch.from_numpy(label).float()[other] + torch.from_numpy(
        RNG.choice(steps, N)[:, None]
    )
    found = their.index.search(query.float())
    assert alike(positive, np.asarray(found).ravel())


def test_floats_and_classes_together():
    pairs = published(LABEL[:, None], CLASSES, time_offset=3)
    reference, positive, negative = drawn(pairs)
    for part in (reference, negative):  # each class equally often
        assert chisquare(np.bincount(CLASSES[part])).pvalue > 1e-3
        for c in range(3):
            assert even(part[CLASSES[part] == c], np.flatnonzero(CLASSES == c))
    assert np.array_equal(CLASSES[positive], CLASSES[reference])


def test_hybrid_references_are_those_with_a_later_row():
    pairs = HybridPairs(ContinuousPairs(LABEL, 3), 5)
    reference, _, in_time, negative = drawn(pairs)
    assert np.array_equal(in_time, reference + 5)
    assert even(reference, np.arange(ROWS - 5))
    assert even(negative, np.arange(ROWS - 5))


@pytest.mark.parametrize("full_batch", [False, True])
def test_several_recordings(full_batch):
    """References and negatives evenly from each, positives in any of them."""
    config = TrainConfig(
        model_architecture="offset1-model", batch_size=4000, device="cpu", threads=1
    )
    sessions = [
        Session(RNG.normal(size=(n, 3)), np.zeros(n, int), ContinuousPairs(y, 3))
        for n, y in ((60, LABEL), (45, LABEL[:45]))
    ]
    objective = SessionTraining(sessions, config, full_batch=full_batch).objective
    for part in ("reference", "negative"):
        rows = getattr(objective.draw().batch, part).numpy()
        for low, high in ((0, 60), (60, 105)):
            own = rows[(rows >= low) & (rows < high)] - low
            count = np.bincount(own, minlength=high - low)
            if full_batch:
                assert (count == 1).all()
            else:
                assert len(own) == 4000 and chisquare(count).pvalue > 1e-3


# --------------------------------------------------------------------------- masks

MASKS = {
    "a share of the neurons": {"RandomNeuronMask": 0.3},
    "one of several shares": {"RandomNeuronMask": [0.1, 0.5]},
    "a share of the frames": {"RandomTimestepMask": (0.1, 0.5, 0.2)},
    "a block of neurons": {"NeuronBlockMask": 0.4},
    "blocks of frames": {"TimeBlockMask": (0.25, 3)},
    "one of two kinds": {"NeuronBlockMask": 0.4, "RandomTimestepMask": 0.3},
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_masks_hide_what_those_of_the_reference_hide(masks):
    masking = pytest.importorskip("cebra.data.masking")

    class Data(masking.MaskedMixin):
        _masks = ()

    there = Data()
    there._masks = []
    there.set_masks(masks)
    torch.manual_seed(1)
    gen, n, neurons, length = torch.Generator().manual_seed(0), 40, 10, 8
    ours, other = [], []
    for _ in range(400):
        ours.append(Masks(masks).draw((n, length, neurons), gen).expand(n, 8, 10))
        other.append(there.apply_mask(torch.ones(n, neurons, length)).transpose(1, 2))
    hidden = [1 - torch.stack(part).numpy() for part in (ours, other)]
    # as often for each neuron and frame; and alike in how much of a window
    for axis in ((0, 1, 2), (0, 1, 3)):
        mine, their = (part.mean(axis) for part in hidden)
        np.testing.assert_allclose(mine, their, atol=0.05)
    for axis in (2, 3):
        mine, their = (part.mean(axis).std() for part in hidden)
        assert abs(mine - their) < 0.05
    # a batch has one kind and one share
    mine, their = (part.mean((1, 2, 3)).std() for part in hidden)
    assert abs(mine - their) < 0.03


def test_each_part_of_a_batch_has_a_mask_of_its_own():
    """References, positives and negatives, as where the reference loads them."""
    config = TrainConfig(
        model_architecture="offset5-model", batch_size=40, device="cpu", threads=1
    )
    training = Training(
        RNG.normal(size=(100, 10)),
        np.zeros(100, int),
        np.ones(100, bool),
        None,
        TimePairs(2),
        config,
        masks={"NeuronBlockMask": 0.4, "RandomTimestepMask": 0.3},
    )
    kinds = set()
    for _ in range(30):
        mask = training.objective.draw().mask
        assert mask.shape == (120, 5, 10)
        by_neuron = [bool((part == part[:, :1]).all()) for part in mask.split(40)]
        kinds.add(tuple(by_neuron))
    assert len(kinds) == 8
    # no part of what is judged, or of what the encoder is made of, is hidden
    assert all(b.mask is None for b in training.objective._judged[False])


def test_what_is_hidden_does_not_reach_the_encoder():
    config = TrainConfig(
        model_architecture="offset5-model",
        batch_size=40,
        input_dropout=0.0,
        standardize=False,
        device="cpu",
        threads=1,
    )
    values = RNG.normal(size=(100, 10)).astype(np.float32)
    pairs, every = (
        MixedPairs(ContinuousPairs(np.arange(100.0)), np.zeros(100, int)),
        100,
    )
    training = Training(
        values,
        np.zeros(every, int),
        np.ones(every, bool),
        None,
        pairs,
        config,
        masks={"RandomTimestepMask": 0.5},
    )
    objective = training.objective
    batch = objective.draw()
    windows = objective._windows.of(batch.rows).numpy() * batch.mask.numpy()
    assert (windows == 0).any(axis=(1, 2)).mean() > 0.9
    expected = objective.network(torch.from_numpy(windows))[:, 0]
    found = objective._embed(objective.network, batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
