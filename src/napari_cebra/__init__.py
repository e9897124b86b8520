"""CEBRA for calcium imaging, inside napari."""
