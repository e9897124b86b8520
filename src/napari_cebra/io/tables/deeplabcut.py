"""Poses of DeepLabCut, from its CSV files and from the HDF5 that pandas writes.

Layout: columns are labelled by (scorer, [individual,] body part, coordinate), with the
coordinates x, y and likelihood. The CSV has one header row per level, whose first cell
names it. The HDF5 is a data frame of pandas, see `pandas_frames`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.tables.cells import BLOCK
from napari_cebra.io.tables.table import Table
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.io.tables.pandas_frames import Label
    from napari_cebra.recording.variable import VariableKind

LIKELIHOOD = 0.6
"""Below it a position counts as not seen; the default cut of DeepLabCut itself."""
LONGEST_GAP = 10
"""Video frames without a position that are filled in by a straight line."""


def is_deeplabcut_csv(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first cells name the levels of DeepLabCut's header."""
    first = [row[0].lower() for row in rows[:4] if row]
    return first[:1] == ["scorer"] and "bodyparts" in first and "coords" in first


def deeplabcut_of_cells(
    file: str, rows: Sequence[Sequence[str]], likelihood: float, longest_gap: int
) -> Table:
    """Read the cells of a CSV file of DeepLabCut."""
    count = 1 + next(k for k, row in enumerate(rows) if row[0].lower() == "coords")
    width = len(rows[0])
    ragged = next((k for k, row in enumerate(rows) if len(row) != width), None)
    if ragged is not None:
        raise InvalidInput(
            f"Row {ragged + 1} of {file} has {len(rows[ragged])} cells but its header "
            f"has {width}; export the poses again."
        )
    labels = header_labels(rows[:count])
    try:
        values = np.empty((len(rows) - count, len(labels)))
        step = max(1, BLOCK // width)
        for start in range(0, len(values), step):
            block = rows[count + start : count + start + step]
            values[start : start + step] = np.array(
                [[cell or "nan" for cell in row[1:]] for row in block], dtype=np.float64
            )
    except ValueError as error:
        raise InvalidInput(
            f"{file} has the header of DeepLabCut, but its cells are not all numbers "
            f"({error}); export the poses again."
        ) from error
    return poses(file, labels, values, likelihood, longest_gap)


def header_labels(rows: Sequence[Sequence[str]]) -> list[Label]:
    """Return the labels of the columns from the rows of the header."""
    return list(zip(*(row[1:] for row in rows), strict=True))


def is_pose(labels: Sequence[Label]) -> bool:
    """Whether the labels of a data frame are those of poses."""
    return all(len(label) > 1 for label in labels) and {"x", "y"} <= {
        label[-1].lower() for label in labels
    }


def poses(
    file: str,
    labels: Sequence[Label],
    values: np.ndarray,
    likelihood: float,
    longest_gap: int,
) -> Table:
    """Return a table of points from labels (scorer, …, coordinate) and (T, n) values.

    Positions with a likelihood below `likelihood` are set aside; gaps of at most
    `longest_gap` rows are filled in by straight lines, others stay NaN. Both count as
    not measured, and each point has a column that says where it was seen.
    """
    if not values.size:
        raise InvalidInput(f"{file} holds no poses; analyse the video first.")
    points: dict[str, dict[str, np.ndarray]] = {}
    for label, column in zip(labels, values.T, strict=True):
        # The scorer is the network, one and the same for all columns.
        *parts, coordinate = label[1:] if len(label) > 2 else label
        point = "_".join(part.replace(" ", "_") for part in parts)
        points.setdefault(point, {})[coordinate.lower()] = column
    columns: dict[str, np.ndarray] = {}
    measured: dict[str, np.ndarray] = {}
    kinds: dict[str, VariableKind] = {}
    units: dict[str, str] = {}
    filled = lost = 0
    for point, by_coordinate in points.items():
        axes = [axis for axis in ("x", "y", "z") if axis in by_coordinate]
        if not axes:
            continue
        seen = np.all([np.isfinite(by_coordinate[axis]) for axis in axes], axis=0)
        if "likelihood" in by_coordinate:
            seen &= np.nan_to_num(by_coordinate["likelihood"]) >= likelihood
        gap = short_gaps(seen, longest_gap)
        filled, lost = filled + int(gap.sum()), lost + int((~seen & ~gap).sum())
        for axis in axes:
            name = f"{point}_{axis}"
            columns[name] = _interpolated(by_coordinate[axis], seen, gap)
            measured[name], kinds[name], units[name] = seen, "continuous", "px"
        columns[f"{point}_seen"] = seen.astype(np.float64)
        kinds[f"{point}_seen"] = "discrete"
    if not columns:
        raise InvalidInput(
            f"{file} has no columns x and y; choose a file of poses from DeepLabCut."
        )
    n = values.shape[0] * len(points)
    notes = (
        f"Poses of DeepLabCut: {len(points)} points; {100 * filled / n:.2g} % of the "
        f"positions have a likelihood below {likelihood:g} and were filled in across "
        f"gaps of at most {longest_gap} frames, {100 * lost / n:.2g} % stay empty.",
    )
    return Table(file, columns, None, measured, kinds, units, notes=notes)


def short_gaps(seen: np.ndarray, longest: int) -> np.ndarray:
    """Return (n,) bool: rows in gaps of at most `longest` rows between seen ones."""
    gaps = np.zeros(seen.size, bool)
    at = np.flatnonzero(seen)
    missing = np.diff(at) - 1
    for k in np.flatnonzero((missing > 0) & (missing <= longest)):
        gaps[at[k] + 1 : at[k + 1]] = True
    return gaps


def _interpolated(values: np.ndarray, seen: np.ndarray, gap: np.ndarray) -> np.ndarray:
    kept = np.where(seen, values, np.nan)
    if gap.any():
        rows = np.arange(values.size)
        kept[gap] = np.interp(rows[gap], rows[seen], values[seen])
    return kept
