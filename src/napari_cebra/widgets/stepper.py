"""The steps as a stack of pages, each usable alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.widgets.message_line import COLOURS

if TYPE_CHECKING:
    from napari_cebra.widgets.step import Step, StepState

DONE = "#3fa66b"


class _Header(QPushButton):
    """Number or tick, title, and what the step holds now."""

    def __init__(self, number: int | str, title: str) -> None:
        super().__init__()
        self._number = number
        self.is_numbered = isinstance(number, int)
        self.setCheckable(True)
        self.setFlat(True)
        self.setMinimumHeight(34)
        self.setAccessibleName(f"{number} {title}")
        self._badge = QLabel(str(number))
        self._badge.setFixedSize(20, 20)
        self._badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = QLabel(f"<b>{title}</b>")
        self._summary = _Elided()
        self._arrow = QLabel("▸")
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 8, 0)
        row.setSpacing(8)
        for part in (self._badge, self._title):
            row.addWidget(part)
        row.addWidget(self._summary, 1)
        row.addWidget(self._arrow)
        for label in (self._badge, self._title, self._summary, self._arrow):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.toggled.connect(lambda on: self._arrow.setText("▾" if on else "▸"))
        self.set_state("todo", "")

    def set_state(self, state: StepState, summary: str) -> None:
        text = {"done": "✓", "busy": "…"}.get(state, str(self._number))
        colour = {"done": DONE, "busy": COLOURS["info"]}.get(state, "#808080")
        self._badge.setText(text)
        self._badge.setStyleSheet(
            f"background-color: {colour}; color: white; border-radius: 10px;"
            "font-weight: bold;"
        )
        self._summary.set_full_text(summary)
        self.setToolTip(summary)


class _Elided(QLabel):
    """A label that ends in … where it is too narrow."""

    def __init__(self) -> None:
        super().__init__()
        self._full = ""
        self.setMinimumWidth(20)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setStyleSheet("color: #909090;")

    def set_full_text(self, text: str) -> None:
        self._full = text
        self._elide()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._elide()

    def minimumSizeHint(self):
        hint = super().minimumSizeHint()
        hint.setWidth(20)
        return hint

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(
            self._full, Qt.TextElideMode.ElideRight, max(self.width() - 2, 0)
        )
        self.setText(shown)


class StepPage(QWidget):
    """One step: a header that folds it, why it is locked, and its body.

    Parameters
    ----------
    number : int or str
        From 1; a sign for a step that not every recording needs.
    body : Step
        What is folded; its state shows in the header.
    """

    toggled = Signal(bool)

    def __init__(self, number: int | str, body: Step) -> None:
        super().__init__()
        self.body = body
        self._state: StepState = "todo"
        self.header = _Header(number, body.title)
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        self._reason.setStyleSheet("color: #a0a0a0; font-style: italic;")
        self._reason.hide()
        self._content = QWidget()
        content = QVBoxLayout(self._content)
        content.setContentsMargins(10, 4, 6, 12)
        content.setSpacing(6)
        content.addWidget(self._reason)
        content.addWidget(body)
        self._content.hide()
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setStyleSheet("color: rgba(128, 128, 128, 80);")

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._content)
        column.addWidget(line)

        self.header.toggled.connect(self._on_toggled)
        body.stateChanged.connect(self.set_state)
        body.refresh()  # something may be open already

    def state(self) -> StepState:
        """Return "todo", "busy", "done" or "locked"."""
        return self._state

    def set_state(self, state: StepState, summary: str = "", reason: str = "") -> None:
        """Show how far the step is.

        Parameters
        ----------
        state : {"todo", "busy", "done", "locked"}
            Locked greys the body out.
        summary : str
            What the step holds, beside its title.
        reason : str
            Why the body is greyed out and what to do about it.
        """
        self._state = state
        self.header.set_state(state, summary)
        self.body.setEnabled(state != "locked")
        self._reason.setText(reason)
        self._reason.setVisible(state == "locked" and bool(reason))

    def is_open(self) -> bool:
        """Return True where the body is unfolded."""
        return self.header.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold the body."""
        self.header.setChecked(is_open)

    def _on_toggled(self, is_open: bool) -> None:
        self._content.setVisible(is_open)
        self.toggled.emit(is_open)


class Stepper(QScrollArea):
    """Pages below each other; opening one by hand leaves the others alone."""

    def __init__(self, pages: list[StepPage], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pages = pages
        self._wanted: StepPage | None = None  # to be scrolled to
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for page in pages:
            column.addWidget(page)
        column.addStretch(1)
        self.setWidget(inner)

    def minimumSizeHint(self) -> QSize:
        """Return room for the widest page and the scroll bar."""
        hint = super().minimumSizeHint()
        inner = self.widget()
        if inner is not None:
            bar = self.verticalScrollBar().sizeHint().width()
            hint.setWidth(inner.minimumSizeHint().width() + bar)
        return hint

    def show_only(self, page: StepPage) -> None:
        """Open this page, fold the others, and bring it into view."""
        for other in self.pages:
            other.set_open(other is page)
        # The layout has to settle before the page has its place.
        self._wanted = page
        QTimer.singleShot(0, self._bring_up)

    def open_next(self, done: StepPage, following: StepPage) -> None:
        """Open the step that follows, and fold the others but the one just done.

        What was just done stays in sight: its message says how it went.
        """
        for page in self.pages:
            page.set_open(page is done or page is following)
        self._wanted = done
        QTimer.singleShot(0, self._bring_up)

    def _bring_up(self) -> None:
        if self._wanted is not None:
            self.verticalScrollBar().setValue(self._wanted.y())

    def current(self) -> StepPage | None:
        """Return the page the keyboard is in, else the last one open."""
        focus = self.focusWidget()
        for page in self.pages:
            if focus is not None and page.isAncestorOf(focus) and page.is_open():
                return page
        opened = [page for page in self.pages if page.is_open()]
        return opened[-1] if opened else None
