"""Every line that depends on napari's version; nothing else may.

Checked with napari 0.9.2. When napari has views of its own (NAP-9), the canvas
host and this file are what changes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.qt import QtViewer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "QtViewer",
    "ViewerModel",
    "camera",
    "canvas_size",
    "canvas_widget",
    "connect_context",
    "disconnect_context",
    "hide_sliders",
    "show_colour_bar",
    "stop_drawing",
    "stop_hover_status",
    "text_overlay",
    "unwrap",
    "window_is_open",
]


def unwrap(viewer: Any) -> Any:
    """Return the viewer itself where napari handed out a proxy of it."""
    return getattr(viewer, "__wrapped__", viewer)


def window_is_open(viewer: Any) -> bool:
    """Return False once the viewer's window was closed, or the viewer is gone."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    try:
        return window is not None and bool(window.isVisible())
    except RuntimeError:  # Qt has deleted it
        return False


def camera(model: Any) -> Any:
    """Return the camera of a viewer model (``scene.camera`` from napari 0.9)."""
    scene = getattr(model, "scene", None)
    return model.camera if scene is None else scene.camera


def text_overlay(model: Any) -> Any:
    """Return the text overlay of a viewer model's canvas."""
    canvas = getattr(model, "canvas", None)
    return model.text_overlay if canvas is None else canvas.overlays.text


def canvas_size(qt_viewer: Any) -> tuple[int, int]:
    """Return width and height of the canvas in logical pixels."""
    size = canvas_widget(qt_viewer).size()
    return size.width(), size.height()


def canvas_widget(qt_viewer: Any) -> Any:
    """Return the widget that gets the canvas's mouse and key events."""
    return qt_viewer.canvas.native


def stop_hover_status(model: Any) -> None:
    """Keep a second model from picking under the mouse on the GUI thread.

    napari's main window moves this work to a thread of its own; any other
    model does it in the mouse-move event, 18-95 ms each with 100 000 points.
    """
    with suppress(IndexError, ValueError):  # already disconnected
        model.cursor.events.position.disconnect(model.update_status_from_cursor)


def connect_context(qt_viewer: Any, slot: Callable[..., None]) -> None:
    """Call `slot` each time the canvas gets a new OpenGL context."""
    qt_viewer.canvas.events.initialize.connect(slot)


def disconnect_context(qt_viewer: Any, slot: Callable[..., None]) -> None:
    """Undo `connect_context`."""
    qt_viewer.canvas.events.initialize.disconnect(slot)


def stop_drawing(qt_viewer: Any) -> None:
    """Never draw this canvas again: its GL objects are dead."""
    qt_viewer.canvas.events.draw.block()


def hide_sliders(qt_viewer: Any) -> None:
    """Show no slider under the canvas: the timeline has one owner."""
    qt_viewer.dims.setMaximumHeight(0)
    qt_viewer.dims.setVisible(False)


def show_colour_bar(layer: Any) -> None:
    """Draw the colour bar of an image layer on the canvas (from napari 0.9)."""
    bar = getattr(layer, "colorbar", None)
    if bar is not None:
        bar.visible = True
