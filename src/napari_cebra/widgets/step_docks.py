"""The docks that do one part of the work, without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cebra.widgets.align_step import AlignStep
from napari_cebra.widgets.detect_step import DetectStep
from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.motion_step import MotionStep
from napari_cebra.widgets.steps_dock import EXTRA, StepsDock
from napari_cebra.widgets.traces_step import TracesStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from napari_cebra.widgets.step import Step


class LoadDock(StepsDock):
    """Opens a recording of any kind, with what was shown and measured beside it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def make_steps(self) -> Sequence[tuple[int | str, Step]]:
        """Return the step that loads."""
        self.load = LoadStep(self.session)
        return [(1, self.load)]


class RoisDock(StepsDock):
    """Motion, ROIs, their traces and which of them are used.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.traces.curation.fold.setValue(True)
        self.show_step(self.traces)

    def make_steps(self) -> Sequence[tuple[int | str, Step]]:
        """Return the steps from a stack to traces."""
        self.motion = MotionStep(self.session)
        self.detect = DetectStep(self.session)
        self.traces = TracesStep(self.session)
        return [(EXTRA, self.motion), (EXTRA, self.detect), (1, self.traces)]


class AlignDock(StepsDock):
    """Brings stimulus and behaviour, each on its own clock, onto the imaging frames.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def make_steps(self) -> Sequence[tuple[int | str, Step]]:
        """Return the step that aligns."""
        self.align = AlignStep(self.session)
        return [(1, self.align)]
