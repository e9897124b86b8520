"""The masks as a Labels layer: shown, painted, picked and highlighted."""

from __future__ import annotations

import hashlib
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.viewer import _compat
from napari_cebra.viewer.adapters.activity import Activity
from napari_cebra.viewer.adapters.painting import painted
from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.recording import RoiSet
    from napari_cebra.workspace import Workspace

ROIS = "ROIs"
HIGHLIGHT = "highlighted ROIs"
_SELECTED, _ACTIVE = 1, 2
_COLOURS = {0: "transparent", _SELECTED: "#ffd400", _ACTIVE: "#ff40d9", None: "white"}
_DRAG = 4.0  # canvas pixels after which a press is a drag
_KEPT = 100  # earlier states that an undo in napari can return to


class RoiAdapter:
    """A Labels layer that is a view of the workspace's ROIs.

    Painting id k changes mask k alone. A click on an ROI (while no painting
    tool is chosen) selects it, shift and click adds it. Selected ROIs are
    outlined in yellow; when frames are selected, the ROIs most active in them
    are outlined in magenta.

    Parameters
    ----------
    viewer : napari.Viewer
        Main viewer.
    workspace : Workspace
        Its ROIs, recording and selection.
    stack_layer : Image, optional
        Whose pixels the masks lie on.
    """

    def __init__(
        self, viewer: Any, workspace: Workspace, stack_layer: Any = None
    ) -> None:
        self._viewer = weakref.ref(_compat.unwrap(viewer))
        self._workspace = workspace
        self._stack_layer = stack_layer
        self.layer: Any = None
        self.highlight: Any = None
        self._image = np.zeros((0, 0), np.int32)  # as the layer shows it
        self._earlier: dict[bytes, RoiSet | None] = {}
        self._activity: tuple[np.ndarray, Activity] | None = None
        self._busy = False
        self._layer_connections = Connections()
        self._connections = Connections()
        add = self._connections.add
        add(workspace.rois_changed, self._on_rois)
        add(workspace.selection.rois_changed, self._on_selection)
        add(workspace.selection.frames_changed, self._on_selection)
        add(workspace.recording_changed, self._on_selection)
        add(self._main.layers.events.removed, self._on_removed)
        self._connections.add_callback(self._main.mouse_drag_callbacks, self._on_mouse)
        self._on_rois()

    @property
    def _main(self) -> Any:
        viewer = self._viewer()
        assert viewer is not None, "the viewer has been closed"
        return viewer

    def close(self) -> None:
        """Take the layers out, and follow no longer."""
        self._connections.close()
        self._layer_connections.close()
        for layer in (self.layer, self.highlight):
            self._take_out(layer)
        self.layer = self.highlight = None

    def adopt(self, layer: Any) -> None:
        """Use a Labels layer that is already open as the view of the ROIs."""
        if self.layer is not layer:
            self._layer_connections.close()
            old, self.layer = self.layer, None
            self._take_out(old)
            self._watch(layer)
        self._on_rois()

    def stand_on(self, stack_layer: Any) -> None:
        """Lie on the pixels of another stack layer."""
        self._stack_layer = stack_layer
        for layer in (self.layer, self.highlight):
            if layer is not None:
                for name, value in self._placing().items():
                    setattr(layer, name, value)

    def most_active(self) -> np.ndarray:
        """Return the ids of the ROIs most active in the selected frames."""
        recording = self._workspace.recording
        frames = self._workspace.selection.frames
        if recording is None or not frames:
            return np.zeros(0, np.int64)
        values = recording.traces.values
        if self._activity is None or self._activity[0] is not values:
            self._activity = values, Activity(values)
        columns = self._activity[1].most_active(np.asarray(frames))
        return recording.roi_ids[columns]

    # ROIs to layer.

    def _on_rois(self) -> None:
        if self._busy or self._viewer() is None:
            return
        rois = self._workspace.rois
        if rois is None:
            self._take_out(self.layer)
            self._take_out(self.highlight)
            self.layer = self.highlight = None
            self._layer_connections.close()
            return
        image = rois.to_labels()
        if self.layer is not None and self.layer.data.shape != image.shape:
            self._take_out(self.layer)
            self._take_out(self.highlight)
            self.layer = self.highlight = None
            self._layer_connections.close()
        self._busy = True
        try:
            if self.layer is None:
                layer = self._add(image, ROIS, opacity=0.5)
                self._watch(layer)
            elif not np.array_equal(self.layer.data, image):
                self.layer.data = image
        finally:
            self._busy = False
        self._image = np.array(self.layer.data)
        self._remember(rois)
        self._on_selection()

    def _watch(self, layer: Any) -> None:
        self.layer = layer
        add = self._layer_connections.add
        add(layer.events.paint, self._on_paint)
        add(layer.events.set_data, self._on_other_edit)
        add(layer.events.selected_label, self._on_label)

    def _add(self, image: np.ndarray, name: str, **options: Any) -> Any:
        viewer = self._main
        active = viewer.layers.selection.active
        layer = viewer.add_labels(image, name=name, **self._placing(), **options)
        # The person goes on with the layer she was working on.
        if active is not None:
            viewer.layers.selection.active = active
        return layer

    def _placing(self) -> dict[str, Any]:
        stack = self._stack_layer
        if stack is None:
            return {}
        return {"scale": stack.scale[-2:], "translate": stack.translate[-2:]}

    # Layer to ROIs.

    def _on_paint(self) -> None:
        self._take_over(overlap=True)

    def _on_other_edit(self) -> None:
        self._take_over(overlap=False)

    def _take_over(self, *, overlap: bool) -> None:
        """Bring the masks to what the layer shows now."""
        if self._busy or self.layer is None:
            return
        image = np.asarray(self.layer.data)
        if image.shape != self._image.shape or np.array_equal(image, self._image):
            return
        before, self._image = self._image, image.copy()
        rois = self._workspace.rois
        key = _digest(self._image)
        if not overlap and key in self._earlier:  # undo or redo in napari
            rois = self._earlier[key]
        else:
            rois = painted(rois, before, self._image, overlap=overlap)
        self._remember(rois)
        self._busy = True
        try:
            self._workspace.set_rois(rois)
        finally:
            self._busy = False
        self._on_selection()

    def _remember(self, rois: RoiSet | None) -> None:
        self._earlier[_digest(self._image)] = rois
        while len(self._earlier) > _KEPT:
            del self._earlier[next(iter(self._earlier))]

    # Selection.

    def _on_label(self) -> None:
        label = int(self.layer.selected_label)
        selection, rois = self._workspace.selection, self._workspace.rois
        if rois is not None and label != selection.roi and label in rois.ids:
            selection.set_rois([label])

    def _on_selection(self) -> None:
        if self.layer is None:
            return
        roi = self._workspace.selection.roi
        if roi is not None and self.layer.selected_label != roi:
            self.layer.selected_label = roi
        self._outline()

    def _outline(self) -> None:
        rois = self._workspace.rois
        selected = self._workspace.selection.rois
        active = self.most_active()
        if self.highlight is None and not (len(selected) or active.size):
            return
        image = np.zeros(self._image.shape, np.uint8)
        if rois is not None:
            for colour, ids in ((_ACTIVE, active), (_SELECTED, selected)):
                for roi in ids:
                    if roi in rois.ids:
                        y, x, _ = rois.mask(int(roi))
                        image[y, x] = colour
        if self.highlight is None:
            self.highlight = self._add(image, HIGHLIGHT, colormap=_COLOURS)
            self.highlight.contour = 2
            self.highlight.editable = False
        elif not np.array_equal(self.highlight.data, image):
            self.highlight.data = image

    def _on_mouse(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Select the ROI under a click; leave drags and painting alone."""
        active = viewer.layers.selection.active
        mode = str(getattr(active, "mode", "pan_zoom"))
        if event.button != 1 or self.layer is None or mode != "pan_zoom":
            return
        start = np.array(event.pos)
        place, shift = event.position, "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            yield
        moved = np.hypot(*(np.array(event.pos) - start))
        if moved <= _DRAG and self.layer.visible:
            self._click(place, add=shift)

    def _click(self, place: Any, *, add: bool) -> None:
        y, x = np.round(self.layer.world_to_data(place[-2:])).astype(int)
        rows, columns = self._image.shape
        if not (0 <= y < rows and 0 <= x < columns):
            return
        roi = int(self._image[y, x])
        selection = self._workspace.selection
        if roi == 0:
            return
        if add:
            others = [other for other in selection.rois if other != roi]
            selection.set_rois(others if roi in selection.rois else [*others, roi])
        else:
            selection.set_rois([roi])

    # Layers that go.

    def _on_removed(self) -> None:
        """Let go of a layer that a person deleted; the ROIs stay."""
        layers = self._main.layers
        if self.layer is not None and self.layer not in layers:
            self._layer_connections.close()
            self.layer = None
        if self.highlight is not None and self.highlight not in layers:
            self.highlight = None

    def _take_out(self, layer: Any) -> None:
        viewer = self._viewer()
        if layer is not None and viewer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
