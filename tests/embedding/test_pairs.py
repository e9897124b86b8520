"""What is drawn: the right rows, with the right frequencies, and never others."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from napari_cebra.embedding.pairs import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MixedPairs,
    MoviePairs,
    Rows,
    TimePairs,
    pairs_for,
)
from napari_cebra.recording import (
    InvalidInput,
    Stimulus,
    Variable,
    complete_windows,
    segments,
)

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows_of(segment, left=2, right=3, usable=None):
    segment = np.asarray(segment)
    if usable is not None:
        segment = segments(segment, np.asarray(usable, bool) & (segment >= 0))
    return Rows(complete_windows(segment, left, right), segment)


def draw(pairs, rows, n=20_000, seed=0):
    batch = pairs.bind(rows, CPU).draw(n, generator(seed))
    arrays = (batch.reference, *batch.positives, batch.negative)
    return [a.numpy() for a in arrays]


def is_uniform(found, among):
    """Chi-square test that every one of `among` is drawn equally often."""
    count = np.bincount(np.searchsorted(among, found), minlength=len(among))
    assert np.isin(found, among).all()
    return chisquare(count).pvalue > 1e-3


TRIALS = np.repeat([0, 1, 2, 3], [30, 7, 50, 13])


def test_time_pairs_stay_in_their_trial():
    rows = rows_of(TRIALS)
    reference, positive, negative = draw(TimePairs(4), rows)
    assert np.all(positive - reference == 4)
    assert np.all(TRIALS[positive] == TRIALS[reference])
    assert rows.references[reference].all() and rows.references[positive].all()
    possible = np.flatnonzero(rows.references[:-4] & rows.references[4:])
    possible = possible[TRIALS[possible] == TRIALS[possible + 4]]
    assert is_uniform(reference, possible)
    assert is_uniform(negative, possible)


def test_time_pairs_skip_gaps():
    usable = np.ones(60, bool)
    usable[25] = False
    rows = rows_of(np.zeros(60, int), usable=usable)
    reference, positive, _ = draw(TimePairs(3), rows)
    assert not np.any((reference < 25) & (positive > 25))


def test_time_offset_longer_than_any_stretch_is_refused():
    with pytest.raises(InvalidInput, match="No stretch is long enough"):
        TimePairs(100).bind(rows_of(TRIALS), CPU)


@pytest.mark.parametrize("prior", ["empirical", "uniform"])
def test_discrete_pairs(prior):
    rng = np.random.default_rng(0)
    classes = rng.choice([0, 3, 7], size=300, p=[0.7, 0.2, 0.1])
    classes[:10] = -1
    classes[150] = 99  # alone in its class
    rows = rows_of(np.zeros(300, int))
    reference, positive, negative = draw(DiscretePairs(classes, prior), rows)
    assert np.all(classes[positive] == classes[reference])
    assert np.all(positive != reference)
    assert not np.isin(classes[reference], [-1, 99]).any()
    usable = np.flatnonzero(rows.references & np.isin(classes, [0, 3, 7]))
    if prior == "empirical":
        assert is_uniform(reference, usable)
        assert is_uniform(negative, usable)
    else:
        assert is_uniform(classes[reference], np.array([0, 3, 7]))
    own = reference == np.flatnonzero(rows.references & (classes == 7))[0]
    others = usable[(classes[usable] == 7) & (usable != reference[own][0])]
    if own.sum() > 5 * len(others):
        assert is_uniform(positive[own], others)


def brute_force(columns, periods, query):
    """Squared distance from the query to every row, angle by chord or arc."""
    if len(periods) == 1 and periods[0] is not None:
        gap = np.abs(columns[:, 0] - query[0]) % periods[0]
        return np.minimum(gap, periods[0] - gap) ** 2
    total = np.zeros(len(columns))
    for j, period in enumerate(periods):
        if period is None:
            total += (columns[:, j] - query[j]) ** 2
        else:
            angle = 2 * np.pi / period
            total += 2 - 2 * np.cos(angle * (columns[:, j] - query[j]))
    return total


class Recorded:
    """A sampler's search, with the queries it was asked."""

    def __init__(self, search):
        self.search, self.queries = search, []

    def candidates(self, query):
        self.queries.append(query)
        return self.search.candidates(query)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "periods", [(None,), (10.0,), (None, None), (None, 10.0), (None,) * 12]
)
def test_continuous_positive_is_the_nearest_row(periods, tied):
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(size=(400, len(periods))), axis=0)
    for j, period in enumerate(periods):
        if period is not None:
            values[:, j] %= period
    if tied:
        values = np.round(values)
    rows = rows_of(np.zeros(400, int))
    sampler = ContinuousPairs(values, 3, periods).bind(rows, CPU)
    recorded = Recorded(sampler.search)
    object.__setattr__(sampler, "search", recorded)
    object.__setattr__(sampler, "table", None)
    batch = sampler.draw(300, generator())
    usable = np.flatnonzero(rows.references)
    scaled = [1.0 if p is None else 2 * np.pi / p for p in periods]
    points = sampler.space.points(torch.as_tensor(values[usable] * scaled)).numpy()
    queries = recorded.queries[0].numpy()
    for query, ref, positive in zip(
        queries, batch.reference.numpy(), batch.positives[0].numpy(), strict=True
    ):
        if sampler.space.period is None:
            distance = ((points - query) ** 2).sum(1)
        else:
            distance = brute_force(points, (2 * np.pi,), query)
        distance[usable == ref] = np.inf
        chosen = distance[usable == positive][0]
        assert positive != ref
        assert chosen <= distance.min() + 1e-9


def test_sorted_search_agrees_with_the_reference_search():
    distributions = pytest.importorskip("cebra.distributions")
    rng = np.random.default_rng(3)
    for d in (1, 2):
        values = rng.normal(size=(500, d)).astype(np.float32)
        rows = Rows(np.ones(500, bool), np.zeros(500, int))
        sampler = ContinuousPairs(values, 1).bind(rows, CPU)
        query = rng.normal(size=(200, d)).astype(np.float32)
        theirs = distributions.ContinuousIndex(torch.from_numpy(values)).search(
            torch.from_numpy(query)
        )
        index, distance = sampler.search.candidates(torch.from_numpy(query).double())
        best = index.gather(1, distance.argmin(1, keepdim=True))[:, 0]
        ours = sampler.groups.members[sampler.groups.start[best]]
        mine, reference = (
            ((values[i.numpy()] - query) ** 2).sum(1) for i in (ours, theirs)
        )
        # the reference expands the square in float32, so it may miss by a hair
        assert np.all(mine <= reference)
        np.testing.assert_allclose(mine, reference, atol=2e-6)


def test_ties_are_broken_at_random_and_never_by_the_row_itself():
    values = np.tile(np.arange(30.0), 8)  # eight rows of each value
    rows = Rows(np.ones(240, bool), np.repeat(np.arange(8), 30))
    reference, positive, _ = draw(ContinuousPairs(values, 1), rows, 50_000)
    assert np.all(positive != reference)
    # every difference is +1 here, so the nearest of 5 + 1 is any row of value 6
    at5 = values[reference] == 5
    assert is_uniform(positive[at5], np.flatnonzero(values == 6))
    last = reference == 29  # 29 + 1: nearest is 29 again, itself left out
    among = np.flatnonzero(values == 29)
    assert is_uniform(positive[last], among[among != 29])


def test_differences_never_span_a_border():
    values = np.concatenate([np.arange(20.0), 1000 + np.arange(20.0)])
    rows = Rows(np.ones(40, bool), np.repeat([0, 1], 20))
    sampler = ContinuousPairs(values, 2).bind(rows, CPU)
    np.testing.assert_array_equal(np.unique(sampler.deltas.numpy()), [2.0])


def test_differences_of_an_angle_add_as_an_angle():
    angle = (np.arange(400) * 7.0) % 360
    rows = Rows(np.ones(400, bool), np.zeros(400, int))
    pairs = pairs_for(
        "behavior", [Variable("angle", angle, "circular", period=360)], time_offset=1
    )
    reference, positive, _ = draw(pairs, rows, 5000)
    turned = (angle[positive] - angle[reference]) % 360
    np.testing.assert_allclose(turned, 7, atol=0.51)


def test_rows_of_unknown_value_are_not_drawn():
    values = np.random.default_rng(0).normal(size=200)
    values[50:90] = np.nan
    rows = Rows(np.ones(200, bool), np.zeros(200, int))
    for found in draw(ContinuousPairs(values, 2), rows):
        assert np.isfinite(values[found]).all()


@pytest.mark.parametrize("columns", [1, 2])
def test_mixed_pairs_stay_in_their_class(columns):
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(500, columns)), axis=0)
    classes = np.repeat(np.arange(5), 100)
    classes[250] = 17  # alone
    rows = Rows(np.ones(500, bool), np.zeros(500, int))
    pairs = MixedPairs(ContinuousPairs(values, 2), classes)
    reference, positive, negative = draw(pairs, rows)
    assert np.all(classes[reference] == classes[positive])
    assert np.all(reference != positive)
    assert 250 not in reference and 250 not in negative
    sampler = pairs.bind(rows, CPU)
    assert np.unique(sampler.deltas[:, -1].numpy()) == [0]
    # no row of the class is nearer than the one drawn, whatever was added
    near = np.abs(values[positive] - values[reference]).max(1)
    assert np.median(near) < 3


def movie(frames=20, repeats=4, per_frame=1):
    shown = np.tile(np.repeat(np.arange(frames), per_frame), repeats)
    return shown, np.repeat(np.arange(repeats), frames * per_frame)


@pytest.mark.parametrize("reach", [0, 1, 3])
@pytest.mark.parametrize("per_frame", [1, 2])
def test_movie_pairs_draw_every_partner_equally(reach, per_frame):
    shown, repeat = movie(per_frame=per_frame)
    shown[5] = -1
    rows = Rows(np.ones(len(shown), bool), np.zeros(len(shown), int))
    pairs = MoviePairs(shown, repeat, reach)
    reference, positive, negative = draw(pairs, rows, 200_000)
    assert np.all(repeat[reference] != repeat[positive])
    assert np.all(np.abs(shown[reference] - shown[positive]) <= reach)
    for row in (0, 6, len(shown) // 2, len(shown) - 1):
        partners = (np.abs(shown - shown[row]) <= reach) & (repeat != repeat[row])
        partners = np.flatnonzero(partners & (shown >= 0))
        assert is_uniform(positive[reference == row], partners)
    assert is_uniform(negative, np.flatnonzero(shown >= 0))


def test_a_single_heldout_repeat_is_paired_with_the_training_repeats():
    shown, repeat = movie()
    held = repeat == 3
    rows = Rows(held, np.zeros(len(shown), int), ~held)
    reference, positive, negative = draw(MoviePairs(shown, repeat), rows)
    assert held[reference].all() and not held[positive].any()
    assert not held[negative].any()
    both = repeat >= 2
    rows = Rows(both, np.zeros(len(shown), int), ~both)
    for found in draw(MoviePairs(shown, repeat), rows):
        assert both[found].all()


def test_a_movie_shown_once_cannot_be_paired():
    shown, repeat = movie(repeats=1)
    rows = Rows(np.ones(len(shown), bool), np.zeros(len(shown), int))
    with pytest.raises(InvalidInput, match="two of the repeats"):
        MoviePairs(shown, repeat).bind(rows, CPU)


def test_hybrid_pairs_have_a_partner_in_behaviour_and_one_in_time():
    shown, repeat = movie()
    rows = rows_of(repeat)
    reference, behaviour, time, _ = draw(
        HybridPairs(MoviePairs(shown, repeat), 3), rows
    )
    assert np.all(time == reference + 3) and np.all(repeat[time] == repeat[reference])
    assert np.all(np.abs(shown[reference] - shown[behaviour]) <= 1)


def test_same_seed_same_draws():
    shown, repeat = movie()
    rows = rows_of(repeat)
    for pairs in (
        TimePairs(2),
        MoviePairs(shown, repeat),
        ContinuousPairs(shown.astype(float), 2),
        DiscretePairs(shown),
    ):
        first, second = draw(pairs, rows, 50, 7), draw(pairs, rows, 50, 7)
        other = draw(pairs, rows, 50, 8)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not np.array_equal(first[0], other[0])


def test_pairs_are_chosen_by_kind_of_variable():
    continuous = Variable("x", np.arange(9.0))
    discrete = Variable("side", np.arange(9) % 2, "discrete")
    stimulus = Stimulus(np.tile(np.arange(3), 3))
    assert isinstance(pairs_for("time"), TimePairs)
    assert isinstance(pairs_for("behavior", [continuous]), ContinuousPairs)
    assert isinstance(pairs_for("behavior", [discrete]), DiscretePairs)
    assert isinstance(pairs_for("behavior", [continuous, discrete]), MixedPairs)
    assert isinstance(pairs_for("behavior", stimulus=stimulus), MoviePairs)
    hybrid = pairs_for("hybrid", [discrete])
    assert isinstance(hybrid, HybridPairs)
    assert isinstance(hybrid.behavior, DiscretePairs)


def test_impossible_choices_are_refused():
    discrete = Variable("side", np.arange(9) % 2, "discrete")
    rows = Rows(np.ones(9, bool), np.zeros(9, int))
    with pytest.raises(InvalidInput, match="needs a variable"):
        pairs_for("behavior")
    with pytest.raises(InvalidInput, match="Unknown mode"):
        pairs_for("both")
    with pytest.raises(InvalidInput, match="one discrete variable"):
        pairs_for("behavior", [discrete, discrete])
    with pytest.raises(InvalidInput, match="only once"):
        pairs_for("behavior", stimulus=Stimulus(np.arange(9)))
    with pytest.raises(InvalidInput, match="same value in all"):
        ContinuousPairs(np.ones(9), 1).bind(rows, CPU)
    with pytest.raises(InvalidInput, match="one row per imaging frame"):
        ContinuousPairs(np.arange(8.0), 1).bind(rows, CPU)
    with pytest.raises(InvalidInput, match="smaller time offset"):
        ContinuousPairs(np.arange(9.0), 9).bind(rows, CPU)
    with pytest.raises(InvalidInput, match="two usable rows"):
        DiscretePairs(np.arange(9)).bind(rows, CPU)


def test_normal_differences_have_the_spread_asked_for():
    values = np.linspace(0, 1000, 200_001)[::100]  # a grid finer than the spread
    rows = Rows(np.ones(len(values), bool), np.zeros(len(values), int))
    pairs = ContinuousPairs(values, delta=20.0)
    reference, positive, _ = draw(pairs, rows)
    inside = np.abs(values[reference] - 500) < 400
    apart = (values[positive] - values[reference])[inside] / 20
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, apart.size) * 0.05 / 2
    assert kstest(apart + jitter, "norm").pvalue > 1e-3
    turned = ContinuousPairs(values % 100, periods=(100.0,), delta=5.0)
    reference, positive, _ = draw(turned, rows)
    apart = (values[positive] - values[reference] + 50) % 100 - 50
    assert apart.std() == pytest.approx(5.0, rel=0.03)
    for delta in (0.0, -1.0, np.nan):
        with pytest.raises(InvalidInput, match="delta"):
            ContinuousPairs(values, delta=delta).bind(rows, CPU)


def test_switched_off_the_first_nearest_row_is_taken_itself_included():
    """As the first minimum over all rows, which is what the reference takes."""
    distributions = pytest.importorskip("cebra.distributions")
    rng = np.random.default_rng(5)
    for d in (1, 2):
        once = rng.integers(0, 12, (40, d)).astype(np.float32)
        values = np.tile(once, (6, 1))
        rows = Rows(np.ones(240, bool), np.zeros(240, int))
        pairs = ContinuousPairs(values, 1, break_ties=False, exclude_self=False)
        sampler = pairs.bind(rows, CPU)
        recorded = Recorded(sampler.search)
        object.__setattr__(sampler, "search", recorded)
        batch = sampler.draw(2000, generator())
        query = recorded.queries[0]
        theirs = distributions.ContinuousIndex(torch.from_numpy(values)).search(
            query.float()
        )
        ours = batch.positives[0]
        if d == 1:
            assert torch.equal(ours, theirs)
        near = [np.square(values[i] - query.numpy()).sum(1) for i in (ours, theirs)]
        np.testing.assert_array_equal(*near)
        assert (ours < 40).all() and (ours == batch.reference).any()


def test_self_may_be_a_positive_if_asked_for():
    classes = np.repeat([0, 1, 2], [40, 8, 1])
    rows = Rows(np.ones(49, bool), np.zeros(49, int))
    pairs = DiscretePairs(classes, exclude_self=False)
    reference, positive, _ = draw(pairs, rows)
    assert is_uniform(reference, np.arange(49))
    assert is_uniform(positive[reference == 42], np.arange(40, 48))
    assert np.all(positive[reference == 48] == 48)


def test_mixed_pairs_with_a_uniform_prior():
    rng = np.random.default_rng(6)
    classes = rng.choice([0, 4], size=400, p=[0.9, 0.1])
    rows = Rows(np.ones(400, bool), np.zeros(400, int))
    pairs = MixedPairs(ContinuousPairs(rng.normal(size=400), 1), classes, "uniform")
    reference, positive, negative = draw(pairs, rows)
    assert np.all(classes[positive] == classes[reference])
    assert is_uniform(classes[reference], np.array([0, 4]))
    assert is_uniform(classes[negative], np.array([0, 4]))
    assert is_uniform(reference[classes[reference] == 4], np.flatnonzero(classes == 4))


@pytest.mark.parametrize("classes", [None, np.arange(200) % 50 % 2])
def test_the_table_of_differences_finds_what_the_search_finds(classes):
    rng = np.random.default_rng(7)
    features = np.tile(rng.normal(5, 1, (50, 20)), (4, 1))
    rows = Rows(np.ones(200, bool), np.repeat(np.arange(4), 50))
    pairs = ContinuousPairs(features, 1)
    if classes is not None:
        pairs = MixedPairs(pairs, classes)
    sampler = pairs.bind(rows, CPU)
    assert sampler.table is not None and len(sampler.groups.count) == 50
    found = sampler.draw(5000, generator())
    object.__setattr__(sampler, "table", None)
    searched = sampler.draw(5000, generator())
    for a, b in zip(found.positives, searched.positives, strict=True):
        np.testing.assert_array_equal(a % 50, b % 50)
    repeats = found.positives[0] // 50
    assert is_uniform(repeats.numpy(), np.arange(4))


def test_the_rules_can_be_chosen_by_variable():
    rng = np.random.default_rng(8)
    speed = Variable("speed", rng.normal(size=50), "continuous")
    kind = Variable("kind", rng.integers(0, 2, 50), "discrete")
    rule = {"delta": 0.1, "break_ties": False, "exclude_self": False}
    mixed = pairs_for("behavior", [speed, kind], prior="uniform", **rule)
    assert mixed.prior == "uniform" and mixed.continuous.delta == 0.1
    assert not (mixed.continuous.break_ties or mixed.continuous.exclude_self)
    discrete = pairs_for("behavior", [kind], prior="uniform", exclude_self=False)
    assert discrete.prior == "uniform" and not discrete.exclude_self
