"""Choices for contiguous blocks, made inside the rows each is trained on."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from napari_cebra.decoding import Split
from napari_cebra.pipeline.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from napari_cebra.decoding import RawPopulation
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.target import Target
    from napari_cebra.recording import Recording

S = TypeVar("S")

_REACH = 2


class BlockChoices:
    """Number of steps and of neighbours for each block under test.

    For the block i, settings are judged on every other block j by an encoder
    trained on neither: one validation block of a short recording says little.
    The encoder without i and j serves both, judged on j for i and on i for j,
    so n blocks take n (n - 1) / 2 trainings. What is chosen for i has seen
    nothing of i.

    Parameters
    ----------
    recording : Recording
    target : Target
    folds : sequence of Split
        One per block; ``test`` is the block, ``refit`` all but it and its gap.
    config : PipelineConfig
        With nothing left open.
    raw : RawPopulation
        For which k and smoothing are chosen in the same way.
    """

    def __init__(
        self,
        recording: Recording,
        target: Target,
        folds: Sequence[Split],
        config: PipelineConfig,
        raw: RawPopulation,
    ) -> None:
        self._recording, self._target, self._config = recording, target, config
        self._folds, self._raw = folds, raw
        self._encoder: list[_Errors[tuple[int, int]]] = [_Errors() for _ in folds]
        self._population: list[_Errors[tuple[int, float]]] = [_Errors() for _ in folds]

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Yield each training to be run, with its name, before the next."""
        for i, j in combinations(range(len(self._folds)), 2):
            one, other = self._folds[i], self._folds[j]
            # The names test and validation only keep the two blocks apart.
            split = Split(
                train=one.refit & other.refit,
                validation=other.test,
                test=one.test,
                refit=one.refit & other.refit,
                name=f"{one.name} and {other.name}",
            )
            judged = [split.test, split.validation]
            stage = Stage(
                self._recording,
                self._target,
                split,
                self._config,
                choosing=True,
                judge_on=judged,
            )
            yield f"Choosing settings without blocks {i + 1} and {j + 1}", stage
            counts = [int(rows.sum()) for rows in judged]
            for tried in stage.tries:
                for at, fold in ((1, i), (0, j)):
                    for k, error in tried.errors[at].items():
                        self._encoder[fold].add((tried.step, k), error, counts[at])
            self._try_raw(split, stage, judged, counts, (j, i))

    def _try_raw(
        self,
        split: Split,
        stage: Stage,
        judged: list[np.ndarray],
        counts: list[int],
        folds: tuple[int, int],
    ) -> None:
        found = self._raw.errors(
            stage.values,
            split.choosing(self._recording.stretches),
            self._target.values,
            split.train,
            judged,
            self._config.decoding.ks,
            self._config.decoding.sigmas,
        )
        for errors, count, fold in zip(found, counts, folds, strict=True):
            for setting, error in errors.items():
                self._population[fold].add(setting, error, count)

    def encoder_choice(self, fold: int) -> tuple[int, int]:
        """Return the number of steps and k for a block.

        The error after each number of steps is averaged with those of the two
        tries before and after it: in a short recording the least of many
        errors is the luckiest.
        """
        found = self._encoder[fold].means()
        steps = sorted({step for step, _ in found})
        smooth = {
            (step, k): fmean(
                found[near, k] for near in steps[max(0, at - _REACH) : at + _REACH + 1]
            )
            for at, step in enumerate(steps)
            for k in {k for _, k in found}
        }
        return min(smooth, key=lambda setting: smooth[setting])

    def raw_choice(self, fold: int) -> tuple[int, float]:
        """Return k and σ of the raw population for a block."""
        found = self._population[fold].means()
        return min(found, key=lambda setting: found[setting])


class _Errors(defaultdict[S, list[float]]):
    """Sums of the errors of each setting over the rows judged."""

    def __init__(self) -> None:
        super().__init__(lambda: [0.0, 0.0])

    def add(self, setting: S, error: float, rows: int) -> None:
        self[setting][0] += error * rows
        self[setting][1] += rows

    def means(self) -> dict[S, float]:
        return {setting: total / rows for setting, (total, rows) in self.items()}
