"""Several recordings: what is drawn, what is computed, what is learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, ks_1samp, ks_2samp, norm
from sklearn.linear_model import LinearRegression

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MixedPairs,
    MoviePairs,
    TimePairs,
    TrainConfig,
)
from napari_cebra.embedding.encoder import hash_of_values
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.sessions import (
    MultiEncoder,
    Session,
    SessionBatch,
    SessionTraining,
    adapt,
    bind_sessions,
)
from napari_cebra.embedding.sessions.training import Drawn, Piece
from napari_cebra.recording import InvalidInput, complete_windows

CPU = torch.device("cpu")
LENGTHS = (400, 250, 300)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows_of(n, left=0, right=1, trials=None):
    segment = np.zeros(n, int) if trials is None else np.asarray(trials)
    return Rows(complete_windows(segment, left, right), segment)


def walks(lengths=LENGTHS, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return [np.cumsum(rng.normal(size=(n, d)), 0) / 8 for n in lengths]


def session_of(rows):
    return np.searchsorted(np.cumsum(LENGTHS), rows, "right")


STARTS = np.cumsum((0, *LENGTHS[:-1]))


def drawn(pairs, n=4000, seed=0, rows=None, **options):
    rows = rows or [rows_of(length) for length in LENGTHS]
    sampler = bind_sessions(pairs, rows, CPU, **options)
    return sampler.draw(n, generator(seed))


def aligned(batch, k=0):
    order = batch.orders[k]
    positive = batch.positives[k]
    return (positive if order is None else positive[order]).numpy()


def test_queries_are_dealt_to_the_recordings_at_random():
    batch = drawn([ContinuousPairs(y, 5) for y in walks()])
    reference, positive = batch.reference.numpy(), aligned(batch)
    own = np.repeat(range(3), 4000)
    assert np.array_equal(session_of(reference), own)
    assert np.array_equal(session_of(batch.positives[0].numpy()), own)
    table = np.zeros((3, 3))
    np.add.at(table, (session_of(reference), session_of(positive)), 1)
    assert np.all(table.sum(0) == 4000) and np.all(table.sum(1) == 4000)
    assert chisquare(table.ravel()).pvalue > 1e-3


def test_positives_are_as_far_as_those_of_the_reference_sampler():
    cebra = pytest.importorskip("cebra")
    labels = [y.astype(np.float32) for y in walks()]
    data = cebra.data.DatasetCollection(
        *[
            cebra.data.TensorDataset(
                torch.zeros(len(y), 3), continuous=torch.from_numpy(y), device="cpu"
            )
            for y in labels
        ]
    )
    sampler = cebra.distributions.MultisessionSampler(data, 5)
    np.random.seed(0)
    torch.manual_seed(0)
    reference = sampler.sample_prior(4000)
    positive, _, back = sampler.sample_conditional(torch.from_numpy(reference))
    theirs_ref = np.concatenate([y[r] for y, r in zip(labels, reference, strict=True)])
    theirs = np.concatenate([y[r] for y, r in zip(labels, positive, strict=True)])
    theirs = theirs[back] - theirs_ref
    batch = drawn([ContinuousPairs(y, 5) for y in labels], exclude_self=False)
    every = np.concatenate(labels)
    ours = every[aligned(batch)] - every[batch.reference.numpy()]
    for j in range(2):
        assert ks_2samp(ours[:, j], theirs[:, j]).pvalue > 1e-3
    far = [np.linalg.norm(x, axis=1) for x in (ours, theirs)]
    assert ks_2samp(*far).pvalue > 1e-3
    edges = np.quantile(far[1], np.linspace(0, 1, 21))[1:-1]
    counts = [np.bincount(np.digitize(x, edges), minlength=20) for x in far]
    # both are samples: the statistic of two histograms of equal size
    statistic = ((counts[0] - counts[1]) ** 2 / (counts[0] + counts[1])).sum()
    assert statistic < 43.8  # 0.999 quantile of chi-square with 19 degrees


def test_the_answer_is_the_nearest_row_of_the_recording_asked():
    labels = walks()
    sampler = bind_sessions(
        [ContinuousPairs(y, 5) for y in labels], [rows_of(n) for n in LENGTHS], CPU
    )
    linked = sampler.linked
    rng = np.random.default_rng(1)
    query = rng.normal(size=(90, 2)) * 2
    found = linked.nearest(torch.from_numpy(query), (30, 30, 30), generator()).numpy()
    for s in range(3):
        part = slice(30 * s, 30 * s + 30)
        far = np.linalg.norm(query[part, None] - labels[s], axis=2)
        assert np.array_equal(found[part] - STARTS[s], far.argmin(1))


@pytest.mark.parametrize("first", [True, False])
def test_ties_are_broken_as_asked(first):
    labels = [np.repeat(np.arange(10.0), 20), np.tile(np.arange(10.0), 30)]
    rows = [rows_of(200), rows_of(300)]
    sampler = bind_sessions([ContinuousPairs(y, 1) for y in labels], rows, CPU)
    query = torch.full((2000, 1), 4.0, dtype=torch.float64)
    found = sampler.linked.nearest(query, (1000, 1000), generator(), first=first)
    found = found.numpy()
    if first:
        assert np.all(found[:1000] == 80) and np.all(found[1000:] == 200 + 4)
    else:
        assert chisquare(np.bincount(found[:1000] - 80, minlength=20)).pvalue > 1e-3
        assert np.array_equal(np.unique(found[1000:]), 204 + 10 * np.arange(30))


def test_no_row_is_its_own_positive_unless_allowed():
    pairs = [DiscretePairs(np.repeat([0, 1], n // 2)) for n in LENGTHS]
    batch = drawn(pairs)
    assert not np.any(aligned(batch) == batch.reference.numpy())
    batch = drawn(pairs, exclude_self=False)
    assert np.any(aligned(batch) == batch.reference.numpy())


@pytest.mark.parametrize("prior", ["empirical", "uniform"])
def test_classes_match_and_those_not_shared_are_left_out(prior):
    rng = np.random.default_rng(0)
    classes = [rng.choice([2, 5, 7], n, p=[0.6, 0.3, 0.1]) for n in LENGTHS]
    classes[0][classes[0] == 7] = 9
    batch = drawn([DiscretePairs(c, prior) for c in classes])
    every = np.concatenate(classes)
    reference = batch.reference.numpy()
    assert np.array_equal(every[reference], every[aligned(batch)])
    assert set(every[reference]) == {2, 5}
    count = np.array([(every[reference] == c).sum() for c in (2, 5)])
    if prior == "uniform":
        assert chisquare(count).pvalue > 1e-3
        labels = walks()
        pairs = [
            MixedPairs(ContinuousPairs(y, 5), c, prior)
            for y, c in zip(labels, classes, strict=True)
        ]
        kinds = every[drawn(pairs).reference.numpy()]
        assert chisquare([(kinds == c).sum() for c in (2, 5)]).pvalue > 1e-3
    in_third = aligned(batch)[(session_of(aligned(batch)) == 2)]
    twos = np.flatnonzero(classes[2] == 2) + STARTS[2]
    hits = np.bincount(np.searchsorted(twos, in_third[every[in_third] == 2]))
    assert chisquare(hits).pvalue > 1e-3


def test_mixed_pairs_are_near_within_the_class():
    rng = np.random.default_rng(0)
    labels = walks()
    classes = [rng.integers(0, 3, n) for n in LENGTHS]
    pairs = [
        MixedPairs(ContinuousPairs(y, 5), c)
        for y, c in zip(labels, classes, strict=True)
    ]
    batch = drawn(pairs)
    kind = np.concatenate(classes)
    assert np.array_equal(kind[batch.reference.numpy()], kind[aligned(batch)])
    linked = bind_sessions(pairs, [rows_of(n) for n in LENGTHS], CPU).linked
    asker = torch.randint(sum(LENGTHS), (90,), generator=generator())
    query = linked.values[asker] + linked.delta(90, generator())
    found = linked.nearest(query, (30, 30, 30), generator()).numpy()
    for s in range(3):
        part = slice(30 * s, 30 * s + 30)
        far = np.linalg.norm(query[part, None, :2] - labels[s], axis=2)
        far[kind[asker[part]][:, None] != classes[s]] = np.inf
        assert np.array_equal(found[part] - STARTS[s], far.argmin(1))


def test_normal_differences_are_as_wide_as_asked():
    rng = np.random.default_rng(0)
    labels = [rng.uniform(0, 1, (20_000, 1)) for _ in range(2)]
    rows = [rows_of(20_000), rows_of(20_000)]
    pairs = [ContinuousPairs(y, delta=0.02) for y in labels]
    batch = drawn(pairs, rows=rows)
    every = np.concatenate(labels)[:, 0]
    reference = every[batch.reference.numpy()]
    inside = (reference > 0.1) & (reference < 0.9)
    apart = (every[aligned(batch)] - reference)[inside]
    assert ks_1samp(apart, norm(0, 0.02).cdf).pvalue > 1e-3


def test_ties_and_self_are_as_the_pairs_say():
    labels = [np.repeat(np.arange(10.0), 20), np.tile(np.arange(10.0), 30)]
    rows = [rows_of(200), rows_of(300)]
    pairs = [ContinuousPairs(y, 1, break_ties=False) for y in labels]
    batch = drawn(pairs, rows=rows)
    firsts = {*range(0, 200, 20), *range(1, 200, 20), *range(200, 220)}
    # the second where the first asks for itself
    assert set(batch.positives[0].tolist()) <= firsts
    pairs = [ContinuousPairs(y, 1, None, break_ties=True) for y in labels]
    assert not set(drawn(pairs, rows=rows).positives[0].tolist()) <= firsts
    assert not np.any(aligned(batch) == batch.reference.numpy())


def test_time_and_hybrid_pairs_stay_in_their_trial():
    trials = [np.arange(n) // 50 for n in LENGTHS]
    rows = [rows_of(n, 2, 3, t) for n, t in zip(LENGTHS, trials, strict=True)]
    batch = drawn([TimePairs(4)] * 3, rows=rows)
    every = np.concatenate([t + 100 * s for s, t in enumerate(trials)])
    usable = np.concatenate([r.references for r in rows])
    reference = batch.reference.numpy()
    assert np.all(aligned(batch) - reference == 4)
    assert np.array_equal(every[aligned(batch)], every[reference])
    assert usable[aligned(batch)].all() and usable[reference].all()
    hybrid = [HybridPairs(ContinuousPairs(y, 4), 4) for y in walks()]
    batch = drawn(hybrid, rows=rows)
    reference = batch.reference.numpy()
    assert np.all(aligned(batch, 1) - reference == 4)
    assert np.array_equal(every[aligned(batch, 1)], every[reference])
    assert usable[aligned(batch, 0)].all() and usable[batch.negative.numpy()].all()


def test_a_full_batch_takes_every_row_once():
    batch = drawn([ContinuousPairs(y, 5) for y in walks()], n=None)
    assert batch.sizes == LENGTHS
    assert np.array_equal(batch.reference.numpy(), np.arange(sum(LENGTHS)))
    assert np.array_equal(np.bincount(session_of(batch.positives[0].numpy())), LENGTHS)
    assert np.array_equal(np.sort(batch.orders[0].numpy()), np.arange(sum(LENGTHS)))


def test_recordings_that_share_nothing_are_refused():
    first, second, third = walks()
    with pytest.raises(InvalidInput, match="share no range of variable 1"):
        far = second.copy()
        far[:, 1] += 1000
        drawn([ContinuousPairs(y, 5) for y in (first, far, third)])
    with pytest.raises(InvalidInput, match="no class"):
        drawn([DiscretePairs(np.full(n, s)) for s, n in enumerate(LENGTHS)])
    with pytest.raises(InvalidInput, match="different ways"):
        drawn([ContinuousPairs(first, 5), TimePairs(5), TimePairs(5)])
    with pytest.raises(InvalidInput, match="different numbers of variables"):
        drawn([ContinuousPairs(y, 5) for y in (first, second[:, :1], third)])
    with pytest.raises(InvalidInput, match="within one recording"):
        pairs = [MoviePairs(np.zeros(n, int), np.zeros(n, int)) for n in LENGTHS]
        drawn(pairs)


def config_of(**options):
    settings = {
        "model_architecture": "offset10-model",
        "output_dimension": 3,
        "num_hidden_units": 16,
        "batch_size": 64,
        "max_iterations": 40,
        "evaluations": 4,
        "time_offsets": 5,
        "input_dropout": 0.0,
        "standardize": False,
        "device": "cpu",
        "threads": 1,
        "seed": 3,
    }
    return TrainConfig(**{**settings, **options})


def recordings(neurons=(12, 9, 9), seed=0, noise=0.5, lengths=LENGTHS):
    """Animals whose neurons are tuned to the same wandering point."""
    rng = np.random.default_rng(seed)
    values, labels = [], []
    for n, count in zip(lengths, neurons, strict=True):
        y = np.cumsum(rng.normal(size=(n, 2)), 0) / 4
        y = np.abs((y + 1) % 4 - 2) - 1  # in a box, with reflecting walls
        centers = rng.uniform(-1, 1, (count, 2))
        rate = np.exp(-((y[:, None] - centers) ** 2).sum(2) / 0.5)
        values.append((rate + rng.normal(0, noise, rate.shape)).astype(np.float32))
        labels.append(y)
    return values, labels


def sessions_of(values, labels, pairs=lambda y: ContinuousPairs(y, 5), heldout=None):
    return [
        Session(v, np.zeros(len(v), int), pairs(y), heldout_rows=heldout and heldout(v))
        for v, y in zip(values, labels, strict=True)
    ]


def last_fifth(values):
    return np.arange(len(values)) >= 0.8 * len(values)


@pytest.mark.parametrize(
    "name", ["offset10-model", "offset5-model", "offset1-model-v3", "m7 u4 d1", "d1"]
)
@pytest.mark.parametrize("few", [True, False])
def test_sliding_over_covered_frames_equals_windows(name, few):
    config = config_of(model_architecture=name)
    training = SessionTraining(sessions_of(*recordings()), config)
    objective = training.objective
    rows = [
        torch.randint(20, 200, (5 if few else 300,), generator=generator(s))
        for s in range(3)
    ]
    pieces = [Piece(s, row, None, None) for s, row in enumerate(rows)]
    found = [objective._embed(objective.network, piece) for piece in pieces]
    for s, network in enumerate(objective.network):
        window = objective._windows[s]
        expected = network.after_mean(window.of(rows[s]))[:, 0]
        torch.testing.assert_close(found[s], expected, rtol=1e-5, atol=1e-6)
        weight = torch.randn(expected.shape, generator=generator())
        parameters = list(network.parameters())
        want = torch.autograd.grad((expected * weight).sum(), parameters)
        have = torch.autograd.grad(
            (found[s] * weight).sum(), parameters, retain_graph=True
        )
        for a, b in zip(have, want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=3e-5)


@pytest.mark.parametrize("equal", [True, False])
def test_loss_equals_the_references_for_its_weights_and_rows(equal):
    cebra = pytest.importorskip("cebra")
    values, labels = recordings((9, 9, 9) if equal else (12, 9, 7))
    training = SessionTraining(sessions_of(values, labels), config_of(temperature=1.0))
    objective = training.objective
    models = torch.nn.ModuleList(
        cebra.models.init("offset10-model", v.shape[1], 16, 3) for v in values
    )
    for network, model in zip(objective.network, models, strict=True):
        network.copy_reference_weights(model.state_dict())
    data = cebra.data.DatasetCollection(
        *[
            cebra.data.TensorDataset(
                torch.from_numpy(v),
                continuous=torch.from_numpy(y).float(),
                device="cpu",
            )
            for v, y in zip(values, labels, strict=True)
        ]
    )
    criterion = cebra.models.criterions.FixedCosineInfoNCE(1.0)
    solver = cebra.solver.MultiSessionSolver(
        model=models,
        criterion=criterion,
        optimizer=torch.optim.Adam(models.parameters()),
    )
    data.configure_for(models)
    batch: SessionBatch = objective.draw().batch
    starts = torch.from_numpy(STARTS)[:, None]
    index = cebra.data.datatypes.BatchIndex(
        reference=batch.reference.view(3, -1) - starts,
        positive=batch.positives[0].view(3, -1) - starts,
        negative=batch.negative.view(3, -1) - starts,
        index=None,
        index_reversed=batch.orders[0],
    )
    prediction = solver._inference(data.load_batch(index))
    theirs, *parts = criterion(
        prediction.reference, prediction.positive, prediction.negative
    )
    found = []
    objective.criterion.register_forward_hook(lambda *given: found.append(given[2]))
    ours = objective.loss(Drawn(batch, None), 0)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for mine, other in zip(found[0], [theirs, *parts], strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
    theirs.backward()
    ours.backward()
    for network, model in zip(objective.network, models, strict=True):
        for mine, other in zip(network.parameters(), model.parameters(), strict=True):
            expected = other.grad.reshape(mine.shape)
            torch.testing.assert_close(mine.grad, expected, rtol=1e-3, atol=1e-6)


KINDS = {
    "continuous": lambda y: ContinuousPairs(y, 5),
    "circular": lambda y: ContinuousPairs(np.arctan2(*y.T), 5, (2 * np.pi,)),
    "discrete": lambda y: DiscretePairs((y[:, 0] > 0).astype(int)),
    "mixed": lambda y: MixedPairs(ContinuousPairs(y, 5), (y[:, 0] > 0).astype(int)),
    "hybrid": lambda y: HybridPairs(ContinuousPairs(y, 5), 5),
    "time": lambda y: TimePairs(5),
}


@pytest.mark.parametrize("full_batch", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_trained_judged_and_repeats_itself(kind, full_batch):
    sessions = sessions_of(*recordings(), KINDS[kind], last_fifth)
    config = config_of(input_dropout=0.0 if full_batch else 0.2, max_iterations=8)

    def trained():
        training = SessionTraining(sessions, config, full_batch=full_batch)
        assert list(training.run())[-1].bits_heldout is not None
        return training

    first, second = trained(), trained()
    np.testing.assert_array_equal(first.losses, second.losses)
    assert np.isfinite(first.losses).all()
    drawn = first.objective.draw().batch
    assert first.objective.n_negatives == len(drawn.negative) == sum(drawn.sizes)
    for latents, n in zip(first.latents(), LENGTHS, strict=True):
        assert latents.shape == (n, 3)


def test_masks_hide_what_the_encoders_see():
    sessions = sessions_of(*recordings())
    config = config_of(max_iterations=5)
    plain, masked = (
        SessionTraining(sessions, config, masks=masks)
        for masks in (None, {"NeuronBlockMask": 0.5})
    )
    for training in (plain, masked):
        for _ in training.run():
            pass
    assert not np.array_equal(plain.losses, masked.losses)
    masks = masked.objective.draw().masks
    assert [m.shape for m in masks] == [(192, 10, n) for n in (12, 9, 9)]
    assert [int((m[0] == 0).any(0).sum()) for m in masks] == [6, 4, 4]


@pytest.mark.parametrize("kind", ["discrete", "hybrid of classes"])
def test_windows_take_neurons_from_rows_of_the_same_class_and_recording(kind):
    classes, values = [], []
    for n, count in zip(LENGTHS, (12, 9, 9), strict=True):
        classes.append(np.arange(n) % 7)
        classes[-1][5] = -1  # in no class: keeps its own
        # a trace says in its tens which class it is of, in its ones which row
        values.append(np.tile(10.0 * classes[-1][:, None], count))
        values[-1] += np.linspace(0, 1, n)[:, None]
    rule = {
        "discrete": DiscretePairs,
        "hybrid of classes": lambda c: HybridPairs(DiscretePairs(c), 3),
    }[kind]
    sessions = sessions_of([v.astype(np.float32) for v in values], classes, rule)
    config = config_of(model_architecture="d1", mix_repeats=0.5)
    objective = SessionTraining(sessions, config).objective
    drawn = objective.draw()
    for piece in objective._pieces(drawn):
        windows = objective._windows[piece.session].of(piece.rows, piece.noise)
        of_row = classes[piece.session][piece.rows.numpy()]
        seen = windows[:, 0].numpy()[of_row >= 0]
        assert np.all(seen // 10 == of_row[of_row >= 0][:, None])
        distinct = [len(np.unique(row)) for row in seen]
        assert np.mean(np.equal(distinct, 2)) > 0.9  # its own value and another's


@pytest.mark.parametrize("full_batch", [True, False])
def test_rows_of_no_stretch_may_hold_anything(full_batch):
    values, labels = recordings()
    losses = []
    for filled in (0.0, np.nan, 1e9):
        sessions = sessions_of(values, labels)
        for k, session in enumerate(sessions):
            segment = np.arange(len(session.values)) // 60
            segment[100:110] = -1
            spoiled = session.values.copy()
            spoiled[100:110] = filled
            sessions[k] = Session(spoiled, segment, session.pairs)
        config = config_of(max_iterations=4, batch_size=400)
        training = SessionTraining(sessions, config, full_batch=full_batch)
        for _ in training.run():
            pass
        losses.append(training.losses)
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def test_windows_stay_in_their_stretch():
    sessions = [
        replace(session, segment=np.arange(len(session.values)) // 60)
        for session in sessions_of(*recordings(), heldout=last_fifth)
    ]
    objective = SessionTraining(sessions, config_of(batch_size=2000)).objective
    for session, rows in zip(
        sessions, objective._rows(objective.draw().batch), strict=True
    ):
        seen = rows.numpy()[:, None] + np.arange(-5, 5)
        assert np.all(session.segment[seen] == session.segment[rows.numpy()][:, None])
        assert not last_fifth(session.values)[seen].any()


def test_broken_labels_carry_no_bits():
    values, labels = recordings()
    rng = np.random.default_rng(0)
    labels = [rng.permutation(y) for y in labels]
    sessions = sessions_of(values, labels, heldout=last_fifth)
    training = SessionTraining(sessions, config_of(max_iterations=60))
    for _ in training.run():
        pass
    assert abs(max(e.bits_heldout for e in training.evaluations)) < 0.1


@pytest.fixture(scope="module")
def animals():
    values, labels = recordings((40, 30), lengths=(1500, 1200), noise=0.3)
    sessions = sessions_of(values, labels, heldout=last_fifth)
    config = config_of(
        max_iterations=300, batch_size=128, temperature=0.3, learning_rate=1e-2
    )
    training = SessionTraining(sessions, config)
    for _ in training.run():
        pass
    return sessions, labels, training


def test_two_animals_with_one_latent_agree_on_held_out_rows(animals):
    sessions, labels, training = animals
    model = training.model()
    latents = [
        model.transform(session.values, session.segment, s)
        for s, session in enumerate(sessions)
    ]
    held = [session.heldout_rows for session in sessions]
    # one decoder, fitted on the training rows of the first animal alone
    squares = [np.column_stack([z, z**2]) for z in latents]
    fit = LinearRegression().fit(squares[0][~held[0]], labels[0][~held[0]])
    for s in range(2):
        assert fit.score(squares[s][held[s]], labels[s][held[s]]) > 0.7
    # the latents of the same places in both animals
    known = ~held[0]
    far = ((labels[1][held[1]][:, None] - labels[0][known]) ** 2).sum(2)
    match = latents[0][known][far.argmin(1)]
    other = latents[1][held[1]]
    assert LinearRegression().fit(other, match).score(other, match) > 0.7


def test_save_and_load(animals, tmp_path):
    sessions, _, training = animals
    model = training.model()
    model.save(tmp_path / "model.safetensors")
    again = MultiEncoder.load(tmp_path / "model.safetensors")
    assert again.config == model.config and again.n_neurons == (40, 30)
    used = [hash_of_values(s.values[s.used]) for s in sessions]
    assert again[1].training["data_sha256"] == used and used[0] != used[1]
    for s, session in enumerate(sessions):
        np.testing.assert_array_equal(
            model.transform(session.values, session.segment, s),
            again.transform(session.values, session.segment, s),
        )
    with pytest.raises(InvalidInput, match="no recording 2"):
        again.transform(sessions[0].values, sessions[0].segment, 2)
    (tmp_path / "cut").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(InvalidInput, match="cut short"):
        MultiEncoder.load(tmp_path / "cut")
    model[0].save(tmp_path / "one")
    with pytest.raises(InvalidInput, match="several recordings"):
        MultiEncoder.load(tmp_path / "one")


@pytest.mark.parametrize("several", [True, False])
def test_adapting_trains_the_first_layer_alone(animals, several):
    _, _, training = animals
    model = training.model()
    given = model if several else model[1]
    values, labels = recordings((25, 20), seed=5, lengths=(900, 800), noise=0.3)
    sessions = sessions_of(values, labels, heldout=last_fifth)
    sessions = sessions if several else sessions[0]
    config = replace(model.config, max_iterations=150)
    adapted = adapt(given, sessions, config)
    anew = SessionTraining(sessions if several else [sessions], config)
    bits = []
    for training in (adapted, anew):
        for _ in training.run():
            pass
        bits.append(max(e.bits_heldout for e in training.evaluations))
    assert bits[0] > 0.8 * bits[1] > 0.4, bits
    for s, encoder in enumerate(adapted.model().encoders):
        source = model[s] if several else model[1]
        old, new = source.network.state_dict(), encoder.network.state_dict()
        for name in old:
            if not name.startswith("convs.0."):
                assert torch.equal(old[name], new[name])
    start = adapt(given, sessions, config).model()
    moved = (
        start[0].network.convs[0].weight != adapted.model()[0].network.convs[0].weight
    )
    assert moved.float().mean() > 0.9
    with pytest.raises(InvalidInput, match="sources"):
        adapt(given, sessions, config, sources=[7])
