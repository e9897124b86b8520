"""What is picked out: ROIs and moments, with back and forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

State = tuple[tuple[int, ...], tuple[int, ...]]


class Selection:
    """Selected ROI ids and imaging frames (latent rows), with a history.

    The same selection set twice does nothing.
    """

    changed = Signal()
    rois_changed = Signal(tuple)
    frames_changed = Signal(tuple)

    def __init__(self, max_history: int = 200) -> None:
        self._states: list[State] = [((), ())]
        self._at = 0
        self._max_history = max_history

    @property
    def rois(self) -> tuple[int, ...]:
        """Selected ROI ids, in the order they were picked."""
        return self._states[self._at][0]

    @property
    def frames(self) -> tuple[int, ...]:
        """Selected imaging frames, rising."""
        return self._states[self._at][1]

    @property
    def roi(self) -> int | None:
        """The ROI picked last, or None."""
        return self.rois[-1] if self.rois else None

    def set_rois(self, ids: Iterable[int]) -> None:
        """Select these ROIs; the frames stay."""
        self._push((tuple(dict.fromkeys(int(i) for i in ids)), self.frames))

    def set_frames(self, frames: Iterable[int]) -> None:
        """Select these imaging frames; the ROIs stay."""
        self._push((self.rois, tuple(sorted({int(f) for f in frames}))))

    def clear(self) -> None:
        """Select nothing."""
        self._push(((), ()))

    def reset(self) -> None:
        """Forget selection and history, because another recording was opened."""
        before = self._states[self._at]
        self._states, self._at = [((), ())], 0
        self._announce(before)

    @property
    def can_go_back(self) -> bool:
        """True if there is an earlier selection."""
        return self._at > 0

    @property
    def can_go_forward(self) -> bool:
        """True if a selection was undone."""
        return self._at < len(self._states) - 1

    def back(self) -> None:
        """Return to the selection before."""
        self._go(-1, self.can_go_back)

    def forward(self) -> None:
        """Undo `back`."""
        self._go(1, self.can_go_forward)

    def _go(self, by: int, possible: bool) -> None:
        if possible:
            before = self._states[self._at]
            self._at += by
            self._announce(before)

    def _push(self, state: State) -> None:
        before = self._states[self._at]
        if state == before:
            return
        kept = [*self._states[: self._at + 1], state]
        self._states = kept[-self._max_history :]
        self._at = len(self._states) - 1
        self._announce(before)

    def _announce(self, before: State) -> None:
        rois, frames = self._states[self._at]
        if rois != before[0]:
            self.rois_changed.emit(rois)
        if frames != before[1]:
            self.frames_changed.emit(frames)
        if (rois, frames) != before:
            self.changed.emit()
