"""From a stack to traces: extraction, neuropil, baseline, dF/F, events."""

from napari_cebra.traces.artefacts import artefact_frames, mark_artefacts
from napari_cebra.traces.deconvolve import Events, deconvolve, estimate_decay
from napari_cebra.traces.dff import dff, recompute_dff
from napari_cebra.traces.dff_result import Dff
from napari_cebra.traces.extract import Extraction, extract
from napari_cebra.traces.rings import Rings, neuropil_rings
from napari_cebra.traces.settings import PRESETS, DffSettings

__all__ = [
    "PRESETS",
    "Dff",
    "DffSettings",
    "Events",
    "Extraction",
    "Rings",
    "artefact_frames",
    "deconvolve",
    "dff",
    "estimate_decay",
    "extract",
    "mark_artefacts",
    "neuropil_rings",
    "recompute_dff",
]
