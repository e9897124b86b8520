"""Going with the dock that is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    _Base = QWidget
else:
    _Base = object


class Docked(_Base):
    """Makes a widget end with its dock; put before its Qt class.

    The × of a dock makes napari take the widget out and forget it. Nobody sees
    it any more, but it would go on following the viewer until Python happens to
    collect it, and a training it began could not be stopped.
    """

    def event(self, event: QEvent | None) -> bool:
        """Delete the widget once it was taken out of its dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.on_dock_closed()
                self.deleteLater()
        return super().event(event)

    def on_dock_closed(self) -> None:
        """Do what is left to do before the widget goes."""
