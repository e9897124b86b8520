"""The published recipe, trained and decoded by the reference package itself."""

from __future__ import annotations

import time
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cebra.decoding import Split, evaluate, validation_error
from napari_cebra.pipeline.target import Target

if TYPE_CHECKING:
    from recordings import Case

MOVIE_KS = (1, 9, 25, 49, 100)
VALUE_KS = (1, 4, 9, 16, 25)
GAP_S = 3.5
"""Left out around a block: the longest receptive field and the calcium decay."""


def split_of(case: Case, block: int) -> Split:
    """Return the split that tests one block (of a movie: one repeat)."""
    target = Target.of(case.recording, case.target)
    assert target is not None and case.recording.rate is not None
    gap = round(GAP_S * case.recording.rate)
    return target.folds(case.recording, gap, 5)[block]


def published(
    case: Case,
    seed: int,
    block: int,
    by: str = "cebra",
    changes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train the published recipe without a block; decode it with kNN.

    As published, k is chosen by decoding the validation rows with an encoder
    that has seen them; the scores of every k on the test rows are returned too.

    Parameters
    ----------
    case : Case
    seed, block : int
    by : {"cebra", "napari_cebra"}
        The reference package, or our estimator with its settings.
    changes : dict, optional
        Of the recipe.
    """
    package = import_module(by)
    recipe = {**case.recipe, **(changes or {})}
    split = split_of(case, block)
    values = np.ascontiguousarray(case.recording.traces.values, np.float32)
    target = Target.of(case.recording, case.target)
    assert target is not None
    y = target.values
    torch.manual_seed(seed)
    np.random.seed(seed)
    if by == "napari_cebra":
        recipe["random_state"] = seed
    model = package.CEBRA(**recipe, device="cpu", verbose=False)
    labels = case.labels.astype(np.float32)
    begun, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(values[split.refit], labels[split.refit])
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    latents = np.zeros((len(values), recipe["output_dimension"]), np.float32)
    for rows in (split.refit, split.test):
        latents[rows] = model.transform(values[rows])
    decode = _decode(case, latents, y)
    ks = MOVIE_KS if case.movie else VALUE_KS
    errors = {
        k: validation_error(
            target.task, decode(k, split.train, split.validation), y[split.validation]
        )
        for k in ks
    }
    k = min(errors, key=lambda number: errors[number])
    scores = {
        number: evaluate(
            target.task,
            decode(number, split.refit, split.test),
            y[split.test],
            frame_times=target.frame_times,
            training_mean=0.0 if case.movie else y[split.refit].mean(axis=0),
        ).as_dict()
        for number in ks
    }
    return {
        "case": case.name, "by": by, "seed": seed, "block": block, "k": k,
        "steps": recipe["max_iterations"], "seconds": seconds, "cpu_seconds": cpu,
        "threads": torch.get_num_threads(), "scores": scores[k],
        "scores_by_k": scores,
    }  # fmt: skip


def _decode(case: Case, latents: np.ndarray, y: np.ndarray) -> Any:
    import cebra

    def decode(k: int, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
        decoder = cebra.KNNDecoder(n_neighbors=k, metric="cosine")
        decoder.fit(latents[train], y[train].astype(int if case.movie else float))
        return np.asarray(decoder.predict(latents[rows]))

    return decode
