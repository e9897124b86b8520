"""Recordings with known truth: V1 watching a movie, CA1 on a track."""

from napari_cebra.simulate.ca1 import Ca1Activity, Ca1Track, simulate_ca1
from napari_cebra.simulate.clocks import ThreeClocks, write_three_clocks
from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.files import (
    V1Files,
    cache_folder,
    make_v1_files,
    v1_files,
    write_v1_recording,
)
from napari_cebra.simulate.movie import natural_movie
from napari_cebra.simulate.v1 import V1Activity, simulate_v1

__all__ = [
    "Ca1Activity",
    "Ca1Track",
    "ThreeClocks",
    "V1Activity",
    "V1Files",
    "V1Movie",
    "cache_folder",
    "make_v1_files",
    "natural_movie",
    "simulate_ca1",
    "simulate_v1",
    "v1_files",
    "write_three_clocks",
    "write_v1_recording",
]
