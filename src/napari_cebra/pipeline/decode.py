"""Decode held-out rows, beside chance, controls and the raw population."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_cebra.decoding import (
    KnnDecoder,
    Prediction,
    RawPopulation,
    Scores,
    chance,
    evaluate,
)
from napari_cebra.pipeline.block_choices import BlockChoices
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.stage import Stage, fitted_values
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_cebra.decoding import Split
    from napari_cebra.embedding import TrainReport
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Recording

_PER_TRAINING = 100


@dataclass(frozen=True, eq=False)
class DecodeReport:
    """How far a decoding has come.

    Parameters
    ----------
    text : str
        What is being done.
    done, total : int
        In hundredths of a training.
    seconds_left : float or None
        Estimate; None before the first training.
    report : TrainReport, optional
        Of the training under way.
    """

    text: str
    done: int
    total: int
    seconds_left: float | None = None
    report: TrainReport | None = None


def decode(
    recording: Recording,
    embedding: Embedding,
    config: PipelineConfig | None = None,
    folds: Literal["last", "all"] | None = None,
    n_controls: int | None = None,
) -> Generator[DecodeReport, None, Decoding]:
    """Decode the target from rows that nothing fitted or chosen has seen.

    With repeats, the embedding's own encoder and choices are used for the
    repeat it left out. In contiguous blocks an encoder is chosen and fitted
    for each. Every control trains the encoder again, with broken labels and
    the settings that were chosen for the true ones.

    Parameters
    ----------
    recording : Recording
        As the embedding was fitted to.
    embedding : Embedding
    config : PipelineConfig, optional
        For its `target` and `decoding`; default the embedding's.
    folds : {"last", "all"}, optional
        With repeats; default ``config.decoding.folds``.
    n_controls : int, optional
        Default ``config.decoding.n_controls``.

    Yields
    ------
    DecodeReport

    Returns
    -------
    Decoding

    Raises
    ------
    InvalidInput
        If there is no target, or the embedding is of another recording.
    """
    run = _Run(recording, embedding, config, folds, n_controls)
    return (yield from run.run())


class _Run:
    """The parts of one decoding, fold by fold."""

    def __init__(
        self,
        recording: Recording,
        embedding: Embedding,
        config: PipelineConfig | None,
        folds: Literal["last", "all"] | None,
        n_controls: int | None,
    ) -> None:
        config = embedding.config if config is None else config
        config = replace(config, training=embedding.config.training)
        decoding = replace(
            config.decoding,
            folds=folds or config.decoding.folds,
            n_controls=(
                config.decoding.n_controls if n_controls is None else n_controls
            ),
        )
        self.config = replace(config, decoding=decoding)
        rows = embedding.latents.shape[0]
        if rows != recording.n_frames:
            raise InvalidInput(
                f"The embedding has {rows} rows but the recording has "
                f"{recording.n_frames} frames; train on this recording first."
            )
        target = Target.of(recording, config.target.name)
        if target is None:
            raise InvalidInput(
                "An embedding of time alone has nothing to decode; choose a variable "
                "or a stimulus as target."
            )
        self.recording, self.embedding, self.target = recording, embedding, target
        self.window = embedding.encoder.receptive_field
        self.segment = recording.stretches
        gap = decoding.gap(self.window, recording.rate)
        self.splits = target.folds(recording, gap, decoding.n_blocks)
        if target.stimulus is not None and decoding.folds == "last":
            self.splits = self.splits[-1:]
        self.folds = [_Fold(split, self._reusable(split)) for split in self.splits]
        self.raw = RawPopulation(
            *self.window,
            target.task,
            decoding.weighting,
            target.period,
            self.config.seed,
        )
        self.seconds: defaultdict[str, float] = defaultdict(float)
        n = len(self.folds)
        trainings = sum(0 if fold.reused else 2 for fold in self.folds)
        if target.stimulus is None:
            trainings = n * (n - 1) // 2 + n
        trainings += n * decoding.n_controls
        self.clock = _Clock(trainings)

    def _reusable(self, split: Split) -> bool:
        """Whether the embedding was fitted for just this split."""
        own, theirs = self.embedding.config, self.config
        return (
            np.array_equal(self.embedding.split.test, split.test)
            and own.target == theirs.target
            and own.dff == theirs.dff
            and self.embedding.k is not None
        )

    def run(self) -> Generator[DecodeReport, None, Decoding]:
        """Run everything."""
        if self.target.stimulus is None:
            yield from self._choose_in_blocks()
        for fold in self.folds:
            yield self.clock.report(f"Decoding {fold.split.name}")
            yield from self._fit(fold)
            yield self.clock.report(f"Raw population, {fold.split.name}")
            self._raw(fold)
        controls = []
        for number in range(self.config.decoding.n_controls):
            controls.append((yield from self._control(number)))
        return self._result(controls)

    def _choose_in_blocks(self) -> Iterator[DecodeReport]:
        """Choose for each block on all the others, in turn."""
        with self._timed("choosing"):
            choices = BlockChoices(
                self.recording, self.target, self.splits, self.config, self.raw
            )
            for text, stage in choices.stages():
                yield from self._train(stage, text)
            for i, fold in enumerate(self.folds):
                fold.steps, fold.k = choices.encoder_choice(i)
                fold.raw_choice = choices.raw_choice(i)

    def _fit(self, fold: _Fold) -> Iterator[DecodeReport]:
        """Choose and fit an encoder without the fold's test rows; decode them."""
        args = self.recording, self.target, fold.split, self.config
        if fold.reused:
            fold.k, fold.steps = self.embedding.k, self.embedding.steps
            fold.split = self.embedding.split
            fold.latents = self.embedding.latents
            fold.values = fitted_values(self.recording, fold.split.refit)
            self.seconds["choosing"] += self.embedding.choosing_seconds
            self.seconds["fitting"] += self.embedding.seconds
        else:
            if fold.steps is None:
                with self._timed("choosing"):
                    stage = Stage(*args, choosing=True)
                    text = f"Choosing settings, {fold.split.name}"
                    yield from self._train(stage, text)
                    fold.k, fold.steps = stage.k, stage.steps
            with self._timed("fitting"):
                stage = Stage(*args, choosing=False, steps=fold.steps, judge=False)
                yield from self._train(stage, f"Fitting without {fold.split.name}")
                fold.values = stage.values
                fold.latents = stage.latents()
        with self._timed("decoding"):
            fold.prediction = self._decode(fold, fold.latents, self.target)

    def _decode(
        self, fold: _Fold, latents: np.ndarray | None, target: Target
    ) -> Prediction:
        assert latents is not None and fold.k is not None
        decoder = KnnDecoder(
            fold.k,
            target.task,
            self.config.decoding.weighting,
            target.period,
            seed=self.config.seed,
        )
        refit, test = fold.split.refit, fold.split.test
        return decoder.fit(latents[refit], target.values[refit]).predict(latents[test])

    def _raw(self, fold: _Fold) -> None:
        """Decode the test rows from windows of the traces themselves."""
        split, decoding, y = fold.split, self.config.decoding, self.target.values
        with self._timed("raw population"):
            raw = self.raw
            if fold.raw_choice is None:
                fold.raw_choice = raw.choose(
                    fitted_values(self.recording, split.train),
                    split.choosing(self.segment),
                    y,
                    split.train,
                    split.validation,
                    decoding.ks,
                    decoding.sigmas,
                )
            segment = split.refitting(self.segment)
            assert fold.values is not None
            fold.raw = raw.predict(
                fold.values, segment, y, split.refit, split.test, *fold.raw_choice
            )

    def _control(self, number: int) -> Generator[DecodeReport, None, Scores]:
        """Train again with broken labels; score as ours are scored."""
        state = np.random.SeedSequence([self.config.seed, 0xC0117801, number])
        seed = int(state.generate_state(1)[0])
        predictions, targets = [], []
        with self._timed("controls"):
            for fold in self.folds:
                broken = self.target.broken(self.recording, fold.split, seed)
                stage = Stage(
                    self.recording,
                    broken,
                    fold.split,
                    self.config,
                    choosing=False,
                    steps=fold.steps,
                    values=fold.values,
                    judge=False,
                )
                total = self.config.decoding.n_controls
                yield from self._train(stage, f"Control {number + 1} of {total}")
                latents = stage.latents()
                predictions.append(self._decode(fold, latents, broken).value)
                targets.append(broken)
        return self._score(predictions, targets)

    def _train(self, stage: Stage, text: str) -> Iterator[DecodeReport]:
        report = None
        for report in stage.run():
            share = report.step / report.max_steps
            yield self.clock.report(text, share, report)
        self.clock.finish()

    def _score(self, values: list[np.ndarray], targets: list[Target]) -> Scores:
        """Score the folds together, each about its own training mean."""
        true, means = [], []
        for fold, target in zip(self.folds, targets, strict=True):
            true.append(target.values[fold.split.test])
            mean = _mean(target, fold.split.refit)
            means.append(np.broadcast_to(mean, true[-1].shape))
        return evaluate(
            self.target.task,
            np.concatenate(values),
            np.concatenate(true),
            frame_times=self.target.frame_times,
            training_mean=np.concatenate(means),
            period=self.target.period,
        )

    def _chance(self) -> Scores:
        target = self.target
        true = [target.values[fold.split.test] for fold in self.folds]
        means = [
            np.broadcast_to(_mean(target, fold.split.refit), part.shape)
            for fold, part in zip(self.folds, true, strict=True)
        ]
        return chance(
            target.task,
            np.concatenate(true),
            n_movie_frames=target.n_movie_frames,
            frame_times=target.frame_times,
            training_mean=np.concatenate(means),
            period=target.period,
        )

    def _result(self, controls: list[Scores]) -> Decoding:
        target, folds = self.target, self.folds
        same = [target] * len(folds)
        decoded = [f.prediction for f in folds if f.prediction is not None]
        raw = [f.raw for f in folds if f.raw is not None]
        known = target.known
        part = folds[-1].split.parts(self.recording.valid, known)
        number = np.full(known.size, -1, np.int64)
        for i, fold in enumerate(folds):
            number[fold.split.test] = i
        part[number >= 0] = "test"
        if len(folds) > 1:
            part[(number < 0) & self.recording.valid & known] = "gap"
        return Decoding(
            target=target.name,
            task=target.task,
            predicted=self._spread([p.value for p in decoded]),
            true=target.values,
            candidates=self._candidates(decoded),
            weights=self._spread([p.weights for p in decoded], 0),
            confidence=self._spread([p.confidence for p in decoded]),
            part=part,
            fold=number,
            folds=tuple(fold.split.name for fold in folds),
            k=tuple(fold.k or 0 for fold in folds),
            steps=tuple(fold.steps or 0 for fold in folds),
            raw_choice=tuple(fold.raw_choice or (0, 0.0) for fold in folds),
            scores=self._score([p.value for p in decoded], same),
            chance=self._chance(),
            raw=self._score([p.value for p in raw], same),
            raw_predicted=self._spread([p.value for p in raw]),
            controls=tuple(controls),
            settings=self._settings(),
            seconds={part: round(s, 3) for part, s in self.seconds.items()},
            training_means=(
                np.array([_mean(target, fold.split.refit) for fold in folds])
                if target.task == "regression"
                else None
            ),
        )

    def _settings(self) -> dict[str, object]:
        movie = self.target.stimulus is not None
        return {
            **asdict(self.config.decoding),
            "seed": self.config.seed,
            "receptive_field": list(self.window),
            "control": (
                "frame ids permuted within each training repeat"
                if movie
                else "variable shifted circularly"
            ),
            "baseline_saw_test_rows": self.recording.raw is None,
        }

    def _spread(self, parts: list[np.ndarray], fill: float | None = None) -> np.ndarray:
        """Lay what was decoded fold by fold on the recording's rows."""
        first = parts[0]
        if fill is None:
            fill = -1 if first.dtype.kind in "iu" else np.nan
        out = np.full((self.recording.n_frames, *first.shape[1:]), fill, first.dtype)
        for fold, values in zip(self.folds, parts, strict=True):
            out[fold.split.test] = values
        return out

    def _candidates(self, decoded: list[Prediction]) -> np.ndarray:
        if self.target.task in ("index", "class"):
            return self._spread([p.candidates for p in decoded])
        rows = []
        for fold, prediction in zip(self.folds, decoded, strict=True):
            fitted = np.append(np.flatnonzero(fold.split.refit), -1)
            rows.append(fitted[prediction.candidates])  # -1 stays -1
        return self._spread(rows)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - begun


@dataclass(eq=False)
class _Fold:
    split: Split
    reused: bool
    k: int | None = None
    steps: int | None = None
    latents: np.ndarray | None = None
    values: np.ndarray | None = None
    prediction: Prediction | None = None
    raw: Prediction | None = None
    raw_choice: tuple[int, float] | None = None


class _Clock:
    """Progress over trainings of equal length."""

    def __init__(self, trainings: int) -> None:
        self.total = max(1, trainings) * _PER_TRAINING
        self.before = 0
        self.begun = time.perf_counter()

    def finish(self) -> None:
        self.before += _PER_TRAINING

    def report(
        self, text: str, share: float = 0.0, report: TrainReport | None = None
    ) -> DecodeReport:
        done = self.before + round(share * _PER_TRAINING)
        left = None
        if done:
            elapsed = time.perf_counter() - self.begun
            left = elapsed * (self.total - done) / done
        return DecodeReport(text, done, self.total, left, report)


def _mean(target: Target, rows: np.ndarray) -> np.ndarray | float:
    """Mean over the training rows, which a value is judged against."""
    if target.task != "regression":
        return 0.0
    return np.asarray(target.values[rows]).mean(axis=0)
