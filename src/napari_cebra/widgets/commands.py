"""What napari's menus run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_cebra.widgets import docks

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


def show_latents() -> None:
    """Show the latents in three dimensions."""
    _open(docks.LATENTS)


def show_traces() -> None:
    """Show the traces of the selected ROIs."""
    _open(docks.TRACES)


def show_export() -> None:
    """Show the step that exports and saves."""
    dock = _open(docks.CEBRA)
    if dock is not None:
        dock.show_step(dock.export)


def _open(name: str) -> QWidget | None:
    viewer = napari.current_viewer()
    return None if viewer is None else docks.open_dock(viewer, name)
