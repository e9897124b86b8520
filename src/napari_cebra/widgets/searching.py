"""A search for settings in the background, between a step and its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_cebra.recording import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.pipeline import PipelineConfig
    from napari_cebra.pipeline.config import TargetConfig
    from napari_cebra.pipeline.search import Search, SearchReport
    from napari_cebra.pipeline.search_result import SearchResult
    from napari_cebra.recording import Recording
    from napari_cebra.viewer.jobs import Job
    from napari_cebra.widgets.search_panel import SearchPanel
    from napari_cebra.widgets.step import Step


class Searching(QObject):
    """Runs a search as a job of a step and shows its lines in a panel.

    Parameters
    ----------
    step : Step
        Whose message line is used, and which is busy meanwhile.
    panel : SearchPanel
    """

    def __init__(self, step: Step, panel: SearchPanel) -> None:
        super().__init__(step)
        self._step, self._panel = step, panel
        self._job: Job | None = None
        self._search: Search | None = None
        self._target: TargetConfig | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the search has not ended yet."""
        return self._job is not None

    @property
    def target(self) -> TargetConfig | None:
        """Target of the search under way, or shown; None without one."""
        there = self.is_under_way or self._panel.value() is not None
        return self._target if there else None

    def begin(self, recording: Recording, config: PipelineConfig) -> None:
        """Search settings for a recording, from those of `config` on."""

        def make() -> Generator[SearchReport | Progress, None, SearchResult]:
            yield Progress(0, 0, "", "Preparing")
            from napari_cebra.pipeline.search import Search

            self._search = Search(recording, config)
            return (yield from self._search.run())

        # of one kind with a training, which would take half its speed
        job = self._step.start_job(
            "training",
            "Searching settings",
            make,
            self._on_found,
            bar=self._panel.bar,
        )
        if job is None:
            return
        self._job, self._search, self._target = job, None, config.target
        self._panel.begin()
        job.progressed.connect(self._on_report)
        job.stopped.connect(self._on_stopped)
        job.errored.connect(self.forget)

    def forget(self, *_: object) -> None:
        """Show nothing of a search any more; stop it if it is under way."""
        job, self._job, self._search = self._job, None, None
        if job is not None:
            job.stop()
        self._panel.forget()

    def _on_report(self, report: Any) -> None:
        if self._job is not None and hasattr(report, "result"):
            self._panel.follow(report.result)

    def _on_stopped(self) -> None:
        if self._job is None:  # forgotten
            self._search = None
        elif self._search is not None and self._search.result().lines:
            self._on_found(self._search.result())
        else:
            self.forget()
            self._step.message.info("The search was stopped before its first line.")

    def _on_found(self, result: SearchResult) -> None:
        if self._job is not None:
            self._job = self._search = None
            self._panel.setValue(result)
            self._step.bring_into_view(*self._panel.outcome(), self._step.button)
