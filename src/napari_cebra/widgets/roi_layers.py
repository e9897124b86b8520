"""Labels and Shapes layers that a person draws ROIs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.outlines import pixels_inside
from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.viewer.adapters.rois import HIGHLIGHT

if TYPE_CHECKING:
    from napari_cebra.widgets.session import Session


_ELLIPSE_CORNERS = np.linspace(0, 2 * np.pi, 128, endpoint=False)


def roi_layers(viewer: Any) -> list[str]:
    """Return the names of the layers that could hold ROIs, Labels first."""
    labels = [layer for layer in viewer.layers if _is(layer, "Labels")]
    names = [layer.name for layer in labels if layer.ndim == 2]
    names += [layer.name for layer in viewer.layers if _is(layer, "Shapes")]
    return [name for name in names if name != HIGHLIGHT]


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
    """Return the ROIs of a layer, and show them as those of the workspace.

    A Labels layer shows them itself from now on; a Shapes layer is hidden, and
    keeps its outlines.

    Raises
    ------
    InvalidInput
        If there is no such layer, or nothing is drawn on it.
    """
    viewer, rois = session.viewer, session.workspace.rois
    if name is None or name not in viewer.layers:
        raise InvalidInput(
            "No Labels or Shapes layer is chosen; open one, press New to paint ROIs, "
            "or take ROIs from a file or a grid."
        )
    layer, adapter = viewer.layers[name], session.main_view.rois
    if rois is not None and adapter.layer == layer:
        return rois
    if _is(layer, "Shapes"):
        drawn = rois_of_shapes(session, layer)
        session.workspace.set_rois(drawn)
        layer.visible = False
        return drawn
    painted = RoiSet.from_labels(np.array(layer.data))
    layer.mode = "pan_zoom"  # from now on a click picks an ROI
    # In this order: without ROIs the adapter would take the layer out.
    session.workspace.set_rois(painted)
    adapter.adopt(layer)
    return painted


def rois_of_shapes(session: Session, layer: Any) -> RoiSet:
    """Return one ROI for each shape of a Shapes layer; they may overlap.

    A pixel is in an ROI where its centre is inside the outline. Where the layer
    has more axes than two, the last two are taken.

    Raises
    ------
    InvalidInput
        If there is no stack or no shape, or one that encloses nothing.
    """
    stack, movie = session.workspace.stack, session.main_view.stack_layer
    if stack is None or movie is None:
        raise InvalidInput("Load a stack in step 1 first, to take ROIs from shapes.")
    height, width = stack.shape[1:]
    masks = []
    kinds = layer.shape_type
    for number, (shape, kind) in enumerate(zip(layer.data, kinds, strict=True), 1):
        world = [layer.data_to_world(corner)[-2:] for corner in _corners(shape, kind)]
        ahead = (0,) * (movie.ndim - 2)
        at = np.array([movie.world_to_data((*ahead, *place))[-2:] for place in world])
        # A pixel's centre has whole numbers in napari, and halves in an outline.
        inside = pixels_inside([at[:, ::-1] + 0.5], (0, 0, height, width))
        if kind in ("line", "path") or inside[0].size == 0:
            raise InvalidInput(
                f"Shape {number} of {layer.name!r} ({kind}) encloses no pixel of the "
                "field of view; delete it, or draw a polygon, rectangle or ellipse."
            )
        masks.append((*inside, None))
    if not masks:
        raise InvalidInput(
            f"Nothing is drawn on {layer.name!r}; draw a polygon, rectangle or ellipse "
            "around each cell."
        )
    return RoiSet.from_masks(masks, (height, width))


def _corners(shape: np.ndarray, kind: str) -> np.ndarray:
    """Corners of a polygon; of an ellipse, which has those of its box, many."""
    if kind != "ellipse":
        return shape
    middle = shape.mean(axis=0)
    one, other = (shape[1] - shape[0]) / 2, (shape[3] - shape[0]) / 2
    turn = _ELLIPSE_CORNERS[:, None]
    return middle + np.cos(turn) * one + np.sin(turn) * other


def _is(layer: Any, kind: str) -> bool:
    return type(layer).__name__ == kind
