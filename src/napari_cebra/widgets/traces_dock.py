"""The dock of the traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cebra.viewer.trace_plot import TracePlot
from napari_cebra.widgets.docked import Docked
from napari_cebra.widgets.session import Session

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class TracesDock(Docked, TracePlot):
    """Traces of the selected ROIs; usable without the CEBRA dock.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        Session.of(napari_viewer)  # its layers and adapters are there from now on
        super().__init__(napari_viewer, parent)
        self.setMinimumSize(300, 200)
