"""The share of each ROI in the embedding, as an image over the field of view."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils import Colormap
from psygnal import Signal

from napari_cebra.viewer import _compat
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.latent_view.colouring import colour_table

if TYPE_CHECKING:
    from napari_cebra.viewer.adapters.rois import RoiAdapter
    from napari_cebra.workspace import Workspace

SHARES = "ROI shares (%)"
# Perceptually uniform, and without the yellow and magenta of outlined ROIs.
COLORMAP = "CET-L6"


class ShareAdapter:
    """An image layer that covers the ROIs with the colour of their share.

    The ROIs' own layer lies beneath it untouched, so they are picked and painted
    as ever, and have their colours back when this one is hidden.

    Parameters
    ----------
    viewer : napari.Viewer
        Main viewer.
    workspace : Workspace
        Its shares.
    rois : RoiAdapter
        Whose layer is covered.

    Attributes
    ----------
    changed : Signal
        The colours were shown, hidden or thrown away, by whomever.
    """

    changed = Signal()

    def __init__(self, viewer: Any, workspace: Workspace, rois: RoiAdapter) -> None:
        self._viewer = weakref.ref(_compat.unwrap(viewer))
        self._workspace = workspace
        self._rois = rois
        self._latent: int | None = None
        self.layer: Any = None
        self._connections = Connections()
        add = self._connections.add
        add(workspace.shares_changed, self._on_shares)
        add(workspace.rois_changed, self._on_rois)
        add(_compat.unwrap(viewer).layers.events.removed, self._on_removed)

    @property
    def is_shown(self) -> bool:
        """Whether the ROIs have the colours of their shares now."""
        return self.layer is not None and bool(self.layer.visible)

    @property
    def can_show(self) -> bool:
        """Whether there are masks to be coloured, and shares to colour them by."""
        return self._rois.layer is not None and self._workspace.shares is not None

    def close(self) -> None:
        """Take the layer out, and follow no longer."""
        self._connections.close()
        self._take_out()

    def show(self, latent: int | None = None) -> None:
        """Colour the ROIs by their share in a latent, or in all."""
        self._latent = latent
        shares, rois = self._workspace.shares, self._rois.layer
        if shares is None or rois is None:
            return
        percent = 100 * shares.share(latent)
        image = _drawn(np.asarray(rois.data), shares.ids, percent)
        limits = (0.0, float(percent.max()) or 1.0)
        if self.layer is None:
            self._add(image, limits)
        else:
            self.layer.data = image
            self.layer.contrast_limits = limits
            self.layer.visible = True
        self.changed.emit()

    def hide(self) -> None:
        """Give the ROIs their own colours back."""
        if self.layer is not None:
            self.layer.visible = False

    def _add(self, image: np.ndarray, limits: tuple[float, float]) -> None:
        viewer, rois = self._viewer(), self._rois.layer
        assert viewer is not None, "the viewer has been closed"
        active = viewer.layers.selection.active
        layer = viewer.add_image(
            image,
            name=SHARES,
            colormap=Colormap(colour_table(COLORMAP), name=COLORMAP),
            contrast_limits=limits,
            scale=rois.scale,
            translate=rois.translate,
        )
        viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(rois) + 1)
        # The person goes on with the layer she was working on.
        viewer.layers.selection.active = rois if active is None else active
        _compat.show_colour_bar(layer)
        layer.events.visible.connect(self._on_visible)
        self.layer = layer

    def _on_shares(self) -> None:
        if self._workspace.shares is None:
            self._take_out()

    def _on_rois(self) -> None:
        """Follow masks that are drawn or erased."""
        if self.is_shown and self.can_show:
            self.show(self._latent)

    def _on_visible(self) -> None:
        self.changed.emit()

    def _on_removed(self) -> None:
        viewer = self._viewer()
        if self.layer is None or (viewer is not None and self.layer in viewer.layers):
            return
        self.layer.events.visible.disconnect(self._on_visible)
        self.layer = None
        self.changed.emit()

    def _take_out(self) -> None:
        viewer = self._viewer()
        if self.layer is not None and viewer is not None:
            if self.layer in viewer.layers:
                viewer.layers.remove(self.layer)


def _drawn(labels: np.ndarray, ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the value of the ROI at each pixel; NaN where there is none."""
    of_id = np.full(max(labels.max(), ids.max()) + 1, np.nan, np.float32)
    of_id[ids] = values
    return of_id[labels]
