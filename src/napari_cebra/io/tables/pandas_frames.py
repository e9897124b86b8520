"""Data frames in HDF5 as pandas stores them, read with h5py.

Layout: with ``format="table"`` a group has a compound data set ``table`` with the
fields ``index`` and ``values_block_K``, and the labels of a block as a pickle in the
attribute ``values_block_K_kind`` (or of all, in ``non_index_axes`` of the group). With
``format="fixed"`` it has ``blockK_values``, and as labels ``blockK_items``, or for
labels of several levels ``blockK_items_levelL`` and ``blockK_items_labelL`` (``codes``,
``labels`` in other versions). Blocks of objects are stored as pickles and not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_cebra.io.roi_file import stored
from napari_cebra.io.safe_pickle import load_attribute

Label = tuple[str, ...]


def pandas_group(file: Any) -> Any | None:
    """Return the group of an open HDF5 file in which a data frame lies, if any."""
    for item in file.values():
        kind = getattr(item, "attrs", {}).get("pandas_type", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if kind in ("frame_table", "frame"):
            return item
    return None


def read_frame(group: Any) -> list[tuple[Label, np.ndarray]]:
    """Return the columns of a data frame; use within `damage.reading`.

    Returns
    -------
    list of (label, (n,) array)
        Labels have as many parts as the frame has levels.
    """
    return _of_table(group) if "table" in group else _of_blocks(group)


def _of_table(group: Any) -> list[tuple[Label, np.ndarray]]:
    table = group["table"]
    rows = stored(table)
    found: list[tuple[Label, np.ndarray]] = []
    for field in rows.dtype.names or ():
        if field == "index":
            continue
        labels = load_attribute(group.name, table.attrs.get(f"{field}_kind"))
        if labels is None:
            labels = load_attribute(group.name, group.attrs["non_index_axes"])[0][1]
        found += _paired(labels, rows[field])
    index = rows["index"]
    # Where rows were taken out, the index says which are left.
    if index.dtype.kind in "iu" and index.size and np.all(np.diff(index) > 0):
        found = [(label, _at_index(column, index)) for label, column in found]
    return found


def _of_blocks(group: Any) -> list[tuple[Label, np.ndarray]]:
    found: list[tuple[Label, np.ndarray]] = []
    k = 0
    while f"block{k}_values" in group:
        values = group[f"block{k}_values"]
        if values.dtype.kind in "iufb":
            found += _paired(_block_labels(group, k), stored(values))
        k += 1
    return found


def _block_labels(group: Any, k: int) -> list[Any]:
    stem = f"block{k}_items"
    if stem in group:
        return _texts(group[stem])
    levels: list[list[str]] = []
    while f"{stem}_level{len(levels)}" in group:
        at = len(levels)
        names = _texts(group[f"{stem}_level{at}"])
        words = ("label", "codes", "labels")
        codes = next(f"{stem}_{w}{at}" for w in words if f"{stem}_{w}{at}" in group)
        levels.append([names[code] for code in stored(group[codes])])
    return list(zip(*levels, strict=True))


def _texts(item: Any) -> list[str]:
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in item[()].tolist()
    ]


def _paired(labels: Any, values: np.ndarray) -> list[tuple[Label, np.ndarray]]:
    columns = values.T if values.ndim == 2 else values[None]
    if not isinstance(labels, list) or len(labels) != len(columns):
        raise ValueError(f"{len(columns)} columns do not have a label each")
    parts = [label if isinstance(label, list | tuple) else (label,) for label in labels]
    named = [tuple(str(part) for part in label) for label in parts]
    return list(zip(named, columns, strict=True))


def _at_index(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    length = int(index[-1]) + 1
    # A frame that begins elsewhere, or is mostly holes, is not numbered by frames.
    if index[0] < 0 or length == index.size or length > 10 * index.size + 1000:
        return values
    if values.dtype.kind not in "iufb":
        return values
    whole = np.full(length, np.nan)
    whole[index] = values
    return whole
