"""What the steps have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_cebra.recording import NapariCebraError
from napari_cebra.viewer.connections import Connections
from napari_cebra.widgets.job_bar import JobBar
from napari_cebra.widgets.message_line import MessageLine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_cebra.viewer.jobs import Job
    from napari_cebra.widgets.session import Session

StepState = Literal["todo", "busy", "done", "locked"]
_SETTLE_MS = 50
_MARGIN = 8


class Step(QWidget):
    """One step of the workflow: fields, one main button, progress, one message.

    Parameters
    ----------
    session : Session
        What belongs to this viewer.
    button : str
        Text of the main button.
    bar : JobBar, optional
        Where the progress of the step's jobs is shown.

    Notes
    -----
    A subclass fills `fields` in reading order and implements `refresh`, which
    reads the workspace and announces the step's state.
    """

    title = ""
    is_optional = False  # not opened by itself when the step before is done
    stateChanged = Signal(str, str, str)
    started = Signal()
    completed = Signal()

    def __init__(
        self, session: Session, button: str, bar: JobBar | None = None
    ) -> None:
        super().__init__()
        self.session = session
        self.connections = Connections()
        self.fields = QVBoxLayout()
        self.fields.setSpacing(6)
        self.button = QPushButton(button)
        self.button.setStyleSheet("QPushButton { font-weight: bold; padding: 5px; }")
        self.button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.bar = JobBar() if bar is None else bar
        self.message = MessageLine()
        self._job: Job | None = None
        self._on_result: Callable[[Any], None] = lambda _: None
        self._stopped_text = ""
        self._in_view: tuple[QWidget, ...] = ()  # to be scrolled to

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self.fields)
        column.addWidget(self.button)
        column.addWidget(self.bar)
        column.addWidget(self.message)

        self.button.clicked.connect(self._on_button)
        connections = self.connections
        self.destroyed.connect(lambda: connections.close())

    @property
    def is_busy(self) -> bool:
        """Whether a job of this step is under way."""
        return self._job is not None

    def run_main(self) -> None:
        """Press the main button, if it can be pressed."""
        if self.button.isEnabled() and self.isEnabled():
            self.button.click()

    def main_action(self) -> None:
        """Do what the main button says."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Read the workspace and show the step's state."""
        raise NotImplementedError

    def try_to(self, action: Callable[[], object]) -> bool:
        """Do something a person asked for; show at this step why it cannot be done."""
        try:
            action()
        except NapariCebraError as error:
            self.message.error(str(error))
            return False
        return True

    def bring_into_view(self, *parts: QWidget) -> None:
        """Scroll the page until these are seen, the first before all others."""
        self._in_view = parts
        # Once the layout has settled, and the page was opened that follows.
        QTimer.singleShot(_SETTLE_MS, self._scroll)

    def _scroll(self) -> None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        for part in reversed(self._in_view):
            if parent is not None and part.isVisible():
                parent.ensureWidgetVisible(part, 0, _MARGIN)
        self._in_view = ()

    def start_job(
        self,
        kind: str,
        name: str,
        make: Callable[[], Generator[Any, None, Any]],
        on_result: Callable[[Any], None],
        *,
        stopped_text: str = "",
        bar: JobBar | None = None,
    ) -> Job | None:
        """Run a generator in the background with progress and messages here.

        Parameters
        ----------
        kind, name
            As in `Jobs.job`.
        make : callable
            Returns the generator.
        on_result : callable
            Called on the GUI thread with what the generator returned.
        stopped_text : str
            What to say where the person stopped it.
        bar : JobBar, optional
            Where its progress is shown; default the step's own.
        """
        self.message.clear()
        try:
            job = self.session.jobs.job(kind, name, make)
        except NapariCebraError as error:
            self.message.error(str(error))
            return None
        self._job, self._on_result, self._stopped_text = job, on_result, stopped_text
        (self.bar if bar is None else bar).follow(job)
        # Bound methods: Qt lets go of them when the dock is closed in mid-job.
        job.returned.connect(self._on_job_returned)
        job.errored.connect(self._on_job_errored)
        job.stopped.connect(self._on_job_stopped)
        job.finished.connect(self._on_job_finished)
        self.refresh()
        self.started.emit()
        return job

    def stop_job(self) -> None:
        """Stop the job under way, if there is one, as its stop button does."""
        if self._job is not None:
            self._job.stop()

    def abandon_job(self) -> None:
        """Stop the job under way without a word: what it works on is gone."""
        if self._job is not None:
            self._stopped_text = ""
            self._on_result = lambda _: None
            self._job.stop()
            self.bar.hide()

    def announce(self, state: StepState, summary: str = "", reason: str = "") -> None:
        """Tell the page how far this step is."""
        self.button.setEnabled(not self.is_busy and state != "locked")
        self.stateChanged.emit("busy" if self.is_busy else state, summary, reason)

    def _on_button(self) -> None:
        self.try_to(self.main_action)

    def _on_job_returned(self, result: Any) -> None:
        self.try_to(lambda: self._on_result(result))

    def _on_job_errored(self, text: str) -> None:
        self.message.error(text)

    def _on_job_stopped(self) -> None:
        if self._stopped_text:
            self.message.info(self._stopped_text)

    def _on_job_finished(self) -> None:
        self._job = None
        self.refresh()
        if self.message.text():
            self.bring_into_view(self.message, *self._in_view)
