"""The names of the curves; a click hides a curve or shows it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel

from napari_cebra.viewer.theme import legend_text
from napari_cebra.viewer.trace_panels import CURVES

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_cebra.viewer.theme import Rgb

_KEY = "hidden traces"
_GREY = (128, 128, 128)


class TraceLegend(QLabel):
    """One line that names what is drawn, and what is hidden.

    Parameters
    ----------
    view_state : dict
        Of the workspace: what is hidden is saved with the project.
    parent : QWidget, optional
        As in Qt.
    """

    toggled = Signal()

    def __init__(
        self, view_state: dict[str, Any], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._view_state = view_state
        self._parts: list[str] = []
        self._text: Rgb = _GREY
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)
        self.linkActivated.connect(self.toggle)

    def hidden(self) -> tuple[str, ...]:
        """Return the curves that are hidden."""
        return tuple(self._view_state.get(_KEY, ()))

    def toggle(self, name: str) -> None:
        """Hide a curve, or show it again."""
        hidden = set(self.hidden()) ^ {name}
        self._view_state[_KEY] = sorted(hidden)
        self.toggled.emit()

    def set_text_colour(self, colour: Rgb) -> None:
        """Write the names of curves in this colour from now on."""
        self._text = colour

    def begin(self) -> None:
        """Start anew."""
        self._parts = []

    def offer(self, name: str, text: str) -> bool:
        """Name a curve that can be hidden; return whether it is to be drawn."""
        shown = name not in self.hidden()
        colour = CURVES[name][1] if shown else _GREY
        look = f"text-decoration: none; color: rgb{self._text if shown else _GREY};"
        written = legend_text([(text if shown else f"<s>{text}</s>", colour)])
        self._parts.append(f'<a href="{name}" style="{look}">{written}</a>')
        return shown

    def add(self, name: str, text: str) -> None:
        """Name a curve that is always drawn."""
        self._parts.append(legend_text([(text, CURVES[name][1])]))

    def add_note(self, text: str) -> None:
        """Say something else; nothing if it is empty."""
        if text:
            self._parts.append(text)

    def end(self) -> None:
        """Show what was named."""
        self.setText(" &nbsp; ".join(self._parts))
        self.setVisible(bool(self._parts))
