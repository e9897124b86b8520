"""Opening projects and recordings with napari itself: a drop, the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari

from napari_cebra.io.sniff import PROJECT_FILE
from napari_cebra.recording import InvalidInput
from napari_cebra.widgets import docks

if TYPE_CHECKING:
    from collections.abc import Callable

    LayerData = tuple[Any, ...]

# What napari takes for "there are no layers, and that is right".
_NO_LAYERS: list[LayerData] = [(None,)]


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader for a project or a recording, None for all else."""
    first = _first(path)
    if _is_project(first):
        return read_project
    return read_recording if _is_recording(first) else None


def read_project(path: str | list[str]) -> list[LayerData]:
    """Open the project in our dock; its layers follow from the workspace."""
    viewer = napari.current_viewer()
    if viewer is not None:
        dock = docks.open_dock(viewer, docks.CEBRA)
        dock.open_project(_first(path))
    return _NO_LAYERS


def read_recording(path: str | list[str]) -> list[LayerData]:
    """Show a recording in the first step of our dock, to be corrected and loaded.

    Without a window, return its stack as a lazy image.
    """
    viewer = napari.current_viewer()
    if viewer is None:
        from napari_cebra.io import open_stack

        stack = open_stack(_first(path))
        return [(stack.lazy, {"name": stack.name}, "image")]
    dock = docks.open_dock(viewer, docks.CEBRA)
    dock.show_step(dock.load)
    dock.load.path.setValue(_first(path))
    return _NO_LAYERS


def _first(path: str | list[str]) -> Path:
    return Path(path[0] if isinstance(path, list) else path)


def _is_project(path: Path) -> bool:
    if path.is_dir():
        return (path / PROJECT_FILE).is_file()
    return path.name.endswith(".cebra.json")


def _is_recording(path: Path) -> bool:
    """Whether it is a recording of a kind that napari does not read itself."""
    from napari_cebra.io import sniff
    from napari_cebra.io.numbered import TIFF_SUFFIXES, VIDEO_SUFFIXES

    if path.suffix.lower() in (*TIFF_SUFFIXES, *VIDEO_SUFFIXES, ".npy"):
        return False
    try:
        return sniff(path).kind in ("stack", "suite2p")
    except InvalidInput:
        return False
