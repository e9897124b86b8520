"""What the main viewer shows: stack, ROIs, stimulus as shown and as decoded."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_cebra.viewer import _compat
from napari_cebra.viewer.adapters import (
    MovieAdapter,
    RoiAdapter,
    ShareAdapter,
    StimulusAdapter,
)
from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace


class MainView:
    """Keeps layers and adapters of the main viewer with the workspace.

    Parameters
    ----------
    viewer : napari.Viewer
        Main viewer.
    workspace : Workspace
        What is open.
    """

    frames_changed = Signal()

    def __init__(self, viewer: Any, workspace: Workspace) -> None:
        self._viewer = weakref.ref(viewer)
        self._workspace = workspace
        self._stack_layer: Any = None
        self._as_recorded: Any = None  # data of the layer, while it shows others
        self._is_own = False
        self._adopted: Any = None
        self._limits: tuple[float, float] | None = None
        self._slider: MovieAdapter | None = None
        self._fitted: tuple[float, ...] | None = None
        self._seen: Any = None  # the layer of the stimulus that was brought into view
        self._stimulus = StimulusAdapter(viewer, workspace)
        self.rois = RoiAdapter(viewer, workspace)
        self.shares = ShareAdapter(viewer, workspace, self.rois)
        self._connections = Connections()
        self._connections.add(workspace.stack_changed, self._on_stack)
        self._connections.add(workspace.recording_changed, self._on_recording)
        self._on_stack()

    @property
    def stack_layer(self) -> Any:
        """The layer of the stack, or None."""
        return self._stack_layer

    def close(self) -> None:
        """Follow the workspace no longer; the layers stay."""
        self._connections.close()
        for adapter in (self._slider, self._stimulus, self.shares, self.rois):
            if adapter is not None:
                adapter.close()

    def expect(self, layer: Any, limits: tuple[float, float] | None) -> None:
        """Show the next stack through this layer (None: add one, with limits)."""
        self._adopted, self._limits = layer, limits or (0, 1)  # napari would take NaN

    def show_picture(self, name: str, image: Any) -> None:
        """Lay a picture of the stack over it; one of this name is replaced."""
        viewer = self._viewer()
        if viewer is None:
            return
        if name in viewer.layers:
            viewer.layers.remove(name)
        stack, placing = self._stack_layer, {}
        if stack is not None:
            placing = {"scale": stack.scale[-2:], "translate": stack.translate[-2:]}
        layer = viewer.add_image(image, name=name, colormap="gray", **placing)
        below = 0 if stack is None else viewer.layers.index(stack) + 1
        viewer.layers.move(viewer.layers.index(layer), below)  # under the ROIs

    def show_frames(self, frames: Any) -> None:
        """Show other frames (T, Y, X) in the stack's layer; None: as recorded."""
        layer = self._stack_layer
        if layer is None or (frames is None and self._as_recorded is None):
            return
        if self._as_recorded is None:
            self._as_recorded = layer.data
        layer.data = self._as_recorded if frames is None else frames
        if frames is None:
            self._as_recorded = None
        self.frames_changed.emit()

    @property
    def shows_other_frames(self) -> bool:
        """Whether the stack's layer shows other frames than were recorded."""
        return self._as_recorded is not None

    def refit(self) -> None:
        """Show everything again, unless a person has chosen another view since."""
        if self._fitted is not None and self._fitted == self._place():
            self._fit()

    def _fit(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            viewer.reset_view()
            self._fitted = self._place()

    def _place(self) -> tuple[float, ...] | None:
        viewer = self._viewer()
        if viewer is None:
            return None
        camera = _compat.camera(viewer)
        return (*camera.center, camera.zoom)

    def _on_stack(self) -> None:
        viewer, stack = self._viewer(), self._workspace.stack
        if viewer is None:
            return
        self.show_frames(None)  # a layer that was lent goes back as it came
        if self._slider is not None:
            self._slider.close()
            self._slider = None
        if self._stack_layer is not None and self._is_own:
            if self._stack_layer in viewer.layers:
                viewer.layers.remove(self._stack_layer)
        self._stack_layer, adopted = None, self._adopted
        self._adopted = None
        if stack is not None:
            self._is_own = adopted is None
            self._stack_layer = adopted or viewer.add_image(
                stack.lazy, name=stack.name, contrast_limits=self._limits
            )
            if self._is_own:
                viewer.layers.move(viewer.layers.index(self._stack_layer), 0)
        self._stimulus.stand_beside(self._stack_layer)
        if self._stack_layer is not None:
            self.rois.stand_on(self._stack_layer)
        self._tie_slider()
        self._fit()

    def _on_recording(self) -> None:
        """Bring what stands beside the stack into view when it comes or goes."""
        self._tie_slider()
        viewer, shown = self._viewer(), self._stimulus.shown
        if viewer is not None and shown is not self._seen:
            self._fit()
        self._seen = shown

    def _tie_slider(self) -> None:
        """Let the slider follow the stack, or else the stimulus as shown."""
        viewer = self._viewer()
        layer = self._stack_layer
        if layer is None:
            layer = self._stimulus.shown
        if viewer is None:
            return
        if self._slider is not None:
            self._slider.close()
            self._slider = None
        if layer is not None:
            self._slider = MovieAdapter(viewer, self._workspace.timeline, layer)
