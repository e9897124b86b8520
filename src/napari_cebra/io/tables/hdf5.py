"""Arrays of an HDF5 file without a known layout, by their path."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.tables.arrays import MOST_COLUMNS

_MOST_ROWS = 1 << 28


def hdf5_arrays(file: Any) -> dict[str, np.ndarray]:
    """Return vectors and narrow matrices; use within `damage.reading`."""
    import h5py

    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.ndim not in (1, 2):
            return
        if not 1 < item.size <= _MOST_ROWS or not holds_what_it_announces(item):
            return
        if item.ndim == 2 and min(item.shape) > MOST_COLUMNS:
            return  # traces
        if h5py.check_string_dtype(item.dtype) is not None and item.ndim == 1:
            found[name] = np.array([str(text) for text in item.asstr()[()]])
        elif item.dtype.kind in "iufb":
            values = np.asarray(item[()])
            found[name] = values.ravel() if 1 in values.shape else values
        elif item.dtype.names is not None and item.ndim == 1:
            rows = item[()]
            for field in item.dtype.names:
                if rows[field].dtype.kind in "iufb" and rows[field].ndim == 1:
                    found[f"{name}.{field}"] = rows[field]

    file.visititems(visit)
    return found
