"""Arrays of MAT-files: version 5 (to v7) through SciPy, version 7.3 through h5py.

Structs are flattened to dotted names, an array of structs to one value per element
and field; a cell array of texts is an array of words. Layouts: MathWorks, "MAT-File
Format" (R2024a), for version 5; version 7.3 is HDF5 with a 512-byte user block, the
axes reversed, the class in the attribute ``MATLAB_class`` and cells as references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.damage import reading
from napari_cebra.io.tables.matlab_check import check_mat5
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

_SO = "save it again from MATLAB"
_DEEPEST = 8
_MOST_CELLS = 1_000_000
_OPAQUE = (
    "{name} is a MATLAB {kind}, which only MATLAB reads: save its columns as plain "
    "arrays, as with table2struct(T, 'ToScalar', true)."
)


def mat5_arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of a MAT-file of version 5 by dotted name, and notes."""
    from scipy.io import loadmat

    with reading(path.name, "a MAT-file", _SO):
        check_mat5(path)
        content = loadmat(path, struct_as_record=True, squeeze_me=False)
        found: dict[str, np.ndarray] = {}
        notes: list[str] = []
        for name, value in content.items():
            if not name.startswith("__"):
                _flatten(name, value, found, notes)
    return found, notes


def _flatten(
    name: str,
    value: Any,
    found: dict[str, np.ndarray],
    notes: list[str],
    depth: int = 0,
) -> None:
    """Put an array of version 5 under its name, or its parts under theirs."""
    if type(value).__name__ == "MatlabOpaque":
        # SciPy does not find the names of objects.
        called = "A variable" if name == "None" else name
        notes.append(_OPAQUE.format(name=called, kind="table or object"))
    if type(value).__name__ in ("MatlabOpaque", "MatlabFunction"):
        return
    if not isinstance(value, np.ndarray) or depth > _DEEPEST:
        return  # sparse matrices are no variables
    if value.dtype.names is not None:
        if value.size == 1:
            for field in value.dtype.names:
                inner = value.reshape(-1)[0][field]
                _flatten(f"{name}.{field}", inner, found, notes, depth + 1)
        elif value.size:
            for field in value.dtype.names:
                _put(f"{name}.{field}", value[field].ravel(order="F").tolist(), found)
    elif value.dtype == object:
        _put(name, value.ravel(order="F").tolist(), found)
    else:
        found[name] = _plain(value)


def _plain(value: np.ndarray) -> np.ndarray:
    """Return a row or column as a vector."""
    return value.ravel() if value.ndim == 2 and 1 in value.shape else value


def _put(name: str, items: list[Any], found: dict[str, np.ndarray]) -> None:
    """Put a list of texts, or of single numbers, under a name; others are left out."""
    values = [np.asarray(item) for item in items]
    if any(v.size > 1 or v.ndim > 2 for v in values):
        return
    kinds = {v.dtype.kind for v in values if v.size}
    if kinds == {"U"}:
        found[name] = np.array([str(v.flat[0]) if v.size else "" for v in values])
    elif kinds and kinds <= {*"iufb"}:
        found[name] = np.array([float(v.flat[0]) if v.size else np.nan for v in values])


def mat73_arrays(file: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of an open MAT-file of version 7.3; use within `reading`."""
    found: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for name, item in file.items():
        if not name.startswith("#"):
            _from_hdf5(name, item, found, notes)
    return found, notes


def _from_hdf5(
    name: str, item: Any, found: dict[str, np.ndarray], notes: list[str], depth: int = 0
) -> None:
    import h5py

    if depth > _DEEPEST:
        return
    kind = _class(item)
    if "MATLAB_object_decode" in item.attrs:
        notes.append(_OPAQUE.format(name=name, kind=kind or "object"))
        return
    if isinstance(item, h5py.Group):
        for field, inner in item.items():
            _from_hdf5(f"{name}.{field}", inner, found, notes, depth + 1)
    elif h5py.check_ref_dtype(item.dtype) is not None:
        if item.size > _MOST_CELLS:
            raise InvalidInput(
                f"{name} has {item.size:,} cells, of which at most {_MOST_CELLS:,} are "
                "read; save it as an array of numbers."
            )
        references = item[()].ravel()  # of reversed axes: in MATLAB's own order
        cells = [_value(item.file[ref]) if ref else np.zeros(0) for ref in references]
        _put(name, cells, found)
    else:
        value = _value(item)
        if value.ndim or value.dtype.kind != "U":
            found[name] = _plain(value)


def _value(item: Any) -> np.ndarray:
    """Return a data set with MATLAB's axes; text where it is of characters."""
    if not hasattr(item, "dtype") or item.dtype.kind not in "iufb":
        return np.zeros((0, 0, 0))  # something nested that is no single value
    if not holds_what_it_announces(item):
        raise ValueError(f"{item.name} does not hold what it announces")
    empty = bool(item.attrs.get("MATLAB_empty", 0))
    values = np.asarray(item[()]).T
    if _class(item) == "char":
        if empty:
            return np.array("")
        codes = values.astype(np.uint16).ravel(order="C")
        return np.array(codes.tobytes().decode("utf-16-le", "replace"))
    if empty:
        return np.zeros(0)
    return values.astype(bool) if _class(item) == "logical" else values


def _class(item: Any) -> str:
    kind = item.attrs.get("MATLAB_class", b"")
    return kind.decode() if isinstance(kind, bytes) else str(kind)
