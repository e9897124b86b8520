"""Play the recording at its own rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_TICK_MS = 33
_FRAMES_PER_SECOND = 10.0  # where the recording's rate is not known


class Player(QObject):
    """Drive a workspace's timeline by the clock.

    Frames are skipped where the window cannot keep up, so that one second of
    the recording takes one second; nothing is computed or exported from what
    is played.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._speed = 1.0
        self._began = (0.0, 0)  # clock, frame
        self._last = 0
        self._ticked = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def is_playing(self) -> bool:
        """True while frames advance."""
        return self._timer.isActive()

    @property
    def frames_per_second(self) -> float:
        """Imaging frames per second of watching."""
        recording, stack = self._workspace.recording, self._workspace.stack
        rate = recording.rate if recording is not None else None
        rate = rate or getattr(stack, "rate", None) or _FRAMES_PER_SECOND
        return rate * self._speed

    def set_speed(self, speed: float) -> None:
        """Play so many times as fast as it was recorded."""
        self._speed = float(speed)
        self._mark()

    def toggle(self) -> None:
        """Play or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play from the current frame, from the start if at the end."""
        timeline = self._workspace.timeline
        if timeline.n_frames < 2:
            return
        if timeline.frame >= timeline.n_frames - 1:
            timeline.set(0)
        self._mark()
        self._timer.start()
        self.changed.emit()

    def pause(self) -> None:
        """Stay at the current frame."""
        self._timer.stop()
        self.changed.emit()

    def _mark(self) -> None:
        self._began = (time.monotonic(), self._workspace.timeline.frame)
        self._last = self._workspace.timeline.frame

    def _tick(self) -> None:
        timeline = self._workspace.timeline
        if timeline.frame != self._last:  # someone went elsewhere: go on from there
            self._mark()
        clock, frame = self._began
        self._ticked = time.monotonic()
        elapsed = self._ticked - clock
        timeline.set(int(frame + elapsed * self.frames_per_second))
        self._last = timeline.frame
        if timeline.frame >= timeline.n_frames - 1:
            self.pause()
