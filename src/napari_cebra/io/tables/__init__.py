"""Tables of what was shown and done: one module per family of formats."""

from napari_cebra.io.tables.events import EventTable
from napari_cebra.io.tables.reading import read_table
from napari_cebra.io.tables.table import Table

__all__ = ["EventTable", "Table", "read_table"]
