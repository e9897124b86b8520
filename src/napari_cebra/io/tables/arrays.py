"""Tables of the arrays that a file holds by name: npz, npy, MAT and HDF5."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.names import is_clock
from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_COLUMNS = 24
"""A matrix with more columns is taken for traces, not for variables."""


def table_of_arrays(
    file: str,
    arrays: Mapping[str, np.ndarray],
    part: str | None = None,
    notes: Sequence[str] = (),
) -> Table:
    """Build a table from those arrays of a file that have equally many rows.

    Parameters
    ----------
    file : str
        Its name, for errors.
    arrays : mapping of str to array
        Numbers, flags or text; a matrix gives several columns. Others are passed
        over.
    part : str, optional
        Which of the groups of equal length; default the one with the most arrays,
        of equal ones the longer.

    Raises
    ------
    InvalidInput
        If no array has two rows, or there is no such part.
    """
    told = list(notes)
    plain = {name: _plain(np.asarray(array)) for name, array in arrays.items()}
    usable = {name: array for name, array in plain.items() if _is_usable(array)}
    wide = [name for name, a in usable.items() if _columns_of(a) > MOST_COLUMNS]
    if wide:
        told.append(
            f"{', '.join(wide[:3])}{' …' if len(wide) > 3 else ''} left out: more than "
            f"{MOST_COLUMNS} columns are traces rather than variables."
        )
    usable = {name: a for name, a in usable.items() if name not in wide}
    if not usable:
        raise InvalidInput(
            f"{file} holds no variables: columns of numbers or words, one value per "
            "frame, were looked for; choose another file."
        )
    groups = _groups(usable)
    if part is not None and part not in groups:
        raise InvalidInput(
            f"{file} has no part {part!r}; choose one of {', '.join(groups)}."
        )
    chosen = next(iter(groups)) if part is None else part
    columns: dict[str, np.ndarray] = {}
    n, names = groups[chosen]
    for name in names:
        columns |= _as_columns(name, usable[name], n)
    table = Table(file, columns, part=chosen, parts=tuple(groups), notes=tuple(told))
    return table.with_clock()


def _plain(array: np.ndarray) -> np.ndarray:
    """Bytes as text, dates as seconds from the first, durations as seconds."""
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind == "M" and array.size:
        array = array - array.flat[0]
    if array.dtype.kind == "m":
        return array / np.timedelta64(1, "s")
    return array


def _is_usable(array: np.ndarray) -> bool:
    return (
        array.dtype.kind in "iufbU"
        and array.ndim in (1, 2)
        and array.size > 1
        and not (array.ndim == 2 and array.dtype.kind == "U")
    )


def _columns_of(array: np.ndarray) -> int:
    return 1 if array.ndim == 1 else min(array.shape)


def _groups(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, list[str]]]:
    """Arrays by number of rows; the likeliest first."""
    lengths = Counter(max(a.shape) for a in arrays.values())
    clocks = {max(a.shape) for name, a in arrays.items() if is_clock(name)}
    # A vector with two values is a setting rather than a recording.
    order = sorted(
        lengths, key=lambda n: (n > 3, n in clocks, lengths[n], n), reverse=True
    )
    groups = {}
    for n in order:
        names = [
            name
            for name, a in arrays.items()
            if n in a.shape and (max(a.shape) == n or a.shape[0] == n)
        ]
        stem = _common_stem(names)
        groups[f"{stem}: {n} rows" if stem else f"{n} rows"] = (n, names)
    return groups


def _common_stem(names: Sequence[str]) -> str:
    """Struct or HDF5 group in which all names lie, as "beh" of "beh.x", "beh.y"."""
    stems = [re.split("[./]", name)[:-1] for name in names]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*stems, strict=False))
    return ".".join(level[0] for level in levels)


def _as_columns(name: str, array: np.ndarray, n: int) -> dict[str, np.ndarray]:
    if array.dtype.kind != "U":
        array = array.astype(np.float64)
    if array.ndim == 1:
        return {name: array}
    # One row of MATLAB is as good as one column.
    values = array if array.shape[0] == n else array.T
    if values.shape[1] == 1:
        return {name: values[:, 0]}
    return {f"{name}_{k}": column for k, column in enumerate(values.T)}
