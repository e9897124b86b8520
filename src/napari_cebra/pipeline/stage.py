"""One training of the protocol: on these rows, judged on those."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import errors_by_k
from napari_cebra.pipeline.embedding_result import TrainingLog
from napari_cebra.recording import InvalidInput
from napari_cebra.traces import recompute_dff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_cebra.decoding import Split
    from napari_cebra.embedding import Encoder, TrainReport
    from napari_cebra.embedding.pairs import Pairs
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.target import Target
    from napari_cebra.recording import Recording

_TRIES = 12
"""How often a choosing run decodes the validation rows."""


def fitted_values(recording: Recording, rows: np.ndarray) -> np.ndarray:
    """Return (T, N) traces whose baseline saw these rows alone.

    Traces that came without raw counts are taken as they are.
    """
    if recording.raw is None:
        return recording.traces.values
    return recompute_dff(recording, rows).traces.values


class Stage:
    """One encoder trained on the rows that one step of the protocol may see.

    Parameters
    ----------
    recording : Recording
    target : Target or None
        None for pairs in time alone.
    split : Split
    config : PipelineConfig
        With nothing left open.
    choosing : bool
        Train on ``split.train`` and find the number of steps and of neighbours
        that decode ``split.validation`` best (without a target: the steps with
        the best goodness of fit); else train on ``split.refit`` for `steps`.
    steps : int, optional
        Where a final fit stops; the schedule stays that of the choosing run.
    values : (T, N), optional
        Traces fitted on the same rows before.
    judge : bool
        Evaluate a final fit on the test rows (nothing is chosen by it).
    judge_on : sequence of (T,) bool, optional
        Sets of rows that a choosing run decodes; default the validation rows.
        With more than one, `tries` is what to choose by, over several runs.
    """

    def __init__(
        self,
        recording: Recording,
        target: Target | None,
        split: Split,
        config: PipelineConfig,
        choosing: bool,
        steps: int | None = None,
        values: np.ndarray | None = None,
        judge: bool = True,
        judge_on: Sequence[np.ndarray] | None = None,
    ) -> None:
        from napari_cebra.embedding import TimePairs, Training

        assert config.training is not None
        self.choosing, self.target, self.config = choosing, target, config
        self.split = split
        self._valid, segment = recording.valid, recording.stretches
        if choosing:
            self.rows, held = split.train, split.validation
            self.segment = split.choosing(segment)
        else:
            self.rows, held = split.refit, split.test
            self.segment = split.refitting(segment)
        self.values = fitted_values(recording, self.rows) if values is None else values
        training = replace(
            config.training,
            stop_iteration=steps or config.training.stop_iteration,
            keep_best=choosing and target is None,
            patience=config.training.patience if choosing else None,
        )
        pairs: Pairs = TimePairs(training.time_offsets)
        if target is not None:
            pairs = target.pairs(config)
        parts = self.values, self.segment, self.rows
        judged = held if held.any() and (choosing or judge) else None
        # The stretches were cut: what a window reaches in its own is its part's.
        seen = self.segment >= 0
        try:
            self.training = Training(*parts, judged, pairs, training, context=seen)
        except InvalidInput:
            if judged is None:
                raise
            # Too few held-out rows to pair: they cannot be judged by InfoNCE,
            # but can be decoded.
            self.training = Training(*parts, None, pairs, training, context=seen)
        self.judge_on = [split.validation] if judge_on is None else list(judge_on)
        self.tries: list[Try] = []
        self._best: _Best | None = None
        if choosing and target is not None:
            self.training.on_evaluation = self._try

    def run(self, latents_every: float | None = None) -> Iterator[TrainReport]:
        """Train. Only a choosing run shows how it does on held-out rows.

        What a final fit reaches on the test rows is logged, but not shown
        while it runs: whoever watched it could stop at its best.
        """
        for report in self.training.run(latents_every=latents_every):
            if report.latents is not None:
                report.latents[~self._valid] = np.nan
            yield report if self.choosing else replace(report, bits_heldout=None)
            if self._gave_up:
                break

    @property
    def steps(self) -> int:
        """Steps behind the weights that `encoder` returns."""
        if self._best is not None:
            return self._best.step
        best = self.training.best_step
        kept = self.training.config.keep_best and best is not None
        return best if kept and best is not None else self.training.step

    @property
    def k(self) -> int | None:
        """Number of neighbours that decodes the validation rows best.

        None in a final fit, without a target, and before the first try.
        """
        return None if self._best is None else self._best.k

    def encoder(self) -> Encoder:
        """Return the encoder learnt so far; while choosing, the best tried."""
        return self.training.model() if self._best is None else self._best.encoder

    def latents(self) -> np.ndarray:
        """Return the (T, D) latents of `encoder`; NaN in rows that are not valid."""
        latents = self.encoder().transform(self.values, self.segment)
        latents[~self._valid] = np.nan
        return latents

    def try_now(self) -> None:
        """Decode the validation rows, for a run stopped before its first try."""
        if self._best is None and self.target is not None:
            self._judge(self.training.step)

    def _try(self, step: int) -> None:
        """Decode the validation rows, every so many evaluations.

        The steps at which this happens do not depend on the clock, and after
        half of them without a better one nothing is chosen any more; so the
        choice is the same however fast the machine is.
        """
        every = max(1, self.training.config.evaluations // _TRIES)
        done = len(self.training.evaluations)
        last = step >= self.training.config.last_iteration
        if (done % every == 0 or last) and not self._gave_up:
            self._judge(step)

    def _judge(self, step: int) -> None:
        encoder = self.training.model()
        latents = encoder.transform(self.values, self.segment)
        tried = Try(step, tuple(self._errors(latents, rows) for rows in self.judge_on))
        self.tries.append(tried)
        if len(self.judge_on) > 1:
            return
        (errors,) = tried.errors
        k = min(errors, key=lambda number: errors[number])
        if self._best is None or errors[k] < self._best.error:
            self._best = _Best(step, len(self.tries), k, errors[k], encoder)

    @property
    def _gave_up(self) -> bool:
        best = self._best
        return best is not None and len(self.tries) - best.number >= _TRIES // 2

    def log(self) -> TrainingLog:
        """Return how the training went."""
        done = self.training.evaluations
        step = np.array([e.step for e in done], np.int64)
        since = np.concatenate([[0], step[:-1]]) if step.size else step
        losses = self.training.losses
        return TrainingLog(
            step,
            np.array(
                [losses[a:b].mean() for a, b in zip(since, step, strict=True)],
                np.float32,
            ),
            np.array([e.bits_train for e in done], np.float32),
            np.array(
                [np.nan if e.bits_heldout is None else e.bits_heldout for e in done],
                np.float32,
            ),
        )

    def _errors(self, latents: np.ndarray, rows: np.ndarray) -> dict[int, float]:
        assert self.target is not None
        y, decoding = self.target.values, self.config.decoding
        train = self.split.train
        return errors_by_k(
            latents[train],
            y[train],
            latents[rows],
            y[rows],
            decoding.ks,
            self.target.task,
            decoding.weighting,
            self.target.period,
            self.config.seed,
        )


@dataclass(frozen=True)
class Try:
    """Errors by k, on each set of rows that was decoded, after some steps."""

    step: int
    errors: tuple[dict[int, float], ...]


@dataclass(frozen=True, eq=False)
class _Best:
    """The try that decoded the validation rows best."""

    step: int
    number: int
    k: int
    error: float
    encoder: Encoder
