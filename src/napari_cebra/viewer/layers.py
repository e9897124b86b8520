"""The main viewer's layers, kept with the workspace."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.viewer import _compat
from napari_cebra.viewer.adapters import MovieAdapter, RoiAdapter, StimulusAdapter
from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace


class WorkspaceLayers:
    """Shows the open stack, ROIs and stimulus in the main viewer.

    Adds and removes layers as the parts of the workspace change, and ties the
    slider to the timeline.

    Parameters
    ----------
    viewer : napari.Viewer
        Main viewer.
    workspace : Workspace
        What is open.
    """

    def __init__(self, viewer: Any, workspace: Workspace) -> None:
        viewer = _compat.unwrap(viewer)
        self._viewer = weakref.ref(viewer)
        self._workspace = workspace
        self.stack_layer: Any = None
        self._shown: Any = None  # the stack that the layer shows
        self._borrowed = False
        self.movie: MovieAdapter | None = None
        self.rois = RoiAdapter(viewer, workspace)
        self.stimulus = StimulusAdapter(viewer, workspace)
        self._connections = Connections()
        self._connections.add(workspace.stack_changed, self._on_stack)
        self._connections.add(workspace.recording_changed, self._tie)
        self._on_stack()

    def close(self) -> None:
        """Take all layers out, and follow no longer."""
        self._connections.close()
        self.stimulus.close()
        self.rois.close()
        self._untie()
        self._take_out()

    def use_layer(self, layer: Any) -> None:
        """Take a layer that is already open as the next stack's view.

        Call it before ``workspace.set_stack`` for a stack that came from this
        layer, so that it is not added a second time.
        """
        self._take_out()
        self.stack_layer, self._borrowed = layer, True

    def _on_stack(self) -> None:
        stack = self._workspace.stack
        viewer = self._viewer()
        if viewer is None or (stack is self._shown and stack is not None):
            return
        if not (self._borrowed and stack is not None and self._shown is None):
            self._take_out()
        self._shown = stack
        if stack is not None and self.stack_layer is None:
            self.stack_layer = viewer.add_image(
                stack.lazy,
                name=_name(stack),
                contrast_limits=_limits(stack),
                colormap="gray",
            )
        self.rois.stand_on(self.stack_layer)
        self.stimulus.stand_beside(self.stack_layer)
        self._tie()

    def _tie(self) -> None:
        """Tie the slider to the timeline, through the stack or the stimulus."""
        viewer = self._viewer()
        layer = self.stack_layer if self.stack_layer is not None else self._beside()
        self._untie()
        if viewer is not None and layer is not None:
            self.movie = MovieAdapter(viewer, self._workspace.timeline, layer)

    def _beside(self) -> Any:
        return self.stimulus.shown

    def _untie(self) -> None:
        if self.movie is not None:
            self.movie.close()
            self.movie = None

    def _take_out(self) -> None:
        viewer, layer = self._viewer(), self.stack_layer
        borrowed, self._borrowed = self._borrowed, False
        self.stack_layer = self._shown = None
        if layer is None or viewer is None or borrowed:
            return
        if layer in viewer.layers:
            viewer.layers.remove(layer)


def _name(stack: Any) -> str:
    return getattr(stack, "name", "") or "stack"


def _limits(stack: Any) -> tuple[float, float]:
    """Return contrast limits from a few frames; napari would read many."""
    frames = stack.shape[0]
    seen = np.concatenate(
        [
            np.ravel(stack.read(at, at + 1))
            for at in sorted({0, frames // 2, frames - 1})
        ]
    )
    low, high = np.percentile(seen, [1, 99.8])
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)
