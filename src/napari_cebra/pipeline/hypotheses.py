"""Which variable explains the activity: candidates under one protocol."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import (
    KnnDecoder,
    contiguous_folds,
    errors_by_k,
    evaluate,
    repeat_folds,
)
from napari_cebra.pipeline.config import STIMULUS, PipelineConfig, TargetConfig
from napari_cebra.pipeline.hypothesis_lines import MEASURES, Block, Line
from napari_cebra.pipeline.hypothesis_table import HypothesisComparison
from napari_cebra.pipeline.stage import fitted_values
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_cebra.decoding import Split
    from napari_cebra.embedding import TrainReport
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Recording


_STEPS_TO_TELL = 100  # of a training that was stopped, to go by its speed


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """How far a comparison has come, in steps; fields as of `DecodeReport`."""

    text: str
    done: int
    total: int
    unit: str
    seconds_left: float | None
    report: TrainReport


def compare_hypotheses(
    recording: Recording,
    candidates: Sequence[str | Sequence[str]],
    config: PipelineConfig | None = None,
    n_seeds: int = 3,
    n_controls: int | None = None,
) -> Generator[ComparisonReport, None, HypothesisComparison]:
    """Fit each candidate, its time-shuffled control, and time alone.

    All are trained with the same settings, on the same rows, for the same
    number of steps, and judged on the same held-out blocks (on held-out repeats
    where the movie is a candidate), which nothing fitted or chosen has seen. In
    a control the labels are broken and the encoder is trained again; its own
    broken labels are then decoded, as in `decode`.

    Parameters
    ----------
    recording : Recording
    candidates : sequence of str or of sequences of str
        Names of variables (several together are one hypothesis), or
        "stimulus frame".
    config : PipelineConfig, optional
        For its `training`, `decoding` and `seed`; its target is not used.
    n_seeds : int
        Trainings of each line in each block; at least 2, for the consistency.
    n_controls : int, optional
        Trainings of each control in each block, every one with its labels
        broken in another way; default `n_seeds`.

    Yields
    ------
    ComparisonReport

    Returns
    -------
    HypothesisComparison

    Raises
    ------
    InvalidInput
        If a candidate is unknown, there is none, or the rows are too few.
    """
    run = Comparison(recording, candidates, config, n_seeds, n_controls)
    return (yield from run.run())


class Comparison:
    """A comparison to be run, which knows beforehand how much work it is.

    Parameters and errors are those of `compare_hypotheses`.

    Attributes
    ----------
    n_trainings : int
        How many encoders it will train.
    """

    def __init__(
        self,
        recording: Recording,
        candidates: Sequence[str | Sequence[str]],
        config: PipelineConfig | None = None,
        n_seeds: int = 3,
        n_controls: int | None = None,
    ) -> None:
        n_controls = n_seeds if n_controls is None else n_controls
        if n_seeds < 2:
            raise InvalidInput(
                f"n_seeds must be at least 2, to see whether trainings agree, not "
                f"{n_seeds}."
            )
        if n_controls < 1:
            raise InvalidInput(
                "n_controls must be at least 1, as bits mean nothing without a "
                f"control, not {n_controls}."
            )
        names = [(c,) if isinstance(c, str) else tuple(c) for c in candidates]
        if not names or any(not name or STIMULUS in name[1:] for name in names):
            raise InvalidInput(
                f"Give one candidate or more, each a variable or several ({STIMULUS!r} "
                "alone)."
            )
        if any(STIMULUS in name and len(name) > 1 for name in names):
            raise InvalidInput(f"{STIMULUS!r} cannot be joined with a variable.")
        _check_distinct(names)
        self.recording = recording
        config = replace(config or PipelineConfig(), target=TargetConfig(None))
        self.config = config.resolved(recording)
        assert self.config.training is not None
        self.training = replace(
            self.config.training, keep_best=False, patience=None, evaluations=1
        )
        lines = []
        for name in names:
            targets = [Target.of(recording, one) for one in name]
            lines.append(Line(" + ".join(name), "hypothesis", tuple(targets)))  # type: ignore[arg-type]
        every = {t.name: t for line in lines for t in line.targets}
        self.lines = lines
        self.time = Line("time", "time", tuple(every.values()))
        known = np.logical_and.reduce([t.known for t in every.values()])
        self.usable = recording.valid & known
        self.splits = self._folds()
        self.n_seeds, self.n_controls = n_seeds, n_controls
        sequence = np.random.SeedSequence([self.config.seed, 0x417])
        drawn = sequence.generate_state(max(n_seeds, n_controls))
        self.seeds = tuple(int(seed) for seed in drawn)
        each_block = len(lines) * (n_seeds + n_controls) + n_seeds
        self.n_trainings = each_block * len(self.splits)
        self._done = 0
        self._begun = time.perf_counter()

    def seconds(self, embedding: Embedding) -> float | None:
        """Return about how long it takes, going by the steps of a training.

        None where that training was stopped too early to tell: the first steps are
        slow, as much is loaded and laid out in them.
        """
        # those it made: the weights kept may be of an earlier one
        made = max([embedding.steps, *embedding.log.step.tolist()])
        if not embedding.seconds or (not embedding.complete and made < _STEPS_TO_TELL):
            return None
        steps = self.n_trainings * self.training.last_iteration
        return steps * embedding.seconds / made

    def _folds(self) -> tuple[Split, ...]:
        recording, config = self.recording, self.config
        if any(t.stimulus is not None for t in self.time.targets):
            assert recording.stimulus is not None
            return repeat_folds(recording.stimulus.repeat, self.usable)
        gap = config.gap(recording.rate)
        blocks = config.decoding.n_blocks
        return contiguous_folds(self.usable, gap, blocks, recording.trials)

    def run(self) -> Generator[ComparisonReport, None, HypothesisComparison]:
        """Train every line in every block with every seed."""
        self._begun = time.perf_counter()
        lines = [
            line
            for hypothesis in self.lines
            for line in (hypothesis, replace(hypothesis, kind="shuffled"))
        ]
        lines.append(self.time)
        found: list[list[Block]] = [[] for _ in lines]
        for split in self.splits:
            values = fitted_values(self.recording, split.refit)
            for line, blocks in zip(lines, found, strict=True):
                blocks.append((yield from self._block(line, split, values)))
        rows = [
            line.row(blocks, found[i + 1] if line.kind == "hypothesis" else None)
            for i, (line, blocks) in enumerate(zip(lines, found, strict=True))
        ]
        return HypothesisComparison(
            tuple(rows),
            tuple(split.name for split in self.splits),
            self.seeds[: self.n_seeds],
            self.n_controls,
            self.config,
            time.perf_counter() - self._begun,
        )

    def _block(
        self, line: Line, split: Split, values: np.ndarray
    ) -> Generator[ComparisonReport, None, Block]:
        from napari_cebra.embedding import Training, consistency_score

        segment = split.refitting(self.recording.stretches)
        n_trainings = self.n_controls if line.kind == "shuffled" else self.n_seeds
        bits, scores, latents = [], [], []
        for seed in self.seeds[:n_trainings]:
            learnt = line
            if line.kind == "shuffled":
                learnt = line.broken(self.usable, split, seed, self.recording.rate)
            training = Training(
                values,
                segment,
                split.refit,
                split.test,
                learnt.pairs(self.training.time_offsets),
                replace(self.training, seed=seed),
                context=segment >= 0,
            )
            for report in training.run():
                yield self._report(line, split, report)
            self._done += 1
            bits.append(training.evaluations[-1].bits_heldout)
            latents.append(training.model().transform(values, segment))
            scores.append([self._scores(t, split, latents[-1]) for t in learnt.targets])
        by_target = {
            target.name: {
                measure: np.array([score[i][measure] for score in scores])
                for measure in MEASURES[target.task]
            }
            for i, target in enumerate(line.targets)
        }
        rows = split.refit | split.test
        rows &= np.isfinite(latents[0]).all(axis=1)
        agreement = np.nan
        if len(latents) > 1:
            held = [split.test[rows]] * len(latents)
            agree, _, _ = consistency_score(
                [each[rows] for each in latents], "runs", heldout=held
            )
            agreement = float(np.mean(agree))
        return Block(np.array(bits, float), by_target, agreement)

    def _scores(
        self, target: Target, split: Split, latents: np.ndarray
    ) -> dict[str, float]:
        """Decode the test rows, with the k that decodes the validation rows best."""
        y, decoding, seed = target.values, self.config.decoding, self.config.seed
        train, held = split.train, split.validation
        ks = [k for k in decoding.ks if k <= train.sum()] or [1]
        errors = errors_by_k(
            latents[train], y[train], latents[held], y[held],
            ks, target.task, decoding.weighting, target.period, seed,
        )  # fmt: skip
        k = min(errors, key=lambda number: errors[number])
        decoder = KnnDecoder(
            k, target.task, decoding.weighting, target.period, seed=seed
        )
        decoder.fit(latents[split.refit], y[split.refit])
        mean = y[split.refit].mean(axis=0) if target.task == "regression" else 0.0
        scored = evaluate(
            target.task,
            decoder.predict(latents[split.test]).value,
            y[split.test],
            frame_times=target.frame_times,
            training_mean=mean,
            period=target.period,
        )
        found = scored.as_dict()
        return {name: float(found[name]) for name in MEASURES[target.task]}  # type: ignore[arg-type]

    def _report(
        self, line: Line, split: Split, report: TrainReport
    ) -> ComparisonReport:
        done = self._done * report.max_steps + report.step
        total = self.n_trainings * report.max_steps
        elapsed = time.perf_counter() - self._begun
        left = elapsed * (total - done) / done if done else None
        what = f"{line.name} ({line.kind})" if line.kind != "time" else "time alone"
        # what it reaches on the held-out block is not shown while it runs
        shown = replace(report, bits_heldout=None)
        text = f"Training {self._done + 1} of {self.n_trainings}: {what}, {split.name}"
        return ComparisonReport(text, done, total, "steps", left, shown)


def _check_distinct(candidates: Sequence[tuple[str, ...]]) -> None:
    """Refuse a candidate that is named twice, in whatever order of its variables."""
    seen: set[frozenset[str]] = set()
    for names in candidates:
        if len(set(names)) < len(names):
            raise InvalidInput(
                f"The candidate {' + '.join(names)!r} joins a variable with itself; "
                "name each variable once."
            )
        if frozenset(names) in seen:
            raise InvalidInput(
                f"The candidate {' + '.join(names)!r} is given twice; name it once."
            )
        seen.add(frozenset(names))
