"""Files in, files out: one module per format family."""

from napari_cebra.io.atomic import replacing
from napari_cebra.io.export import write_decoded_mp4, write_decoded_tiff
from napari_cebra.io.export_tables import write_decoded_csv, write_embedding
from napari_cebra.io.movies import Movie, open_movie
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.stack import Stack
from napari_cebra.io.stacks import (
    StackInfo,
    inspect_stack,
    open_stack,
    stack_from_array,
)
from napari_cebra.io.tables import Table, read_table

__all__ = [
    "Movie",
    "SourceFile",
    "Stack",
    "StackInfo",
    "Table",
    "inspect_stack",
    "open_movie",
    "open_stack",
    "read_table",
    "replacing",
    "stack_from_array",
    "write_decoded_csv",
    "write_decoded_mp4",
    "write_decoded_tiff",
    "write_embedding",
]
