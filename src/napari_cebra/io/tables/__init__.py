"""Tables of what was shown and done: one module per family of formats."""

from napari_cebra.io.tables.table import Table
from napari_cebra.io.tables.text import read_table

__all__ = ["Table", "read_table"]
