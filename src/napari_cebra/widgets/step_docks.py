"""The docks that do one part of the work, without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.steps_dock import StepsDock
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
    """ROIs, their traces and which of them are used.

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
        self.traces = TracesStep(self.session)
        return [(1, self.traces)]
