"""A dock of steps below each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QVBoxLayout, QWidget

from napari_cebra.widgets import docks
from napari_cebra.widgets.docked import Docked
from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.path_field import local_path
from napari_cebra.widgets.session import Session
from napari_cebra.widgets.stepper import StepPage, Stepper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_cebra.widgets.step import Step

EXTRA = "+"
"""Instead of its number, of a step that not every recording needs."""

_WIDTH = 430  # every page with its scroll bar


class StepsDock(Docked, QWidget):
    """Steps that work on what is open in this viewer, each usable alone.

    The same step may stand in several docks: all of them follow the workspace.
    A subclass makes its steps in `make_steps`.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.setMinimumWidth(_WIDTH)
        numbered = list(self.make_steps())
        self.steps = [step for _, step in numbered]
        self.pages = [StepPage(mark, step) for mark, step in numbered]
        self.stepper = Stepper(self.pages)
        self._load = next((s for s in self.steps if isinstance(s, LoadStep)), None)
        self.setAcceptDrops(self._load is not None)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.column.addWidget(self.stepper, 1)
        self.pages[0].set_open(True)
        go = QShortcut(QKeySequence("Ctrl+Return"), self)
        go.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        go.activated.connect(self._press_main)
        if self._load is not None:
            self._load.projectChosen.connect(self.open_project)
        for step in self.steps:
            step.completed.connect(lambda step=step: self._go_on_from(step))

    def make_steps(self) -> Sequence[tuple[int | str, Step]]:
        """Return each step with its number, or with a sign if it is an extra."""
        raise NotImplementedError

    def on_dock_closed(self) -> None:
        """Stop what was begun here."""
        for step in self.steps:
            step.stop_job()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take files and folders anywhere on the dock."""
        if event is not None and local_path(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Look at what was dropped, in the step that loads."""
        path = None if event is None else local_path(event)
        if event is not None and path is not None and self._load is not None:
            event.acceptProposedAction()
            self.show_step(self._load)
            self._load.path.setValue(path)

    def page_of(self, step: Step) -> StepPage:
        """Return the page of a step."""
        return next(page for page in self.pages if page.body is step)

    def show_step(self, step: Step) -> None:
        """Open one step and fold the others."""
        self.stepper.show_only(self.page_of(step))

    def open_project(self, path: Path) -> None:
        """Open a project folder, in the dock that says how it went."""
        docks.open_dock(self.session.viewer, docks.CEBRA).open_project(path)

    def _go_on_from(self, step: Step) -> None:
        """Open the next step that is not done, beside the one just done."""
        at = self.pages.index(self.page_of(step))
        for page in self.pages[at + 1 :]:
            if page.state() == "todo" and not page.body.is_optional:
                self.stepper.open_next(self.pages[at], page)
                return

    def _press_main(self) -> None:
        page = self.stepper.current()
        if page is not None:
            page.body.run_main()
