"""The dock of the latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cebra.viewer.latent_view import LatentView
from napari_cebra.widgets.docked import Docked
from napari_cebra.widgets.session import Session

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class LatentsDock(Docked, LatentView):
    """Latents in three dimensions; usable without the CEBRA dock.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Injected by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        Session.of(napari_viewer)  # its layers and adapters are there from now on
        super().__init__(napari_viewer, parent)
        self.setMinimumSize(300, 240)
        self.host.setMinimumHeight(120)  # in a low window the legend needs room too
