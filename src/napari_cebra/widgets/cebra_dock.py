"""The dock a person clicks through, from a stack to a decoded movie and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QShortcut, QVBoxLayout, QWidget

from napari_cebra.widgets import docks
from napari_cebra.widgets.decode_step import DecodeStep
from napari_cebra.widgets.docked import Docked
from napari_cebra.widgets.hypotheses_step import HypothesesStep
from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.path_field import local_path
from napari_cebra.widgets.project_step import ExportStep
from napari_cebra.widgets.session import Session
from napari_cebra.widgets.shares_step import SharesStep
from napari_cebra.widgets.stepper import StepPage, Stepper
from napari_cebra.widgets.traces_step import TracesStep
from napari_cebra.widgets.train_step import TrainStep

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtGui import QDropEvent

    from napari_cebra.widgets.step import Step


class CebraDock(Docked, QWidget):
    """The steps below each other; each can be used alone.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.setAcceptDrops(True)
        self.setMinimumWidth(430)  # every page with its scroll bar

        self.latents_button = _dock_button(
            "Latents", "Show or hide the latents in three dimensions"
        )
        self.traces_button = _dock_button(
            "Traces", "Show or hide the traces of the selected ROIs"
        )
        self.load = LoadStep(self.session)
        self.traces = TracesStep(self.session)
        self.train = TrainStep(self.session)
        self.decode = DecodeStep(self.session)
        self.shares = SharesStep(self.session)
        self.hypotheses = HypothesesStep(self.session, self.train.form)
        self.export = ExportStep(self.session)
        steps = (
            *(self.load, self.traces, self.train, self.decode),
            *(self.shares, self.hypotheses, self.export),
        )
        self.pages = [StepPage(n, step) for n, step in enumerate(steps, start=1)]
        self.stepper = Stepper(self.pages)

        bar = QHBoxLayout()
        bar.setContentsMargins(6, 4, 6, 4)
        bar.addStretch(1)
        bar.addWidget(self.latents_button)
        bar.addWidget(self.traces_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.stepper, 1)
        self.pages[0].set_open(True)

        self.latents_button.clicked.connect(lambda: self._toggle(docks.LATENTS))
        self.traces_button.clicked.connect(lambda: self._toggle(docks.TRACES))
        self.session.docksChanged.connect(self._show_docks)
        jobs = self.session.jobs
        self.destroyed.connect(lambda: jobs.stop_all())
        go = QShortcut(QKeySequence("Ctrl+Return"), self)
        go.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        go.activated.connect(self._press_main)
        self.load.projectChosen.connect(self.open_project)
        # Alone, its curves are in sight while it trains.
        self.train.started.connect(lambda: self.show_step(self.train))
        for step in steps:
            step.completed.connect(lambda step=step: self._go_on_from(step))

    def on_dock_closed(self) -> None:
        """Stop what is under way; a training keeps what it learnt."""
        self.session.end_jobs()

    def dragEnterEvent(self, event: QDropEvent) -> None:
        """Take files and folders anywhere on the dock."""
        if local_path(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Look at what was dropped, in the first step."""
        path = local_path(event)
        if path is not None:
            event.acceptProposedAction()
            self.show_step(self.load)
            self.load.path.setValue(path)

    def page_of(self, step: Step) -> StepPage:
        """Return the page of a step."""
        return next(page for page in self.pages if page.body is step)

    def show_step(self, step: Step) -> None:
        """Open one step and fold the others."""
        self.stepper.show_only(self.page_of(step))

    def open_project(self, path: Path) -> None:
        """Open a project folder, with the step that says how it went."""
        if not self.session.may_replace(self):
            return
        self.show_step(self.export)
        self.export.open_project(path)

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

    def _toggle(self, name: str) -> None:
        viewer = self.session.viewer
        if docks.is_open(viewer, name):
            docks.hide_dock(viewer, name)
        else:
            docks.open_dock(viewer, name)

    def _show_docks(self) -> None:
        viewer = self.session.viewer
        self.latents_button.setChecked(docks.is_open(viewer, docks.LATENTS))
        self.traces_button.setChecked(docks.is_open(viewer, docks.TRACES))


def _dock_button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button
