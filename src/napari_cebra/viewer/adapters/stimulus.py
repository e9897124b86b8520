"""The stimulus as shown and as decoded, beside the stack."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers, unlink_layers

from napari_cebra.viewer import _compat
from napari_cebra.viewer.adapters.indexed_movie import IndexedMovie
from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace

SHOWN = "shown"
DECODED = "decoded (looked up)"
_GAP = 0.02  # of the height of the stack


class StimulusAdapter:
    """Adds the layers "shown" and "decoded" and keeps them with the workspace.

    Both are the same movie seen through two indices, stacked to the right of
    the imaging stack and together as high, so that the stack stays as large
    as it can. They have the recording's frames, so the slider is unchanged.

    Parameters
    ----------
    viewer : napari.Viewer
        Main viewer.
    workspace : Workspace
        Its recording, decoding and timeline.
    stack_layer : Image, optional
        What to stand beside; the layers start at the origin without it.
    """

    def __init__(
        self, viewer: Any, workspace: Workspace, stack_layer: Any = None
    ) -> None:
        self._viewer = weakref.ref(_compat.unwrap(viewer))
        self._workspace = workspace
        self._beside = stack_layer
        self.shown: Any = None
        self.decoded: Any = None
        self._source: tuple[Any, ...] = ()
        self._connections = Connections()
        self._connections.add(workspace.recording_changed, self._on_recording)
        self._connections.add(workspace.decoding_changed, self._on_decoding)
        self._connections.add(workspace.timeline.changed, self._describe)
        self._on_recording()

    def close(self) -> None:
        """Take the layers out, and follow no longer."""
        self._connections.close()
        self._remove(SHOWN)
        self._remove(DECODED)
        self._set_text("")

    def stand_beside(self, stack_layer: Any) -> None:
        """Place the layers beside another stack (None: at the origin)."""
        self._beside = stack_layer
        for place, layer in enumerate((self.shown, self.decoded)):
            if layer is not None:
                layer.scale, layer.translate = self._placing(layer.data, place)

    def _on_recording(self) -> None:
        recording = self._workspace.recording
        stimulus = None if recording is None else recording.stimulus
        if stimulus is None or stimulus.movie is None:
            self._remove(DECODED)
            self._remove(SHOWN)
            self._source = ()
            self._set_text("")
            return
        source = (stimulus.movie, stimulus.shown)
        if len(self._source) == 2 and all(
            a is b for a, b in zip(source, self._source, strict=True)
        ):
            return  # only something else about the recording changed
        self._remove(DECODED)
        self._remove(SHOWN)
        self._source = source
        self.shown = self._add(IndexedMovie(*source), SHOWN, 0)
        self._on_decoding()

    def _on_decoding(self) -> None:
        decoding = self._workspace.decoding
        if decoding is None or decoding.task != "index" or self.shown is None:
            self._remove(DECODED)
        else:
            data = IndexedMovie(self._source[0], decoding.predicted)
            if self.decoded is None:
                self.decoded = self._add(data, DECODED, 1)
                link_layers([self.shown, self.decoded], _LINKED)
            else:
                self.decoded.data = data
        self._describe()

    def _add(self, data: IndexedMovie, name: str, place: int) -> Any:
        viewer = self._viewer()
        if viewer is None:
            return None
        scale, translate = self._placing(data, place)
        rgb = data.ndim == 4
        active = viewer.layers.selection.active
        layer = viewer.add_image(
            data,
            name=name,
            rgb=rgb,
            scale=scale,
            translate=translate,
            contrast_limits=None if rgb else _limits(data.dtype),
            interpolation2d="linear",
        )
        # The person goes on with the layer she was working on.
        viewer.layers.selection.active = active
        return layer

    def _placing(
        self, data: IndexedMovie, place: int
    ) -> tuple[list[float], list[float]]:
        """Return scale and translate of the upper (0) or lower (1) movie."""
        height = data.shape[1]
        stack = self._beside
        if stack is None:
            top, left, seconds = 0.0, 0.0, 1.0
            high, start = 2 * height, 0.0
        else:
            corner = stack.data_to_world([0, -0.5, -0.5])
            far = stack.data_to_world([0, *(n - 0.5 for n in stack.data.shape[1:3])])
            start, top, left = corner
            high, seconds = far[1] - top, float(stack.scale[0])
            left = far[2] + _GAP * high
        each = high * (1 - _GAP) / 2
        pixel = each / height
        top += place * (each + _GAP * high)
        return (
            [seconds, pixel, pixel],
            [start, top + pixel / 2, left + pixel / 2],
        )

    def _remove(self, name: str) -> None:
        layer = self.shown if name == SHOWN else self.decoded
        if layer is None:
            return
        viewer = self._viewer()
        if self.decoded is not None and self.shown is not None:
            unlink_layers([self.shown, self.decoded], _LINKED)
        if name == SHOWN:
            self.shown = None
        else:
            self.decoded = None
        if viewer is not None and layer in viewer.layers:
            viewer.layers.remove(layer)

    def _describe(self) -> None:
        """Say below the canvas which frames are seen, and where from."""
        recording, decoding = self._workspace.recording, self._workspace.decoding
        if self.shown is None or recording is None or recording.stimulus is None:
            return
        frame = self._workspace.timeline.frame
        if frame >= recording.n_frames:
            return
        shown = int(recording.stimulus.shown[frame])
        text = f"shown: frame {shown}" if shown >= 0 else "shown: nothing"
        if self.decoded is not None and decoding is not None:
            found = int(decoding.predicted[frame])
            part = str(decoding.part[frame])
            text += (
                f"\ndecoded: frame {found} (looked up, not painted)"
                if found >= 0
                else f"\ndecoded: nothing on {_PARTS.get(part, part)} rows"
            )
        self._set_text(text)

    def _set_text(self, text: str) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        overlay = _compat.text_overlay(viewer)
        overlay.text = text
        overlay.visible = bool(text)
        overlay.position = "bottom_right"


_PARTS = {"train": "training", "gap": "border", "no target": "blank"}
_LINKED = ("contrast_limits", "colormap", "gamma", "interpolation2d")


def _limits(dtype: np.dtype) -> tuple[float, float]:
    """Return explicit limits, or napari would read the whole movie for them."""
    if dtype.kind == "u" and dtype.itemsize == 1:
        return (0, 255)
    if dtype.kind in "ui":
        return (0, float(np.iinfo(dtype).max))
    return (0, 1)
