"""napari's slider and the timeline, tied through a layer's own clock."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_cebra.viewer import _compat
from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from napari_cebra.workspace import Timeline


class MovieAdapter:
    """Keeps the main viewer's time slider and a timeline at the same frame.

    Frames are exchanged in world coordinates of the layer, so a stack whose
    scale is in seconds, or that other layers are offset from, stays in step.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose slider it is.
    timeline : Timeline
        Owner of the current frame.
    layer : Image
        Layer with time as its first axis.
    """

    def __init__(self, viewer: Any, timeline: Timeline, layer: Any) -> None:
        self._viewer = weakref.ref(_compat.unwrap(viewer))
        self._timeline = timeline
        self._layer = weakref.ref(layer)
        self._busy = False
        self._connections = Connections()
        dims = self._viewer().dims  # type: ignore[union-attr]
        self._connections.add(dims.events.current_step, self._on_slider)
        self._connections.add(timeline.changed, self._on_timeline)
        self._on_timeline()

    def close(self) -> None:
        """Let slider and timeline go their own ways."""
        self._connections.close()

    def _on_slider(self) -> None:
        frame = self._frame_of_slider()
        if frame is not None and not self._busy:
            self._timeline.set(frame)

    def _on_timeline(self) -> None:
        viewer, layer = self._viewer(), self._layer()
        if viewer is None or layer is None:
            return
        frame = self._timeline.frame
        if frame == self._frame_of_slider():
            return
        place = [0.0] * layer.ndim
        place[0] = float(frame)
        axis = viewer.dims.ndim - layer.ndim
        if axis < 0:  # the layer has been removed
            return
        # The slider rounds to its own steps; it must not answer with those.
        self._busy = True
        try:
            viewer.dims.set_point(axis, layer.data_to_world(place)[0])
        finally:
            self._busy = False

    def _frame_of_slider(self) -> int | None:
        viewer, layer = self._viewer(), self._layer()
        if viewer is None or layer is None or viewer.dims.ndim < layer.ndim:
            return None
        point = viewer.dims.point[viewer.dims.ndim - layer.ndim :]
        return round(float(layer.world_to_data(point)[0]))
