"""Procrustes alignment: the published rotation, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from napari_cebra.embedding import OrthogonalProcrustesAlignment, ensemble_embeddings
from napari_cebra.recording import InvalidInput

cebra = pytest.importorskip("cebra")


def reference(*args, **kwargs):
    return cebra.data.helper.OrthogonalProcrustesAlignment(*args, **kwargs)


@pytest.mark.parametrize("columns", [1, 2, 12])
@pytest.mark.parametrize("top_k", [1, 5])
def test_it_is_the_published_alignment(columns, top_k):
    rng = np.random.default_rng(columns)
    ref, data = rng.normal(size=(300, 6)), rng.normal(size=(250, 6))
    ref_label = rng.uniform(size=(300, columns))
    label = rng.uniform(size=(250, columns))
    ours = OrthogonalProcrustesAlignment(top_k).fit_transform(
        ref, data, ref_label, label
    )
    theirs = reference(top_k).fit_transform(ref, data, ref_label, label)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_without_labels_rows_of_one_number_belong_together():
    rng = np.random.default_rng(0)
    ref = np.cumsum(rng.normal(size=(200, 4)), axis=0)
    data = ref @ ortho_group.rvs(4, random_state=1) + rng.normal(0, 0.1, (200, 4))
    ours = OrthogonalProcrustesAlignment().fit_transform(ref, data)
    np.testing.assert_allclose(ours, reference().fit_transform(ref, data), atol=1e-6)
    exact, _ = orthogonal_procrustes(data, ref)
    one = OrthogonalProcrustesAlignment(top_k=1).fit_transform(ref, data)
    np.testing.assert_allclose(one, data @ exact, atol=1e-8)


def test_a_rotation_is_found_again_from_part_of_the_pairs():
    rng = np.random.default_rng(0)
    ref, turn = rng.normal(size=(3000, 5)), ortho_group.rvs(5, random_state=2)
    label = rng.uniform(size=3000)
    align = OrthogonalProcrustesAlignment(top_k=1, subsample=1000)
    back = align.fit_transform(ref, ref @ turn, label, label)
    np.testing.assert_allclose(back, ref, atol=1e-8)


@pytest.mark.parametrize("columns", [1, 12])
def test_memory_does_not_grow_with_the_product_of_lengths(columns):
    rng = np.random.default_rng(0)
    n = 6000  # all distances at once would take 288 MB
    data, label = rng.normal(size=(n, 3)), rng.uniform(size=(n, columns))
    tracemalloc.start()
    OrthogonalProcrustesAlignment().fit(data, data, label, label)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


@pytest.mark.parametrize("post_norm", [False, True])
def test_ensembles_are_the_published_ones(post_norm):
    rng = np.random.default_rng(0)
    first = np.cumsum(rng.normal(size=(300, 4)), axis=0)
    runs = [
        first @ ortho_group.rvs(4, random_state=k) + rng.normal(0, 0.5, first.shape)
        for k in range(1, 4)
    ]
    ours = ensemble_embeddings(runs, post_norm=post_norm, n_jobs=0)
    theirs = cebra.data.helper.ensemble_embeddings(runs, post_norm=post_norm)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((np.ones((9, 2)), np.ones((8, 2))), "give both ref_label and label"),
        ((np.ones((9, 2)), np.ones((9, 2)), np.ones(9)), "give both"),
        ((np.ones((9, 2)), np.ones((9, 3))), "2 and 3 dimensions"),
        ((np.ones((3, 2)), np.ones((3, 2))), "fewer than top_k=5"),
        ((np.ones((9, 2)), np.ones((8, 2)), np.ones(8), np.ones(8)), "8 labels"),
    ],
)
def test_what_cannot_be_aligned_is_said(arguments, says):
    with pytest.raises(InvalidInput, match=says):
        OrthogonalProcrustesAlignment().fit(*arguments)


def test_order_and_shapes_are_checked():
    with pytest.raises(InvalidInput, match="call fit"):
        OrthogonalProcrustesAlignment().transform(np.ones((3, 2)))
    with pytest.raises(InvalidInput, match="same rows and dimensions"):
        ensemble_embeddings([np.ones((9, 2)), np.ones((8, 2))])
