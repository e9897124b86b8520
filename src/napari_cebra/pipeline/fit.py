"""Fit an encoder: choose on validation rows, then fit again on all but the test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cebra.pipeline.embedding_result import Embedding
from napari_cebra.pipeline.fit_split import fit_split
from napari_cebra.pipeline.stage import Stage
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import NapariCebraError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np

    from napari_cebra.embedding import TrainReport
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.embedding_result import TrainingLog
    from napari_cebra.recording import Recording

PHASES = ("choosing", "fitting")
_TEXTS = {"choosing": "Choosing settings (1 of 2)", "fitting": "Final fit (2 of 2)"}


@dataclass(frozen=True, eq=False)
class FitReport:
    """How far a fit has come.

    Parameters
    ----------
    phase : {"choosing", "fitting"}
        The first trains without the validation rows and shows how it does on
        them; the second trains on all but the test rows.
    report : TrainReport
        Of the training under way.
    done, total : int
        Steps over both phases (the second is as long as the first found best;
        until then it is taken to be as long as the first).
    seconds_left : float
        Estimate for both phases.
    """

    phase: str
    report: TrainReport
    done: int
    total: int
    seconds_left: float

    @property
    def phases(self) -> int:
        """Number of phases."""
        return len(PHASES)

    @property
    def text(self) -> str:
        """What is being done, for a status line."""
        return _TEXTS[self.phase]

    @property
    def latents(self) -> np.ndarray | None:
        """(T, D) snapshot of all rows, when one was due."""
        return self.report.latents


class Fit:
    """A fit under way; `embedding` returns what was learnt at any moment.

    With a repeated movie as target: settings are chosen with an encoder of all
    repeats but the last two, judged on the last but one; encoder and decoder
    are then fitted on all but the last. Otherwise the embedding, made to be
    looked at, is of all valid rows (only the number of steps is chosen on a
    held-out block), and `decode` trains encoders of its own in each block.

    Parameters
    ----------
    recording : Recording
    config : PipelineConfig

    Raises
    ------
    InvalidInput
        If the target is not in the recording, leaves too few rows, or the
        receptive field does not fit into them.
    """

    def __init__(self, recording: Recording, config: PipelineConfig) -> None:
        self.recording = recording
        self.target = Target.of(recording, config.target.name)
        self.config = config.resolved(recording)
        self.split = fit_split(recording, self.target, self.config)
        self._chosen: _Chosen | None = None
        self._stage: Stage | None = None

    def run(
        self, latents_every: float | None = None
    ) -> Generator[FitReport, None, Embedding]:
        """Run both phases.

        Parameters
        ----------
        latents_every : float, optional
            Least seconds between two reports with a snapshot of the latents.

        Yields
        ------
        FitReport

        Returns
        -------
        Embedding
        """
        config = self.config
        assert config.training is not None
        longest = config.training.last_iteration
        self._stage = Stage(self.recording, self.target, self.split, config, True)
        yield from self._reports("choosing", 0, longest, latents_every)
        self._chosen = self._choose()
        done, steps = self._stage.training.step, self._chosen.steps
        self._stage = Stage(
            self.recording, self.target, self.split, config, False, steps
        )
        yield from self._reports("fitting", done, steps, latents_every)
        return self._embedding(complete=True)

    def embedding(self) -> Embedding:
        """Return what was learnt so far, for a fit that was stopped.

        Raises
        ------
        NapariCebraError
            If no step was done.
        """
        if self._stage is None or self._stage.training.step == 0:
            raise NapariCebraError(
                "Training was stopped before its first step, so there is nothing to "
                "keep; start it again."
            )
        return self._embedding(complete=False)

    def _reports(
        self, phase: str, before: int, after: int, latents_every: float | None
    ) -> Iterator[FitReport]:
        assert self._stage is not None
        for report in self._stage.run(latents_every):
            done = before + report.step
            total = before + report.max_steps + (after if phase == "choosing" else 0)
            left = (total - done) / max(report.steps_per_second, 1e-9)
            yield FitReport(phase, report, done, total, left)

    def _choose(self) -> _Chosen:
        stage = self._stage
        assert stage is not None
        stage.try_now()
        return _Chosen(stage.steps, stage.k, stage.log(), stage.training.seconds)

    def _embedding(self, complete: bool) -> Embedding:
        stage = self._stage
        assert stage is not None
        split, chosen = self.split, self._chosen
        if chosen is None:  # stopped while choosing: fitted to fewer rows
            split = replace(split, refit=split.train)
            chosen = self._choose()
            choosing_log, choosing_seconds = None, 0.0
        else:
            choosing_log, choosing_seconds = chosen.log, chosen.seconds
        known = None if self.target is None else self.target.known
        if self.config.target.mode == "time" and not split.test.any():
            known = None
        return Embedding(
            latents=stage.latents(),
            encoder=stage.encoder(),
            config=self.config,
            split=split,
            part=split.parts(self.recording.valid, known),
            log=stage.log(),
            choosing_log=choosing_log,
            k=chosen.k,
            steps=stage.steps,
            seconds=stage.training.seconds,
            choosing_seconds=choosing_seconds,
            device=str(stage.training.device),
            threads=stage.training.threads,
            complete=complete,
        )


@dataclass(frozen=True, eq=False)
class _Chosen:
    steps: int
    k: int | None
    log: TrainingLog
    seconds: float


def fit(
    recording: Recording,
    config: PipelineConfig,
    latents_every: float | None = None,
) -> Generator[FitReport, None, Embedding]:
    """Fit an encoder by the protocol; see `Fit`.

    Yields
    ------
    FitReport

    Returns
    -------
    Embedding
    """
    return (yield from Fit(recording, config).run(latents_every))
