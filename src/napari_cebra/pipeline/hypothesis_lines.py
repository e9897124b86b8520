"""One line of a comparison of hypotheses: what it learns from, and its blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import permute_within_repeats, shift_circularly
from napari_cebra.pipeline.hypothesis_table import (
    HypothesisRow,
    HypothesisScore,
    Interval,
)
from napari_cebra.pipeline.target import Target

if TYPE_CHECKING:
    from napari_cebra.decoding import Split
    from napari_cebra.embedding.pairs import Pairs
    from napari_cebra.pipeline.hypothesis_table import Kind

MEASURES = {
    "index": ("mean_frame_error",),
    "regression": ("median_error", "r2"),
    "angle": ("median_angular_error",),
    "class": ("balanced_accuracy",),
}
"""Scores by task; the first is the one a person is shown, in the target's unit."""

_NO_UNIT = frozenset({"r2", "balanced_accuracy"})


@dataclass(frozen=True, eq=False)
class Line:
    """What one line of the table learns from in a block, and decodes there."""

    name: str
    kind: Kind
    targets: tuple[Target, ...]

    def broken(
        self, rows: np.ndarray, split: Split, seed: int, rate: float | None
    ) -> Line:
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
        """Return the pairs its encoder is trained on."""
        from napari_cebra.embedding import pairs_for

        if self.kind == "time":
            return pairs_for("time", time_offset=time_offset)
        variables = [t.variable for t in self.targets if t.variable is not None]
        movies = [t.stimulus for t in self.targets if t.stimulus is not None]
        movie = movies[0] if movies else None
        return pairs_for("behavior", variables, movie, time_offset)

    def row(self, blocks: list[Block], control: list[Block] | None) -> HypothesisRow:
        """Summarise its blocks, and what it gains on those of its control."""
        gain = None
        if control is not None:
            ours, theirs = (
                np.array([np.nanmean(block.bits) for block in line])
                for line in (blocks, control)
            )
            gain = Interval.of(ours - theirs)
        scores = [
            HypothesisScore(
                target.name,
                measure,
                "" if measure in _NO_UNIT else target.unit,
                Interval.of(np.array([b.scores[target.name][measure] for b in blocks])),
            )
            for target in self.targets
            for measure in MEASURES[target.task]
        ]
        return HypothesisRow(
            self.name,
            self.kind,
            Interval.of(np.array([block.bits for block in blocks])),
            gain,
            tuple(scores),
            Interval.of(np.array([block.consistency for block in blocks])),
        )


@dataclass(frozen=True, eq=False)
class Block:
    """What one line reached on one held-out block.

    Parameters
    ----------
    bits : (seeds,)
        Goodness of fit.
    scores : dict of str to dict of str to (seeds,)
        By variable, by measure.
    consistency : float
        How well the seeds agree; NaN with one seed.
    """

    bits: np.ndarray
    scores: dict[str, dict[str, np.ndarray]]
    consistency: float
