"""Recordings side by side: who stands beside whom, and what masks hide."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom, chisquare, ks_2samp

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    Masks,
    TimePairs,
    TrainConfig,
)
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.sessions import (
    Session,
    UnifiedEncoder,
    UnifiedTraining,
)
from napari_cebra.embedding.sessions.side_by_side import UnifiedSampler
from napari_cebra.embedding.sessions.variables import link
from napari_cebra.recording import InvalidInput

CPU = torch.device("cpu")
LENGTHS = (400, 250, 300)
STARTS = np.cumsum((0, *LENGTHS[:-1]))
SHAPE = (4000, 10, 30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    return [
        (np.cumsum(rng.normal(size=(n, 2)), 0) / 8).astype(np.float32) for n in LENGTHS
    ]


@pytest.fixture
def sampler(labels):
    rows = [Rows(np.ones(n, bool), np.zeros(n, int)) for n in LENGTHS]
    linked = link([ContinuousPairs(y, 5) for y in labels], rows, CPU, False)
    return UnifiedSampler(linked, False, False)


@pytest.fixture
def theirs(labels):
    data = pytest.importorskip("cebra.data")
    distributions = pytest.importorskip("cebra.distributions")
    collection = data.DatasetCollection(
        *[
            data.TensorDataset(
                torch.zeros(len(y), 3), continuous=torch.from_numpy(y), device="cpu"
            )
            for y in labels
        ]
    )
    torch.manual_seed(0)
    np.random.seed(0)
    return distributions.UnifiedSampler(collection, 5)


@pytest.mark.parametrize("session", [0, 2])
def test_the_same_rows_stand_side_by_side_as_in_the_reference(sampler, theirs, session):
    rows = torch.arange(LENGTHS[session])
    expected = theirs.sample_all_sessions(rows, session).numpy()
    own = torch.tensor(session)
    ours = sampler.beside(rows + STARTS[session], own, generator()).numpy()
    assert np.array_equal(ours - STARTS[:, None], expected)


def test_positives_are_as_far_as_in_the_reference(sampler, theirs, labels):
    rows = torch.randint(LENGTHS[0], (3000,), generator=generator())
    reference = sampler.beside(rows, torch.tensor(0), generator())
    local = reference.numpy() - STARTS[:, None]
    expected = theirs.sample_conditional(torch.from_numpy(local))
    found = sampler.positive(reference, generator(1)).numpy() - STARTS[:, None]
    for s, y in enumerate(labels):
        for j in range(2):
            mine = y[found[s], j] - y[local[s], j]
            other = y[expected[s], j] - y[local[s], j]
            assert ks_2samp(mine, other).pvalue > 1e-3


def test_any_recording_leads_and_its_rows_are_drawn_uniformly(sampler):
    gen = generator()
    leads = np.zeros(3)
    for _ in range(300):
        rows = sampler.prior(200, gen)
        own = [len(np.unique(row.numpy())) for row in rows]
        leads[np.argmax(own)] += 1  # those beside repeat themselves more often
    assert np.all(leads > 50)
    # with the first recording in the lead
    rows = sampler.prior(20_000, generator(1)).numpy() - STARTS[:, None]
    counts = [
        chisquare(np.bincount(row, minlength=n)).pvalue
        for row, n in zip(rows, LENGTHS, strict=True)
    ]
    assert max(counts) > 1e-3


def animals(seed=0, neurons=(20, 14), lengths=(800, 700)):
    rng = np.random.default_rng(seed)
    sessions = []
    for n, count in zip(lengths, neurons, strict=True):
        y = np.cumsum(rng.normal(size=(n, 1)), 0) / 4
        y = np.abs((y + 1) % 4 - 2) - 1
        centers = rng.uniform(-1, 1, count)
        values = np.exp(-((y - centers) ** 2) / 0.2) + rng.normal(0, 0.3, (n, count))
        sessions.append(
            Session(
                values.astype(np.float32),
                np.arange(n) // 100,
                ContinuousPairs(y, 5),
                heldout_rows=np.arange(n) // 100 >= 5,
            )
        )
    return sessions


CONFIG = TrainConfig(
    model_architecture="offset5-model",
    output_dimension=3,
    num_hidden_units=16,
    batch_size=128,
    max_iterations=60,
    evaluations=4,
    temperature=0.3,
    learning_rate=1e-2,
    input_dropout=0.1,
    time_offsets=5,
    device="cpu",
    threads=1,
)


def test_it_learns_repeats_itself_and_is_saved(tmp_path):
    sessions = animals()
    masks = {"RandomNeuronMask": [0.1, 0.3], "TimeBlockMask": (0.3, 2)}
    first, second = (UnifiedTraining(sessions, CONFIG, masks) for _ in range(2))
    for training in (first, second):
        for _ in training.run():
            pass
    np.testing.assert_array_equal(first.losses, second.losses)
    rng = np.random.default_rng(0)
    broken = [
        replace(s, pairs=ContinuousPairs(rng.permutation(s.pairs.values), 5))
        for s in sessions
    ]
    control = UnifiedTraining(broken, CONFIG, masks)
    for _ in control.run():
        pass
    best = [max(e.bits_heldout for e in t.evaluations) for t in (first, control)]
    assert best[0] > 0.4 and abs(best[1]) < 0.1, best
    model = first.model()
    model.save(tmp_path / "unified")
    again = UnifiedEncoder.load(tmp_path / "unified")
    given = (
        [s.values for s in sessions],
        [s.segment for s in sessions],
        [s.pairs for s in sessions],
    )
    for s in range(2):
        latents = model.transform(*given, s)
        assert latents.shape == (len(sessions[s].values), 3)
        assert np.isfinite(latents).all()
        np.testing.assert_array_equal(latents, again.transform(*given, s))
        np.testing.assert_array_equal(latents, training_latents(first)[s])
    with pytest.raises(InvalidInput, match="all of them, in that order"):
        model.transform([given[0][1], given[0][0]], given[1], given[2], 0)


def training_latents(training):
    network = training.model().encoder.network
    return training.objective.latents(network)


@pytest.mark.parametrize("session", [0, 1])
@pytest.mark.parametrize("name", ["offset1-model", "offset1-model-v3"])
def test_latents_are_those_of_the_reference(name, session):
    """Of one frame each: of longer windows the reference puts single rows together.

    Its transform lines up rows and then slides over what they make, so that a
    window holds rows of the other recordings that were never next to each other;
    in training, and here, it holds windows around the rows beside.
    """
    cebra = pytest.importorskip("cebra")
    # in 64ths, so that its float32 distances are exact and ties are ties in both
    recordings = [
        replace(s, pairs=ContinuousPairs(np.round(s.pairs.values * 64) / 64, 5))
        for s in animals()
    ]
    config = replace(CONFIG, model_architecture=name, standardize=False)
    training = UnifiedTraining(recordings, config)
    neurons = [s.values.shape[1] for s in recordings]
    model = cebra.models.init(name, sum(neurons), 16, 3)
    training.objective.network.copy_reference_weights(model.state_dict())
    solver = cebra.solver.init(
        "unified-session",
        model=model,
        criterion=cebra.models.criterions.FixedCosineInfoNCE(1.0),
        optimizer=torch.optim.Adam(model.parameters()),
    )
    solver.n_features, solver.num_sessions = sum(neurons), len(neurons)
    expected = solver.transform(
        [torch.from_numpy(s.values) for s in recordings],
        [torch.from_numpy(s.pairs.values).float() for s in recordings],
        session_id=session,
    )
    found = training.model().transform(
        [s.values for s in recordings],
        [np.zeros(len(s.values), int) for s in recordings],
        [s.pairs for s in recordings],
        session,
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_what_it_cannot_line_up_is_refused():
    sessions = animals()
    timed = [Session(s.values, s.segment, TimePairs(5)) for s in sessions]
    with pytest.raises(InvalidInput, match="cannot be trained on time"):
        UnifiedTraining(timed, CONFIG)


def test_discrete_variables_line_up_too():
    classes = [(s.pairs.values[:, 0] > 0).astype(int) for s in animals()]
    sessions = [
        Session(s.values, s.segment, DiscretePairs(c))
        for s, c in zip(animals(), classes, strict=True)
    ]
    training = UnifiedTraining(sessions, CONFIG)
    rows = training.objective.draw().rows.numpy()
    assert np.array_equal(classes[0][rows[0]], classes[1][rows[1]])


# --------------------------------------------------------------------------- masks


def test_random_masks_hide_each_neuron_or_frame_as_often():
    mask = Masks({"RandomNeuronMask": 0.3}).draw(SHAPE, generator())
    assert mask.shape == (4000, 1, 30)
    hidden = (mask == 0).sum(0)[0].numpy()
    low, high = binom.interval(1 - 1e-5, 4000, 0.3)
    assert np.all((hidden > low) & (hidden < high))
    mask = Masks({"RandomTimestepMask": 0.2}).draw(SHAPE, generator())
    assert mask.shape == (4000, 10, 1)
    hidden = (mask == 0).sum(0)[:, 0].numpy()
    low, high = binom.interval(1 - 1e-5, 4000, 0.2)
    assert np.all((hidden > low) & (hidden < high))


def test_neuron_blocks_are_runs_that_begin_anywhere():
    mask = Masks({"NeuronBlockMask": 0.25}).draw(SHAPE, generator())[:, 0].numpy()
    assert np.all((mask == 0).sum(1) == 7)
    first = mask.argmin(1)
    assert all(np.all(m[f : f + 7] == 0) for m, f in zip(mask, first, strict=True))
    assert chisquare(np.bincount(first, minlength=24)).pvalue > 1e-3


def test_time_blocks_hide_as_often_as_those_of_the_reference():
    masking = pytest.importorskip("cebra.data.masking")
    torch.manual_seed(0)
    theirs = masking.TimeBlockMask((0.25, 3)).apply_mask(torch.zeros(4000, 2, 10))
    theirs = (theirs[:, 0] == 0).numpy()
    mask = Masks({"TimeBlockMask": (0.25, 3)}).draw(SHAPE, generator())
    ours = (mask[:, :, 0] == 0).numpy()
    for each in (ours.sum(0), theirs.sum(0)):
        assert each[0] < each[5]  # fewer frames before it from which it is hidden
    assert np.abs(ours.mean(0) - theirs.mean(0)).max() < 0.05
    counts = [np.bincount(m.sum(1), minlength=7) for m in (ours, theirs)]
    both = counts[0] + counts[1] > 0
    gap = (counts[0] - counts[1])[both] ** 2 / (counts[0] + counts[1])[both]
    assert gap.sum() < 22.5  # 0.999 quantile of chi-square with 6 degrees


def test_one_kind_and_one_value_for_each_batch():
    masks = Masks({"RandomNeuronMask": (0.1, 0.5, 0.2), "NeuronBlockMask": [0.5]})
    gen = generator()
    shares, kinds = set(), set()
    for _ in range(60):
        mask = masks.draw((2000, 4, 50), gen)
        share = float((mask == 0).float().mean())
        runs = (mask[:, 0].diff(dim=1) != 0).sum(1).max()
        kinds.add("block" if runs <= 2 else "random")
        if runs > 2:
            shares.add(round(share, 1))
    assert kinds == {"block", "random"}
    assert shares == {0.1, 0.3, 0.5}


@pytest.mark.parametrize(
    "masks",
    [
        {"NoSuchMask": 0.1},
        {"RandomNeuronMask": 1.5},
        {"RandomNeuronMask": []},
        {"RandomTimestepMask": (0.5, 0.1, 0.1)},
        {"NeuronBlockMask": "half"},
        {"TimeBlockMask": 0.3},
        {"TimeBlockMask": (0.3, 0)},
    ],
)
def test_masks_that_are_none_are_refused(masks):
    with pytest.raises(InvalidInput):
        Masks(masks)
