"""Whatever the trials, gaps and seeds: shapes, index ranges, borders and bits."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_cebra import CEBRA
from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    Encoder,
    HybridPairs,
    MixedPairs,
    MoviePairs,
    TimePairs,
    TrainConfig,
)
from napari_cebra.embedding.encoder import Standardization, build_network
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.sessions import bind_sessions
from napari_cebra.recording import InvalidInput, complete_windows, segments

CPU = torch.device("cpu")
MANY = settings(max_examples=150, deadline=None, derandomize=True)
FEW = settings(max_examples=12, deadline=None, derandomize=True)
ARCHITECTURES = ["offset1-model", "offset5-model", "m3 u2 d1", "u4/2&- u3/2 d2"]


@st.composite
def recordings(draw, shortest=12, longest=90):
    """Trials of any length, rows that are not valid, and labels of every kind."""
    n = draw(st.integers(shortest, longest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    borders = rng.random(n) < draw(st.sampled_from([0, 0.05, 0.3]))
    valid = rng.random(n) >= draw(st.sampled_from([0, 0.02, 0.2]))
    label = np.cumsum(rng.normal(size=(n, 2)), 0)
    if draw(st.booleans()):
        label = np.round(label)  # with ties
    label[rng.random(n) < draw(st.sampled_from([0, 0.1]))] = np.nan
    classes = rng.integers(-1, 4, n)
    return np.cumsum(borders), valid, label, classes


def every_kind(label, classes, repeat, offset):
    near = partial(ContinuousPairs, label, offset)
    return [
        TimePairs(offset),
        near(),
        near(delta=0.5),
        near(periods=(4.0, None), break_ties=False, exclude_self=False),
        DiscretePairs(classes),
        DiscretePairs(classes, "uniform", exclude_self=False),
        MixedPairs(near(), classes),
        MixedPairs(near(), classes, "uniform"),
        MoviePairs(classes, repeat),
        HybridPairs(near(), offset),
        HybridPairs(DiscretePairs(classes), offset),
    ]


@given(
    recording=recordings(),
    kind=st.integers(0, 10),
    field=st.sampled_from([(0, 1), (2, 3), (5, 5)]),
    offset=st.integers(1, 12),
    n=st.integers(1, 300),
    seed=st.integers(0, 2**31 - 1),
)
@MANY
def test_pairs_are_of_rows_that_may_be_drawn(recording, kind, field, offset, n, seed):
    trials, valid, label, classes = recording
    segment = segments(trials, valid)
    rows = Rows(complete_windows(segment, *field), segment)
    pairs = every_kind(label, classes, trials, offset)[kind]
    try:
        sampler = pairs.bind(rows, CPU)
    except InvalidInput as error:
        assert str(error).endswith(".")
        return
    drawn = [sampler.draw(n, torch.Generator().manual_seed(seed)) for _ in range(2)]
    flat = [(b.reference, *b.positives, b.negative) for b in drawn]
    assert all(map(torch.equal, *flat))
    for part in flat[0]:
        part = part.numpy()
        assert part.shape == (n,) and part.dtype == np.int64
        assert rows.references[part].all()
    reference, *positives, _ = (part.numpy() for part in flat[0])
    if isinstance(pairs, TimePairs | HybridPairs):
        assert np.all(positives[-1] - reference == offset)
        assert np.all(segment[positives[-1]] == segment[reference])
    if isinstance(pairs, DiscretePairs | MixedPairs):
        assert np.all(classes[positives[0]] == classes[reference])
        assert np.all(classes[reference] >= 0)
    if isinstance(pairs, MoviePairs):
        assert np.all(trials[positives[0]] != trials[reference])
    if getattr(pairs, "exclude_self", False):
        assert np.all(positives[0] != reference)


@given(
    first=recordings(shortest=30),
    second=recordings(shortest=30),
    kind=st.sampled_from([0, 1, 2, 4, 6, 9, 10]),
    n=st.one_of(st.none(), st.integers(1, 80)),
    seed=st.integers(0, 2**31 - 1),
)
@MANY
def test_pairs_across_recordings_are_of_rows_of_each(first, second, kind, n, seed):
    rows, pairs = [], []
    for trials, valid, label, classes in (first, second):
        segment = segments(trials, valid)
        rows.append(Rows(complete_windows(segment, 2, 3), segment))
        pairs.append(every_kind(label, classes, trials, 2)[kind])
    try:
        sampler = bind_sessions(pairs, rows, CPU)
    except InvalidInput as error:
        assert str(error).endswith(".")
        return
    batch = sampler.draw(n, torch.Generator().manual_seed(seed))
    again = sampler.draw(n, torch.Generator().manual_seed(seed))
    assert torch.equal(batch.reference, again.reference)
    assert all(map(torch.equal, batch.positives, again.positives))
    assert n is None or batch.sizes == (n, n)
    may = np.concatenate([part.references for part in rows])
    start = len(rows[0].references)
    for part in (batch.reference, *batch.positives, batch.negative):
        part = part.numpy()
        assert len(part) == sum(batch.sizes) and may[part].all()
        assert np.all(part[: batch.sizes[0]] < start)
        assert np.all(part[batch.sizes[0] :] >= start)
    for order in batch.orders:
        if order is not None:  # each reference has one positive, and one alone
            assert np.array_equal(np.sort(order), np.arange(sum(batch.sizes)))


@given(recording=recordings(shortest=1), name=st.sampled_from(ARCHITECTURES))
@MANY
def test_latents_of_every_valid_row_hang_on_its_own_trial_alone(recording, name):
    trials, valid, label, _ = recording
    values = np.nan_to_num(label).astype(np.float32)
    config = TrainConfig(
        model_architecture=name,
        num_hidden_units=4,
        output_dimension=3,
        standardize=False,
        device="cpu",
    )
    network = build_network(config, 2, torch.Generator().manual_seed(0)).eval()
    encoder = Encoder(network, Standardization.fit(values, config), config, {})
    segment = segments(trials, valid)
    latents = encoder.transform(values, segment)
    assert latents.shape == (len(values), 3)
    assert np.array_equal(np.isnan(latents).any(axis=1), ~valid)
    assert np.array_equal(np.isnan(latents).all(axis=1), ~valid)
    for number in np.unique(segment[segment >= 0])[:3]:
        own = segment == number
        changed = encoder.transform(np.where(own[:, None], values, 9), segment)
        np.testing.assert_array_equal(changed[own], latents[own])


@given(
    recording=recordings(shortest=40),
    labelled=st.booleans(),
    batch_size=st.sampled_from([8, None]),
    name=st.sampled_from(ARCHITECTURES[:3]),
    seed=st.integers(0, 2**31 - 1),
)
@FEW
def test_a_seed_decides_the_bits_of_any_fit(
    recording, labelled, batch_size, name, seed
):
    trials, valid, label, _ = recording
    x = np.random.default_rng(seed).normal(size=(len(valid), 4))
    labels = (np.nan_to_num(label),) if labelled else ()
    settings_ = {"max_iterations": 3, "num_hidden_units": 4, "output_dimension": 2}
    rows = {"trials": trials, "valid": valid}

    def fitted(number):
        model = CEBRA(
            **settings_,
            model_architecture=name,
            batch_size=batch_size,
            random_state=number,
            device="cpu",
            threads=1,
        )
        return model.fit(x, *labels, **rows).transform(x, **rows)

    try:
        latents = fitted(seed)
    except InvalidInput as error:
        assert str(error).endswith(".")
        assume(False)
    assert latents.shape == (len(x), 2)
    assert np.array_equal(np.isnan(latents[:, 0]), ~valid)
    assert np.array_equal(latents, fitted(seed), equal_nan=True)
    assert not np.array_equal(latents, fitted(seed + 1), equal_nan=True)
