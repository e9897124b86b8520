"""Writing numbers: the decoded sequence as CSV, the embedding as CSV or NPZ."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.recording.atomic import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Mapping

_CELLS_AT_ONCE = 100_000

DECODED_COLUMNS = (
    "time_s",
    "frame",
    "shown",
    "decoded",
    "error_frames",
    "error_s",
    "confidence",
    "split",
)


def write_decoded_csv(
    path: str | os.PathLike[str], columns: Mapping[str, np.ndarray | None]
) -> Path:
    """Write one row per imaging frame.

    Parameters
    ----------
    path : path
        CSV file.
    columns : mapping of str to (T,) array or None
        Usually `DECODED_COLUMNS`; other columns may follow. None, NaN and a
        masked value become an empty cell.

    Raises
    ------
    InvalidInput
        If the columns differ in length or the file cannot be written.
    """
    path = Path(path)
    lengths = {len(values) for values in columns.values() if values is not None}
    if len(lengths) != 1:
        raise InvalidInput(
            f"The columns of {path.name} have different lengths ({sorted(lengths)}); "
            "they must have one row per imaging frame."
        )
    (rows,) = lengths
    cells = [_cells(values, rows) for values in columns.values()]
    with replacing(path) as draft, open(draft, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(columns)
        writer.writerows(zip(*cells, strict=True))
    return path


def write_embedding(
    path: str | os.PathLike[str],
    latents: np.ndarray,
    frame_times: np.ndarray | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
    made_by: Mapping[str, Any] | None = None,
) -> Path:
    """Write latents, one row per imaging frame, as CSV or NPZ by the suffix.

    Parameters
    ----------
    path : path
        Ending in .csv or .npz.
    latents : (T, D)
        NaN rows where there is no latent; they become empty cells in a CSV.
    frame_times : (T,), optional
        Seconds.
    columns : mapping of str to (T,) array, optional
        Further columns, as repeat or shown.
    made_by : mapping, optional
        JSON object kept in the NPZ (key ``made_by``, text).

    Raises
    ------
    InvalidInput
        If the suffix is another one, lengths differ, or the file cannot be
        written.
    """
    path = Path(path)
    latents = np.asarray(latents)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise InvalidInput(f"{path.name} must end in .csv or .npz; change the name.")
    if latents.ndim != 2 or not len(latents):
        raise InvalidInput(
            f"An embedding is (frames, dimensions), not {latents.shape}; train first."
        )
    beside: dict[str, np.ndarray] = {"frame": np.arange(len(latents))}
    if frame_times is not None:
        beside = {"time_s": np.asarray(frame_times), **beside}
    beside |= {name: np.asarray(values) for name, values in (columns or {}).items()}
    for name, values in beside.items():
        if len(values) != len(latents):
            raise InvalidInput(
                f"There are {len(latents)} latents but {len(values)} values of {name}; "
                "give one per imaging frame."
            )
    if suffix == ".csv":
        named = {f"latent_{k}": latents[:, k] for k in range(latents.shape[1])}
        return write_decoded_csv(path, {**beside, **named})
    text = np.array(json.dumps(dict(made_by or {}), default=str))
    arrays: dict[str, Any] = {"latents": latents, **beside, "made_by": text}
    with replacing(path) as draft:
        np.savez_compressed(draft, allow_pickle=False, **arrays)
    return path


def write_traces_csv(
    path: str | os.PathLike[str],
    values: np.ndarray,
    roi_ids: np.ndarray,
    frame_times: np.ndarray | None = None,
) -> Generator[Progress, None, Path]:
    """Write traces, one row per imaging frame and one column per ROI.

    Parameters
    ----------
    path : path
        CSV file.
    values : (T, N)
        One column per ROI.
    roi_ids : (N,) int
        They name the columns: ``roi_7``.
    frame_times : (T,), optional
        Seconds; without them the column ``time_s`` is left out.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    path, rows = Path(path), len(values)
    header = ["frame", *(f"roi_{roi}" for roi in roi_ids)]
    if frame_times is not None:
        header = ["time_s", *header]
    at_once = max(1, _CELLS_AT_ONCE // len(header))
    with replacing(path) as draft, open(draft, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        for start in range(0, rows, at_once):
            yield Progress(start, rows, "frames", f"writing {path.name}")
            frames = range(start, min(start + at_once, rows))
            # As text at once: the shortest that reads back as the same float32.
            texts = values[start : frames.stop].astype(str).tolist()
            for frame, cells in zip(frames, texts, strict=True):
                clock = [] if frame_times is None else [repr(float(frame_times[frame]))]
                writer.writerow([*clock, frame, *cells])
    return path


def _cells(values: np.ndarray | None, rows: int) -> list[Any]:
    if values is None:
        return [""] * rows
    mask = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else None
    values = np.asarray(values)
    if values.dtype.kind == "f":
        # The shortest text that reads back as the same number.
        cells = ["" if np.isnan(v) else repr(v.item()) for v in values]
        if values.dtype.itemsize < 8:
            cells = ["" if np.isnan(v) else str(v) for v in values]
    else:
        cells = values.tolist()
    if mask is not None:
        cells = ["" if hidden else c for c, hidden in zip(cells, mask, strict=True)]
    return cells
