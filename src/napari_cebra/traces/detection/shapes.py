"""Cells found by their shape in one image: Cellpose, where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, RoiSet

if TYPE_CHECKING:
    from collections.abc import Callable


def cellpose_rois(
    image: np.ndarray,
    diameter: float | None = None,
    model: Callable[[], Any] | None = None,
) -> RoiSet:
    """Return the cells that Cellpose outlines in an image, quiet ones too.

    Cellpose (Stringer et al. 2021, Nature Methods 18:100) is an extra. It loads
    its weights from the internet when it is used for the first time.

    Parameters
    ----------
    image : (Y, X)
    diameter : float, optional
        In pixels; default: as Cellpose takes it.
    model : callable, optional
        Returns an object with Cellpose's ``eval``; default its standard model, on
        the GPU if there is one.

    Raises
    ------
    InvalidInput
        If Cellpose is not installed, cannot load its weights, or finds nothing.
    """
    made = _standard_model() if model is None else model()
    labels = np.asarray(made.eval(image, diameter=diameter)[0])
    if not labels.any():
        raise InvalidInput(
            "Cellpose found no cells in this image; choose another image or give the "
            "diameter of a cell."
        )
    return RoiSet.from_labels(labels.astype(np.int64))


def _standard_model() -> Any:
    try:
        from cellpose import models
    except ImportError as error:
        raise InvalidInput(
            "Cellpose is not installed; install it with: pip install "
            '"napari-cebra[cellpose]", or find cells by their activity.'
        ) from error
    try:
        return models.CellposeModel(gpu=True)
    except OSError as error:
        raise InvalidInput(
            f"Cellpose could not load its weights ({error}); connect this computer to "
            "the internet once, or find cells by their activity."
        ) from error
