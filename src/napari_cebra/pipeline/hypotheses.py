"""Which variable explains the activity: candidates under one protocol."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import stats

from napari_cebra.decoding import (
    KnnDecoder,
    contiguous_folds,
    errors_by_k,
    evaluate,
    permute_within_repeats,
    repeat_folds,
    shift_circularly,
)
from napari_cebra.pipeline.config import STIMULUS, PipelineConfig, TargetConfig
from napari_cebra.pipeline.stage import fitted_values
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import InvalidInput, segments

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_cebra.decoding import Split
    from napari_cebra.embedding import TrainReport
    from napari_cebra.embedding.pairs import Pairs
    from napari_cebra.recording import Recording

_PER_TRAINING = 100
_MEASURES = {
    "index": "mean_frame_error",
    "regression": "r2",
    "angle": "median_angular_error",
    "class": "balanced_accuracy",
}

Kind = Literal["hypothesis", "shuffled", "time"]


@dataclass(frozen=True)
class Interval:
    """A mean over held-out blocks, with its 95 % interval.

    Parameters
    ----------
    mean, low, high : float
        Student's t over the blocks, each the mean over seeds; NaN where a
        single block leaves it unknown. (Blocks share training rows, so the
        interval is somewhat too narrow.)
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, blocks: np.ndarray) -> Interval:
        """Summarise (blocks,) or (blocks, seeds) values; NaN are left out."""
        table = np.asarray(blocks, float)
        each = np.array([np.nanmean(row) for row in table if np.isfinite(row).any()])
        if each.size == 0:
            return cls(np.nan, np.nan, np.nan)
        mean = float(each.mean())
        if each.size < 2:
            return cls(mean, np.nan, np.nan)
        reach = float(stats.sem(each) * stats.t.ppf(0.975, each.size - 1))
        return cls(mean, mean - reach, mean + reach)


@dataclass(frozen=True)
class HypothesisRow:
    """One line of the table.

    Parameters
    ----------
    name : str
        The variables, joined by " + "; "time" for time alone.
    kind : {"hypothesis", "shuffled", "time"}
    goodness_of_fit : Interval
        Bits below chance on held-out rows, for the pairs of this line.
    gain : Interval or None
        Of a hypothesis: its bits minus those of its control, block by block.
    decoding : dict of str to (measure, Interval)
        Held-out score of each variable: of the line's own (shuffled where the
        line is), or of all where it learnt from time alone.
    consistency : Interval
        Held-out R² of a linear map between the latents of two seeds.
    """

    name: str
    kind: Kind
    goodness_of_fit: Interval
    gain: Interval | None
    decoding: dict[str, tuple[str, Interval]]
    consistency: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return one flat row, for a table or a CSV file."""
        flat: dict[str, Any] = {"name": self.name, "kind": self.kind}
        parts = {"bits": self.goodness_of_fit, "consistency": self.consistency}
        if self.gain is not None:
            parts["gain"] = self.gain
        for variable, (measure, interval) in self.decoding.items():
            parts[f"{variable} {measure}"] = interval
        for what, interval in parts.items():
            flat |= {
                what: interval.mean,
                f"{what} low": interval.low,
                f"{what} high": interval.high,
            }
        return flat


@dataclass(frozen=True, eq=False)
class HypothesisComparison:
    """The table, and what it was made with.

    Parameters
    ----------
    rows : tuple of HypothesisRow
        Each hypothesis followed by its control, then time alone.
    folds : tuple of str
    seeds : tuple of int
    config : PipelineConfig
        The one protocol of all lines.
    """

    rows: tuple[HypothesisRow, ...]
    folds: tuple[str, ...]
    seeds: tuple[int, ...]
    config: PipelineConfig

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as flat dicts."""
        return [row.as_dict() for row in self.rows]


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """How far a comparison has come; fields as of `DecodeReport`."""

    text: str
    done: int
    total: int
    seconds_left: float | None = None
    report: TrainReport | None = None


def compare_hypotheses(
    recording: Recording,
    candidates: Sequence[str | Sequence[str]],
    config: PipelineConfig | None = None,
    n_seeds: int = 3,
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
    run = _Comparison(recording, candidates, config or PipelineConfig(), n_seeds)
    return (yield from run.run())


@dataclass(frozen=True, eq=False)
class _Line:
    """One line to be: what it learns from in a block, and decodes there."""

    name: str
    kind: Kind
    targets: tuple[Target, ...]

    def broken(self, rows: np.ndarray, split: Split, seed: int, rate: Any) -> _Line:
        """Return the line with its labels broken; all variables by one lag."""
        out = []
        for target in self.targets:
            if target.variable is not None:
                values = shift_circularly(target.values, rows, seed, rate)
                out.append(Target(variable=replace(target.variable, values=values)))
            else:
                assert target.stimulus is not None
                movie = target.stimulus
                shown = permute_within_repeats(
                    movie.shown, movie.repeat, split.refit, seed
                )
                out.append(Target(stimulus=replace(movie, shown=shown)))
        return replace(self, targets=tuple(out))

    def pairs(self, time_offset: int) -> Pairs:
        from napari_cebra.embedding import pairs_for

        if self.kind == "time":
            return pairs_for("time", time_offset=time_offset)
        variables = [t.variable for t in self.targets if t.variable is not None]
        movies = [t.stimulus for t in self.targets if t.stimulus is not None]
        movie = movies[0] if movies else None
        return pairs_for("behavior", variables, movie, time_offset)


class _Comparison:
    def __init__(
        self,
        recording: Recording,
        candidates: Sequence[str | Sequence[str]],
        config: PipelineConfig,
        n_seeds: int,
    ) -> None:
        if n_seeds < 2:
            raise InvalidInput(
                f"n_seeds must be at least 2, to see whether trainings agree, not "
                f"{n_seeds}."
            )
        names = [(c,) if isinstance(c, str) else tuple(c) for c in candidates]
        if not names or any(not name or STIMULUS in name[1:] for name in names):
            raise InvalidInput(
                f"Give one candidate or more, each a variable or several ({STIMULUS!r} "
                "alone)."
            )
        if any(STIMULUS in name and len(name) > 1 for name in names):
            raise InvalidInput(f"{STIMULUS!r} cannot be joined with a variable.")
        self.recording = recording
        self.config = replace(config, target=TargetConfig(None)).resolved(recording)
        assert self.config.training is not None
        self.training = replace(
            self.config.training, keep_best=False, patience=None, evaluations=1
        )
        lines = []
        for name in names:
            targets = [Target.of(recording, one) for one in name]
            lines.append(_Line(" + ".join(name), "hypothesis", tuple(targets)))  # type: ignore[arg-type]
        every = {t.name: t for line in lines for t in line.targets}
        self.lines = lines
        self.time = _Line("time", "time", tuple(every.values()))
        known = np.logical_and.reduce([t.known for t in every.values()])
        self.usable = recording.valid & known
        self.splits = self._folds()
        self.seeds = tuple(
            int(s)
            for s in np.random.SeedSequence([self.config.seed, 0x417]).generate_state(
                n_seeds
            )
        )
        self.total = (2 * len(lines) + 1) * len(self.splits) * n_seeds
        self.done = 0
        self.begun = time.perf_counter()

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
        lines = [
            line
            for hypothesis in self.lines
            for line in (hypothesis, replace(hypothesis, kind="shuffled"))
        ]
        lines.append(self.time)
        found: list[list[_Block]] = [[] for _ in lines]
        for split in self.splits:
            values = fitted_values(self.recording, split.refit)
            for line, blocks in zip(lines, found, strict=True):
                blocks.append((yield from self._block(line, split, values)))
        rows: list[HypothesisRow] = []
        for i, (line, blocks) in enumerate(zip(lines, found, strict=True)):
            gain = None
            if line.kind == "hypothesis":
                ours = np.array([np.nanmean(b.bits) for b in blocks])
                theirs = np.array([np.nanmean(b.bits) for b in found[i + 1]])
                gain = Interval.of((ours - theirs)[:, None])
            rows.append(_row(line, blocks, gain))
        folds = tuple(split.name for split in self.splits)
        return HypothesisComparison(tuple(rows), folds, self.seeds, self.config)

    def _block(
        self, line: _Line, split: Split, values: np.ndarray
    ) -> Generator[ComparisonReport, None, _Block]:
        from napari_cebra.embedding import Training, consistency_score

        segment = split.refitting(segments(self.recording.trials, self.recording.valid))
        bits, scores, latents = [], [], []
        for seed in self.seeds:
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
            )
            for report in training.run():
                yield self._report(line, split, report)
            self.done += 1
            bits.append(training.evaluations[-1].bits_heldout)
            latents.append(training.model().transform(values, segment))
            scores.append([self._score(t, split, latents[-1]) for t in learnt.targets])
        rows = split.refit | split.test
        rows &= np.isfinite(latents[0]).all(axis=1)
        held = [split.test[rows]] * len(latents)
        agree, _, _ = consistency_score(
            [each[rows] for each in latents], "runs", heldout=held
        )
        return _Block(np.array(bits, float), np.array(scores), float(np.mean(agree)))

    def _score(self, target: Target, split: Split, latents: np.ndarray) -> float:
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
        return float(scored.as_dict()[_MEASURES[target.task]])  # type: ignore[arg-type]

    def _report(
        self, line: _Line, split: Split, report: TrainReport
    ) -> ComparisonReport:
        share = report.step / report.max_steps
        done = round((self.done + share) * _PER_TRAINING)
        total = self.total * _PER_TRAINING
        elapsed = time.perf_counter() - self.begun
        left = elapsed * (total - done) / done if done else None
        what = f"{line.name} ({line.kind})" if line.kind != "time" else "time alone"
        # what it reaches on the held-out block is not shown while it runs
        shown = replace(report, bits_heldout=None)
        return ComparisonReport(f"{what}, {split.name}", done, total, left, shown)


@dataclass(frozen=True, eq=False)
class _Block:
    """(seeds,) bits, (seeds, targets) scores, and how well the seeds agree."""

    bits: np.ndarray
    scores: np.ndarray
    consistency: float


def _row(line: _Line, blocks: list[_Block], gain: Interval | None) -> HypothesisRow:
    scores = np.array([block.scores for block in blocks])
    return HypothesisRow(
        line.name,
        line.kind,
        Interval.of(np.array([block.bits for block in blocks])),
        gain,
        {
            target.name: (_MEASURES[target.task], Interval.of(scores[:, :, j]))
            for j, target in enumerate(line.targets)
        },
        Interval.of(np.array([[block.consistency] for block in blocks])),
    )
