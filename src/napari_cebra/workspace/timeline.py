"""The one current imaging frame."""

from __future__ import annotations

from psygnal import Signal


class Timeline:
    """Owner of the current imaging frame; everyone asks it, everyone tells it.

    Parameters
    ----------
    n_frames : int
        Number of imaging frames; 0 while nothing is open.
    """

    changed = Signal(int)
    length_changed = Signal(int)

    def __init__(self, n_frames: int = 0) -> None:
        self._n_frames = n_frames
        self._frame = 0

    @property
    def frame(self) -> int:
        """The current imaging frame, from 0."""
        return self._frame

    @property
    def n_frames(self) -> int:
        """Number of imaging frames."""
        return self._n_frames

    def set(self, frame: int) -> None:
        """Go to a frame, clamped to the recording; the same frame does nothing."""
        frame = min(max(int(frame), 0), max(self._n_frames - 1, 0))
        if frame == self._frame:
            return
        self._frame = frame
        self.changed.emit(frame)

    def step(self, by: int = 1) -> None:
        """Move by some frames."""
        self.set(self._frame + by)

    def set_length(self, n_frames: int) -> None:
        """Give the recording's length; the frame is kept where it still exists."""
        if n_frames == self._n_frames:
            return
        self._n_frames = n_frames
        self.length_changed.emit(n_frames)
        self.set(self._frame)
