"""What is open now: current frame, axes, selection, results. Signals, no Qt."""

from napari_cebra.workspace.index_map import IndexMap
from napari_cebra.workspace.selection import Selection
from napari_cebra.workspace.timeline import Timeline
from napari_cebra.workspace.workspace import Workspace

__all__ = ["IndexMap", "Selection", "Timeline", "Workspace"]
