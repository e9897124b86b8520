"""Opening, closing and finding the docks of this plugin."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_cebra.widgets.session import Session

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

PLUGIN = "napari-cebra"
CEBRA, LATENTS, TRACES = "CEBRA", "Latents", "Traces"
LOAD, ROIS, ALIGN = "Load", "ROIs and traces", "Align"  # & is a shortcut in Qt

# napari docks every plugin's widget on the right, whatever its manifest says.
_AREAS = {LATENTS: "bottom", TRACES: "bottom"}  # all others on the right
_CLASSES = {
    CEBRA: "CebraDock",
    LOAD: "LoadDock",
    ROIS: "RoisDock",
    ALIGN: "AlignDock",
    LATENTS: "LatentsDock",
    TRACES: "TracesDock",
}
_OF_STEPS = (CEBRA, LOAD, ROIS, ALIGN)

_SIDE_BY_SIDE = 1400  # least width in pixels for two docks at the bottom
_BOTTOM_SHARE = 0.46  # of the window's height
_BOTTOM_WIDTHS = (0.27, 0.24)  # latents and traces, of the window's width


def open_dock(viewer: Any, name: str) -> QWidget:
    """Show one of our docks, made on first use, and return its inner widget."""
    dock = dock_of(viewer, name)
    if dock is None:
        make = getattr(import_module("napari_cebra.widgets"), _CLASSES[name])
        # Under the name that napari's own menu looks for, so both toggle one dock.
        dock = viewer.window.add_dock_widget(
            make(napari_viewer=viewer),
            name=_full_name(name),
            area=_AREAS.get(name, "right"),
            add_vertical_stretch=False,
        )
        _arrange(dock, name, viewer)
        session = Session.of(viewer)
        dock.visibilityChanged.connect(lambda _: session.docksChanged.emit())
        session.docksChanged.emit()
        session.later(lambda: _share_bottom(viewer))
        session.refit_soon()  # there is less room for the movie now
    dock.show()
    dock.raise_()
    return viewer.window.dock_widgets[_full_name(name)]


def dock_of(viewer: Any, name: str) -> QDockWidget | None:
    """Return the dock of this name, hidden or not; None if never opened."""
    parent = viewer.window.dock_widgets.get(_full_name(name))
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def hide_dock(viewer: Any, name: str) -> None:
    """Hide a dock; its content is kept."""
    dock = dock_of(viewer, name)
    if dock is not None:
        dock.hide()


def is_open(viewer: Any, name: str) -> bool:
    """Return True where a dock is seen, or lies behind another as a tab."""
    dock = dock_of(viewer, name)
    return dock is not None and not dock.isHidden()


def _arrange(dock: QDockWidget, name: str, viewer: Any) -> None:
    """Let the docks at the sides reach to the bottom; leave room for the movie.

    Docks of steps lie behind one another as tabs: each wants the whole height.
    In a narrow window latents and traces lie behind one another as tabs: side by
    side they would make it wider than the screen.
    """
    window = dock.parent()
    if not isinstance(window, QMainWindow):
        return
    for corner, area in (
        (Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea),
        (Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea),
    ):
        window.setCorner(corner, area)
    if name in _OF_STEPS:
        for other in (dock_of(viewer, n) for n in _OF_STEPS if n != name):
            if other is not None and not other.isFloating():
                window.tabifyDockWidget(other, dock)
                return
    if _AREAS.get(name) == "bottom":
        height = round(_BOTTOM_SHARE * window.height())
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)
        other = dock_of(viewer, TRACES if name == LATENTS else LATENTS)
        if other is not None and window.width() < _SIDE_BY_SIDE:
            window.tabifyDockWidget(other, dock)


def _share_bottom(viewer: Any) -> None:
    """Give the latents, which want a square, more of the width than the traces."""
    latents, traces = dock_of(viewer, LATENTS), dock_of(viewer, TRACES)
    if latents is None or traces is None:
        return
    window = latents.parent()
    if isinstance(window, QMainWindow):
        widths = [round(share * window.width()) for share in _BOTTOM_WIDTHS]
        window.resizeDocks([latents, traces], widths, Qt.Orientation.Horizontal)


def _full_name(name: str) -> str:
    return f"{name} ({PLUGIN})"
