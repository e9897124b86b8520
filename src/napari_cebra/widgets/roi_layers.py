"""Labels layers that a person paints ROIs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, RoiSet

if TYPE_CHECKING:
    from napari_cebra.widgets.session import Session


def labels_layers(viewer: Any) -> list[str]:
    """Return the names of the layers that could hold ROIs."""
    return [
        layer.name
        for layer in viewer.layers
        if type(layer).__name__ == "Labels" and layer.ndim == 2
    ]


def new_layer(session: Session) -> str:
    """Add an empty layer of the size of the stack, ready to paint; return its name.

    Raises
    ------
    InvalidInput
        If no stack is open.
    """
    stack = session.workspace.stack
    if stack is None:
        raise InvalidInput("Load a stack in step 1 first, to paint ROIs on it.")
    empty = np.zeros(stack.shape[1:], np.int32)
    layer = session.viewer.add_labels(empty, name="ROIs")
    layer.mode = "paint"
    return str(layer.name)


def rois_of_layer(session: Session, name: str | None) -> RoiSet:
    """Return the ROIs of a layer, which shows those of the workspace from now on.

    Raises
    ------
    InvalidInput
        If there is no such layer, or nothing is painted on it.
    """
    viewer, rois = session.viewer, session.workspace.rois
    if name is None or name not in viewer.layers:
        raise InvalidInput(
            "No Labels layer is chosen; open one, press New to paint ROIs, or take "
            "ROIs from a file or a grid."
        )
    layer, adapter = viewer.layers[name], session.main_view.rois
    if rois is not None and adapter.layer == layer:
        return rois
    painted = RoiSet.from_labels(np.array(layer.data))
    layer.mode = "pan_zoom"  # from now on a click picks an ROI
    # In this order: without ROIs the adapter would take the layer out.
    session.workspace.set_rois(painted)
    adapter.adopt(layer)
    return painted
