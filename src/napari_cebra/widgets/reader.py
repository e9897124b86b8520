"""Opening a project with napari itself: from the command line, or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari

from napari_cebra.io.sniff import PROJECT_FILE
from napari_cebra.widgets import docks

if TYPE_CHECKING:
    from collections.abc import Callable

# What napari takes for "there are no layers, and that is right".
_NO_LAYERS: list[tuple[Any, ...]] = [(None,)]


def get_reader(path: str | list[str]) -> Callable[[Any], list[Any]] | None:
    """Return a reader for a project folder or its file, None for all else."""
    first = path[0] if isinstance(path, list) else path
    return read_project if _is_project(Path(first)) else None


def read_project(path: str | list[str]) -> list[Any]:
    """Open the project in our dock; its layers follow from the workspace."""
    first = path[0] if isinstance(path, list) else path
    viewer = napari.current_viewer()
    if viewer is not None:
        dock = docks.open_dock(viewer, docks.CEBRA)
        dock.open_project(Path(first))
    return _NO_LAYERS


def _is_project(path: Path) -> bool:
    if path.is_dir():
        return (path / PROJECT_FILE).is_file()
    return path.name.endswith(".cebra.json")
