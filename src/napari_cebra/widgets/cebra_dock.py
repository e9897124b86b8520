"""The dock a person clicks through, from a stack to a decoded movie and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_cebra.widgets import docks
from napari_cebra.widgets.align_step import AlignStep
from napari_cebra.widgets.decode_step import DecodeStep
from napari_cebra.widgets.detect_step import DetectStep
from napari_cebra.widgets.hypotheses_step import HypothesesStep
from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.motion_step import MotionStep
from napari_cebra.widgets.project_step import ExportStep
from napari_cebra.widgets.shares_step import SharesStep
from napari_cebra.widgets.steps_dock import EXTRA, StepsDock
from napari_cebra.widgets.traces_step import TracesStep
from napari_cebra.widgets.train_step import TrainStep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cebra.widgets.step import Step


class CebraDock(StepsDock):
    """The steps below each other; each can be used alone.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.latents_button = _dock_button(
            "Latents", "Show or hide the latents in three dimensions"
        )
        self.traces_button = _dock_button(
            "Traces", "Show or hide the traces of the selected ROIs"
        )
        bar = QHBoxLayout()
        bar.setContentsMargins(6, 4, 6, 4)
        bar.addStretch(1)
        bar.addWidget(self.latents_button)
        bar.addWidget(self.traces_button)
        self.column.insertLayout(0, bar)

        self.latents_button.clicked.connect(lambda: self._toggle(docks.LATENTS))
        self.traces_button.clicked.connect(lambda: self._toggle(docks.TRACES))
        self.session.docksChanged.connect(self._show_docks)
        jobs = self.session.jobs
        self.destroyed.connect(lambda: jobs.stop_all())
        # Alone, its curves are in sight while it trains.
        self.train.started.connect(lambda: self.show_step(self.train))

    def make_steps(self) -> Sequence[tuple[int | str, Step]]:
        """Return all steps; what not every recording needs has no number."""
        session = self.session
        self.load = LoadStep(session)
        self.motion = MotionStep(session)
        self.detect = DetectStep(session)
        self.traces = TracesStep(session)
        self.align = AlignStep(session)
        self.train = TrainStep(session)
        self.decode = DecodeStep(session)
        self.shares = SharesStep(session)
        self.hypotheses = HypothesesStep(session, self.train.form)
        self.export = ExportStep(session)
        return [
            (1, self.load),
            (EXTRA, self.motion),
            (EXTRA, self.detect),
            (2, self.traces),
            (EXTRA, self.align),
            (3, self.train),
            (4, self.decode),
            (5, self.shares),
            (6, self.hypotheses),
            (7, self.export),
        ]

    def on_dock_closed(self) -> None:
        """Stop what is under way; a training keeps what it learnt."""
        self.session.end_jobs()

    def open_project(self, path: Path) -> None:
        """Open a project folder, with the step that says how it went."""
        if not self.session.may_replace(self):
            return
        self.show_step(self.export)
        self.export.open_project(path)

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
