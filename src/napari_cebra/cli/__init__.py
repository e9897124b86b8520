"""The `napari-cebra` command."""

from napari_cebra.cli.main import main

__all__ = ["main"]
