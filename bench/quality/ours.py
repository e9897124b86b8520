"""Our protocol on a case, beside the raw population and Gaussian naive Bayes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from reference import split_of
from sklearn.naive_bayes import GaussianNB

from napari_cebra.decoding import KnnDecoder, evaluate, validation_error
from napari_cebra.pipeline import (
    DecodingConfig,
    PipelineConfig,
    TargetConfig,
    decode,
    exhaust,
    fit,
)
from napari_cebra.pipeline.stage import Stage
from napari_cebra.pipeline.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recordings import Case

    from napari_cebra.pipeline import Decoding

BLOCKS = 5
BAYES_SMOOTHING = tuple(10.0**n for n in (-9, -6, -3, 0, 3))


def repeat_of(block: int) -> int:
    """Return the repeat of the movie that a block stands for: every second."""
    return 2 * block + 1


def settings(case: Case, seed: int, changes: dict[str, Any] | None) -> PipelineConfig:
    """Return what the window would start from, on one thread, with changes."""
    config = PipelineConfig(
        target=TargetConfig(case.target),
        training_changes={**case.changes, "threads": 1, **(changes or {})},
        decoding=DecodingConfig(n_controls=0, n_blocks=BLOCKS),
        seed=seed,
    )
    return config.resolved(case.recording)


def single(
    case: Case, seed: int, block: int, changes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Fit and decode one block, choosing steps and k on the block before.

    Parameters
    ----------
    case : Case
    seed, block : int
    changes : dict, optional
        Settings that replace the recommended ones.
    """
    target = Target.of(case.recording, case.target)
    assert target is not None
    split = split_of(case, block)
    args = case.recording, target, split, settings(case, seed, changes)
    begun = time.process_time()
    choosing = Stage(*args, choosing=True)
    _train(choosing)
    chosen = time.process_time()
    fitting = Stage(*args, choosing=False, steps=choosing.steps, judge=False)
    _train(fitting)
    fitted = time.process_time()
    latents = fitting.encoder().transform(fitting.values, fitting.segment)
    y, k = target.values, choosing.k
    assert k is not None
    decoder = KnnDecoder(k, target.task, seed=seed)
    decoder.fit(latents[split.refit], y[split.refit])
    scores = evaluate(
        target.task,
        decoder.predict(latents[split.test]).value,
        y[split.test],
        frame_times=target.frame_times,
        training_mean=0.0 if case.movie else y[split.refit].mean(axis=0),
    )
    return {
        "case": case.name, "seed": seed, "block": block, "k": k,
        "steps": choosing.steps, "cpu_seconds": fitted - chosen,
        "choosing_cpu_seconds": chosen - begun, "scores": scores.as_dict(),
    }  # fmt: skip


def _train(stage: Stage) -> None:
    for _ in stage.run():
        pass


def measured(
    case: Case,
    seed: int,
    changes: dict[str, Any] | None = None,
    blocks: tuple[int, ...] = tuple(range(BLOCKS)),
) -> Iterator[dict[str, Any]]:
    """Yield the errors of our embedding and of the raw population per block.

    Parameters
    ----------
    case : Case
    seed : int
        Of everything random in the training.
    changes : dict, optional
        Settings that replace the recommended ones.
    blocks : tuple of int
        Of a movie: repeats 1, 3, 5, 7 and 9 are tested in turn. Without
        repeats the protocol always takes all blocks.
    """
    config = settings(case, seed, changes)
    cases = [case.tested_on(repeat_of(b)) for b in blocks] if case.movie else [case]
    for number, turned in enumerate(cases):
        cpu = time.process_time()
        embedding = exhaust(fit(turned.recording, config))
        decoding = exhaust(decode(turned.recording, embedding))
        cpu = time.process_time() - cpu
        for fold in range(len(decoding.folds)):
            yield {
                "case": case.name,
                "seed": seed,
                "block": blocks[number] if case.movie else fold,
                "ours": _errors(decoding, decoding.predicted, fold),
                "raw": _errors(decoding, decoding.raw_predicted, fold),
                "steps": decoding.steps[fold],
                "k": decoding.k[fold],
                "raw_choice": decoding.raw_choice[fold],
                "cpu_seconds": cpu,
                "fit_seconds": decoding.seconds["fitting"] / len(decoding.folds),
                "choosing_seconds": decoding.seconds["choosing"] / len(decoding.folds),
            }


def _errors(decoding: Decoding, predicted: np.ndarray, fold: int) -> dict[str, float]:
    rows = decoding.fold == fold
    away = predicted[rows] - decoding.true[rows]
    if decoding.task == "index":
        error = np.abs(away)
        return {"within_1s": float((error < 30).mean()), "mean": float(error.mean())}
    error = np.abs(away) if away.ndim == 1 else np.linalg.norm(away, axis=1)
    sse = float((away**2).sum())
    assert decoding.training_means is not None
    about = decoding.true[rows] - decoding.training_means[fold]
    return {
        "median": float(np.median(error)),
        "mean": float(error.mean()),
        "r2": 1 - sse / float((about**2).sum()),
    }


def bayes(case: Case, block: int) -> dict[str, Any]:
    """Decode a repeat by Gaussian naive Bayes, smoothing chosen as published.

    The features are the traces, of 10-frame windows their running mean.
    """
    frames = int(case.name.rsplit("-", 1)[1])
    turned = case.tested_on(repeat_of(block))
    stimulus = turned.recording.stimulus
    assert stimulus is not None
    shown, repeat = stimulus.shown, stimulus.repeat
    values = np.asarray(turned.recording.traces.values, np.float64)
    if frames > 1:
        kernel = np.ones(frames) / frames
        values = np.stack([np.convolve(v, kernel, "same") for v in values.T], axis=1)
    last = repeat.max()

    def decoded(train: np.ndarray, rows: np.ndarray, smoothing: float) -> np.ndarray:
        model = GaussianNB(var_smoothing=smoothing).fit(values[train], shown[train])
        return model.predict(values[rows])

    train, rows = repeat < last - 1, repeat == last - 1
    errors = {
        s: validation_error("index", decoded(train, rows, s), shown[rows])
        for s in BAYES_SMOOTHING
    }
    best = min(errors, key=lambda s: errors[s])
    train, rows = repeat < last, repeat == last
    error = np.abs(decoded(train, rows, best) - shown[rows])
    return {
        "case": case.name, "block": block, "var_smoothing": best,
        "bayes": {"within_1s": float((error < 30).mean()), "mean": float(error.mean())},
    }  # fmt: skip
