"""Consistency: the published numbers, and the same held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cebra.embedding import consistency_score
from napari_cebra.recording import InvalidInput

cebra = pytest.importorskip("cebra")


def embeddings(n=4, rows=400, seed=0):
    """Noisy views of one curve, of different dimensions."""
    rng = np.random.default_rng(seed)
    out, labels = [], []
    for k in range(n):
        label = rng.uniform(0, 2, rows)
        curve = np.stack([np.cos(label), np.sin(2 * label), label], axis=1)
        mix = rng.normal(size=(3, 3 + k % 2))
        out.append(curve @ mix + rng.normal(0, 0.3, (rows, 3 + k % 2)))
        labels.append(label)
    return out, labels


def published(*args, **kwargs):
    import cebra.integrations.sklearn.metrics as metrics

    return metrics.consistency_score(*args, **kwargs)


def test_between_runs_it_is_the_published_score():
    runs, _ = embeddings()
    ours, theirs = consistency_score(runs, "runs"), published(runs, "runs")
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert np.array_equal(mine, other)


@pytest.mark.parametrize("bins", [100, 20])
def test_between_datasets_it_is_the_published_score(bins):
    points, labels = embeddings()
    points[1][5] = np.nan  # rows without an embedding
    ours = consistency_score(points, "datasets", labels, None, bins)
    theirs = published(points, "datasets", labels, None, bins)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    assert np.array_equal(ours[1], theirs[1])
    assert np.array_equal(ours[2], theirs[2])


def test_embeddings_of_one_dataset_are_averaged_and_each_score_has_its_pair():
    points, labels = embeddings()
    ids = ["a", "b", "a", "b"]
    scores, pairs, found = consistency_score(points, "datasets", labels, ids)
    theirs = published(points, "datasets", labels, ids)
    np.testing.assert_allclose(scores, theirs[0], atol=1e-6)
    assert pairs.tolist() == [["a", "b"], ["b", "a"]]
    assert found.tolist() == ids
    assert len(theirs[1]) != len(theirs[0])  # the defect that ours does not have


def test_tensors_are_taken():
    runs, _ = embeddings(2)
    tensors = [torch.as_tensor(run) for run in runs]
    ours = consistency_score(tensors, "runs")[0]
    assert np.array_equal(ours, consistency_score(runs, "runs")[0])


def test_held_out_scores_do_not_reward_dimensions():
    rng = np.random.default_rng(1)
    noise = [rng.normal(size=(60, 40)) for _ in range(2)]
    held = [np.arange(60) >= 45] * 2
    assert consistency_score(noise, "runs")[0].min() > 0.5
    assert consistency_score(noise, "runs", heldout=held)[0].max() < 0


def test_held_out_rows_are_scored_by_a_map_fitted_on_the_others():
    from sklearn.linear_model import LinearRegression

    (a, b), _ = embeddings(2)
    held = np.arange(400) % 4 == 0
    scores, _, _ = consistency_score([a, b], "runs", heldout=[held, held])
    expected = LinearRegression().fit(a[~held], b[~held]).score(a[held], b[held])
    assert scores[0] == pytest.approx(expected)


def test_held_out_between_datasets_finds_what_is_shared_and_nothing_else():
    points, labels = embeddings(2, rows=2000)
    held = [np.arange(2000) >= 1500] * 2
    shared = consistency_score(points, "datasets", labels, heldout=held)[0]
    assert shared.min() > 0.7
    rng = np.random.default_rng(2)
    noise = [rng.normal(size=(2000, 40)) for _ in range(2)]
    assert consistency_score(noise, "datasets", labels)[0].min() > 0.3
    assert consistency_score(noise, "datasets", labels, heldout=held)[0].max() < 0


RUNS, LABELS = embeddings(2)
SHORT = [LABELS[0], LABELS[1][1:]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(embeddings=RUNS[:1], between="runs"), "at least 2"),
        (dict(embeddings=RUNS), "between must be"),
        (dict(embeddings=RUNS, between="runs", labels=LABELS), "no meaning"),
        (dict(embeddings=[RUNS[0], RUNS[1][1:]], between="runs"), "equal numbers"),
        (dict(embeddings=RUNS, between="datasets"), "0 sets of labels"),
        (
            dict(embeddings=RUNS, between="datasets", labels=SHORT),
            "399 labels",
        ),
        (
            dict(
                embeddings=RUNS,
                between="datasets",
                labels=[LABELS[0], np.tile(LABELS[1], (2, 1)).T],
            ),
            "one column",
        ),
        (
            dict(
                embeddings=RUNS,
                between="datasets",
                labels=LABELS,
                dataset_ids=["a", "a"],
            ),
            "of 1 data sets",
        ),
        (
            dict(embeddings=RUNS, between="runs", heldout=[np.ones(400, bool)] * 2),
            "all or none",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        consistency_score(**arguments)


def test_datasets_whose_labels_do_not_meet_cannot_be_compared():
    points, labels = embeddings(2)
    with pytest.raises(InvalidInput, match="labels overlap"):
        consistency_score(points, "datasets", [labels[0], labels[1] + 1000])
