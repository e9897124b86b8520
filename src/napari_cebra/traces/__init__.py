"""From a stack to traces: extraction, neuropil, baseline, dF/F."""

from napari_cebra.traces.dff import Dff, DffSettings, dff, recompute_dff
from napari_cebra.traces.extract import Extraction, extract
from napari_cebra.traces.rings import Rings, neuropil_rings

__all__ = [
    "Dff",
    "DffSettings",
    "Extraction",
    "Rings",
    "dff",
    "extract",
    "neuropil_rings",
    "recompute_dff",
]
