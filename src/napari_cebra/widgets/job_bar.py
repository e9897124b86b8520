"""How far a long step is, and the buttons that pause and stop it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.viewer.jobs import duration
from napari_cebra.viewer.numbers import count

if TYPE_CHECKING:
    from napari_cebra.viewer.jobs import Job

_STEPS = 1000


class JobBar(QWidget):
    """A progress bar with speed, time left, Pause and Cancel; hidden while idle.

    Parameters
    ----------
    pausable : bool
        Whether there is a Pause button.
    stop_text, stop_tip : str
        What the button that ends the job says and promises.
    """

    def __init__(
        self,
        *,
        pausable: bool = False,
        stop_text: str = "Cancel",
        stop_tip: str = "Stop this step; what was there before is kept",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._pace = _Pace()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(12)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self.pause_button = QPushButton("Pause")
        self.pause_button.setToolTip("Wait here; what was reached is kept")
        self.pause_button.setVisible(pausable)
        self.stop_button = QPushButton(stop_text)
        self.stop_button.setToolTip(stop_tip)

        row = QHBoxLayout()
        row.addWidget(self._bar, 1)
        row.addWidget(self.pause_button)
        row.addWidget(self.stop_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self._text)
        self.hide()

        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self._on_stop)

    def text(self) -> str:
        """Return the status text."""
        return self._text.text()

    def follow(self, job: Job) -> None:
        """Show this job until it has ended."""
        self._job = job
        self._pace = _Pace()
        self._bar.setRange(0, 0)
        self._text.setText(f"{job.name} …")
        self.pause_button.setText("Pause")
        self.pause_button.setEnabled(True)
        self.stop_button.setEnabled(True)
        self.show()
        job.progressed.connect(self._on_progress)
        job.changed.connect(self._on_state)
        job.finished.connect(self._on_finished)

    def _on_progress(self, report: object) -> None:
        job = self._job
        if job is None:
            return
        if job.fraction is not None:
            self._bar.setRange(0, _STEPS)
            self._bar.setValue(round(_STEPS * job.fraction))
        if job.state == "running":
            self._text.setText(_status(job, report, self._pace.note(report)))

    def _on_state(self) -> None:
        job = self._job
        if job is None:
            return
        self.pause_button.setText("Resume" if job.state == "paused" else "Pause")
        if job.state in ("paused", "stopping"):
            self._text.setText(f"{job.name}: {job.state}")

    def _on_pause(self) -> None:
        if self._job is None:
            return
        if self._job.state == "paused":
            self._job.resume()
        else:
            self._job.pause()

    def _on_stop(self) -> None:
        if self._job is not None:
            self.stop_button.setEnabled(False)
            self.pause_button.setEnabled(False)
            self._job.stop()

    def _on_finished(self) -> None:
        self._job = None
        self.hide()


class _Pace:
    """Units per second within one phase of a job."""

    def __init__(self) -> None:
        self._phase: tuple[object, ...] = ()
        self._first = (0.0, 0)

    def note(self, report: object) -> float | None:
        done, total = getattr(report, "done", None), getattr(report, "total", None)
        if done is None:
            return None
        now, phase = time.monotonic(), (total, getattr(report, "text", ""))
        if phase != self._phase:
            self._phase, self._first = phase, (now, done)
        seconds, fresh = now - self._first[0], done - self._first[1]
        return fresh / seconds if seconds > 0.5 and fresh > 0 else None


def _status(job: Job, report: object, per_second: float | None) -> str:
    parts = [getattr(report, "text", "") or job.name]
    done, total = getattr(report, "done", None), getattr(report, "total", None)
    if done is not None and total and getattr(report, "unit", "") == "%":
        parts.append(f"{100 * done / total:.0f} %")
    elif done is not None and total:
        parts.append(f"{count(done)} of {count(total)} {getattr(report, 'unit', '')}")
    if per_second is not None and getattr(report, "unit", "") == "frames":
        parts.append(f"{count(per_second)} fps")
    if job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} left")
    return " · ".join(parts)
