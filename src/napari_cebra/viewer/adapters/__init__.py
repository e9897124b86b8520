"""Each connects one napari thing to the workspace, and can be torn down."""

from napari_cebra.viewer.adapters.indexed_movie import IndexedMovie
from napari_cebra.viewer.adapters.movie import MovieAdapter
from napari_cebra.viewer.adapters.rois import RoiAdapter
from napari_cebra.viewer.adapters.shares import ShareAdapter
from napari_cebra.viewer.adapters.stimulus import StimulusAdapter

__all__ = [
    "IndexedMovie",
    "MovieAdapter",
    "RoiAdapter",
    "ShareAdapter",
    "StimulusAdapter",
]
