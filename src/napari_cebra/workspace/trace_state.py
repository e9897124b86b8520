"""What is known and tried of the traces, beside the recording that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.traces import DffSettings


class TraceState:
    """The report on the recording's traces, and settings that are being tried.

    Neither is saved: the report is made again, and what was tried and not applied
    is not part of anything.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._report: TraceReport | None = None
        self._trying: DffSettings | None = None

    @property
    def report(self) -> TraceReport | None:
        """How far the traces can be trusted; None until it is known."""
        return self._report

    @property
    def trying(self) -> DffSettings | None:
        """Settings that are shown but not applied; None if there are none."""
        return self._trying

    def set_report(self, report: TraceReport | None) -> None:
        """Keep what was found out."""
        self._report = report
        self.changed.emit()

    def try_settings(self, settings: DffSettings | None) -> None:
        """Show the traces as these settings would make them."""
        if settings != self._trying:
            self._trying = settings
            self.changed.emit()

    def reset(self) -> None:
        """Forget both without a word: another recording is about to be announced."""
        self._report = self._trying = None
