"""The built-in recordings under File > Open Sample."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np

from napari_cebra.pipeline.run import exhaust
from napari_cebra.widgets import docks

LayerData = tuple[Any, dict[str, Any], str]


def v1_movie() -> list[LayerData]:
    """Open the simulated two-photon recording of V1 in our dock."""
    viewer = napari.current_viewer()
    if viewer is not None:
        return _in_dock(viewer, "v1", "V1 movie: see the CEBRA dock")
    from napari_cebra.io import open_stack, read_roi_file
    from napari_cebra.simulate import make_v1_files

    files = exhaust(make_v1_files())
    stack = open_stack(files.stack)
    labels = read_roi_file(files.rois).rois.to_labels()
    return [
        (stack.lazy, {"name": "V1 movie"}, "image"),
        (labels, {"name": "ROIs"}, "labels"),
    ]


def ca1_track() -> list[LayerData]:
    """Open the simulated place cells in our dock; as an image without a window."""
    viewer = napari.current_viewer()
    if viewer is not None:
        return _in_dock(viewer, "ca1", "CA1 track: see the CEBRA dock")
    from napari_cebra.simulate import simulate_ca1

    traces = simulate_ca1().recording.traces.values
    return [(traces.T, {"name": "CA1 traces (cells × time)"}, "image")]


def _in_dock(viewer: Any, which: str, name: str) -> list[LayerData]:
    """Load in the background; napari wants a layer at once, so it gets an empty one."""
    dock = docks.open_dock(viewer, docks.CEBRA)
    dock.show_step(dock.load)
    dock.load.load_built_in(which)
    dock.load.take_out_when_loaded(name)
    return [(np.zeros((0, 2)), {"name": name}, "points")]
