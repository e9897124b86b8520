"""A suite2p output folder: masks, fluorescence, neuropil, events, curation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import open_npy
from napari_cebra.io.safe_pickle import load_objects
from napari_cebra.io.sources import SourceFile
from napari_cebra.recording import InvalidInput, RoiSet, Traces

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_cebra.recording.traces import TraceKind

_NEEDED = ("F.npy", "stat.npy")


@dataclass(frozen=True, eq=False)
class Suite2pFolder:
    """What a suite2p plane folder holds.

    Parameters
    ----------
    folder : Path
        The plane folder.
    rois : RoiSet
        All N masks with their weights (``lam``). Ids are 1..N, ``source_ids``
        suite2p's row numbers from 0; ``accepted`` is suite2p's ``iscell``
        without the ROIs of `silent`.
    raw : Traces
        (T, N) fluorescence, ``F``.
    neuropil : Traces or None
        (T, N), ``Fneu``.
    events : Traces or None
        (T, N) deconvolved, ``spks``, in arbitrary units.
    overlap : (nnz,) bool
        Pixels shared with another ROI, in the order of ``rois.pixels``.
    silent : (N,) bool
        ROIs whose fluorescence is 0 in every frame, because suite2p leaves
        overlapping pixels out and they have no other.
    probability : (N,) float64
        Of being a cell, by suite2p's classifier; NaN without ``iscell.npy``.
    rate : float or None
        Frames per second.
    shape : (Y, X)
        Field of view.
    mean_image : (Y, X) float32 or None
        From ``ops.npy``.
    source : SourceFile
        The folder.
    notes : tuple of str
        What was missing or inferred, in sentences.
    bad_frames : (T,) bool or None
        ``badframes`` of ``ops.npy``, which registration and detection left out.
    """

    folder: Path
    rois: RoiSet
    raw: Traces
    neuropil: Traces | None
    events: Traces | None
    overlap: np.ndarray
    silent: np.ndarray
    probability: np.ndarray
    rate: float | None
    shape: tuple[int, int]
    mean_image: np.ndarray | None
    source: SourceFile
    notes: tuple[str, ...] = ()
    bad_frames: np.ndarray | None = None


def suite2p_plane(folder: str | os.PathLike[str]) -> Path | None:
    """Return the plane folder meant by a path, None if it is not suite2p's.

    The plane folder itself, ``suite2p/`` above it, or the folder above that.
    """
    folder = Path(folder)
    for place in (folder, folder / "suite2p"):
        if (place / "stat.npy").is_file() or (place / "F.npy").is_file():
            return place
        planes = sorted(place.glob("plane[0-9]*"), key=lambda p: (len(p.name), p.name))
        if planes:
            return planes[0]
    return None


def read_suite2p(
    folder: str | os.PathLike[str],
    rate: float | None = None,
    shape: tuple[int, int] | None = None,
) -> Suite2pFolder:
    """Read a suite2p folder, with or without ``ops.npy``.

    Parameters
    ----------
    folder : path
        ``plane0``, the ``suite2p`` folder above it, or the one above that; the
        first plane is read.
    rate : float, optional
        Frames per second; default ``ops["fs"]``, None if that is missing.
    shape : (Y, X), optional
        Field of view; default from ``ops``, else inferred from the masks.

    Raises
    ------
    InvalidInput
        If it is not a suite2p folder, files are missing, damaged or disagree,
        or an object file holds anything but plain numbers and arrays.
    """
    plane = suite2p_plane(folder)
    if plane is None:
        raise InvalidInput(
            f"{Path(folder).name} is not a suite2p folder; choose the folder plane0 "
            "that holds F.npy and stat.npy."
        )
    missing = [name for name in _NEEDED if not (plane / name).is_file()]
    if missing:
        raise InvalidInput(
            f"The suite2p folder {plane.name} lacks {' and '.join(missing)}; choose a "
            "folder in which suite2p has finished."
        )
    notes: list[str] = []
    planes = len(list(plane.parent.glob("plane[0-9]*")))
    if planes > 1 and plane != Path(folder):
        notes.append(
            f"suite2p kept {planes} planes; {plane.name} is read: choose a plane's own "
            "folder for another."
        )
    stat = _stat(plane / "stat.npy")
    settings = suite2p_settings(plane)
    fluorescence = _matrix(plane / "F.npy", len(stat))
    rate = _rate(settings, rate, notes)
    shape = _shape(settings, stat, shape, notes)
    flags, probability = _iscell(plane, len(stat), notes)
    silent = ~np.any(fluorescence, axis=1)
    if silent.any():
        notes.append(
            f"{int(silent.sum())} ROIs have no signal (F is 0 in every frame, as all "
            f"their pixels overlap others), {int((flags & silent).sum())} of them "
            "accepted by suite2p; they are set to not accepted."
        )
    rois, overlap = _rois(stat, shape, flags & ~silent)
    bad = _bad_frames(settings, fluorescence.shape[1], notes)
    return Suite2pFolder(
        plane,
        rois,
        _traces(plane / "F.npy", fluorescence, "raw", rate),
        _optional(plane, "Fneu.npy", fluorescence.shape, "neuropil", rate, notes),
        _optional(plane, "spks.npy", fluorescence.shape, "events", rate, notes),
        overlap,
        silent,
        probability,
        rate,
        shape,
        _mean_image(settings, shape),
        SourceFile.of(plane),
        tuple(notes),
        bad,
    )


def _stat(path: Path) -> list[Mapping[str, Any]]:
    stat = load_objects(path)
    if not isinstance(stat, list) or not all(isinstance(roi, dict) for roi in stat):
        raise InvalidInput(
            "stat.npy does not hold one entry per ROI; it is not a suite2p file: copy "
            "it again."
        )
    if not stat:
        raise InvalidInput(
            "suite2p found no ROI in this recording (stat.npy is empty)."
        )
    for row, roi in enumerate(stat):
        y, x = (np.asarray(roi.get(key, ())) for key in ("ypix", "xpix"))
        whole = y.dtype.kind in "iu" and x.dtype.kind in "iu"
        if not whole or y.ndim != 1 or y.shape != x.shape or not y.size:
            raise InvalidInput(
                f"ROI {row} in stat.npy has no pixel lists ypix and xpix of equal "
                "length; the file is damaged: copy it again."
            )
    return stat


def suite2p_settings(plane: Path) -> dict[str, Any]:
    """Everything that ``ops.npy``, or its successors in suite2p 1.x, say."""
    found: dict[str, Any] = {}
    for name in ("settings.npy", "db.npy", "reg_outputs.npy", "detect_outputs.npy"):
        if (plane / name).is_file():
            part = load_objects(plane / name)
            found |= part if isinstance(part, dict) else {}
    if (plane / "ops.npy").is_file():
        part = load_objects(plane / "ops.npy")
        found |= part if isinstance(part, dict) else {}
    return found


def _number(value: object) -> float | None:
    if isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0:
        return float(value)
    return None


def _bad_frames(
    settings: Mapping[str, Any], n_frames: int, notes: list[str]
) -> np.ndarray | None:
    found = settings.get("badframes")
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biu":
        return None
    if found.shape != (n_frames,):
        notes.append(
            f"The folder marks bad frames for {found.size} frames but has {n_frames}; "
            "the marks were left out."
        )
        return None
    return found.astype(bool)


def _rate(
    settings: Mapping[str, Any], rate: float | None, notes: list[str]
) -> float | None:
    if rate is not None:
        return float(rate)
    kept = _number(settings.get("fs"))
    if kept is None:
        notes.append("The folder does not say the frame rate; enter it.")
    return kept


def _shape(
    settings: Mapping[str, Any],
    stat: list[Mapping[str, Any]],
    shape: tuple[int, int] | None,
    notes: list[str],
) -> tuple[int, int]:
    if shape is not None:
        return int(shape[0]), int(shape[1])
    ly, lx = _number(settings.get("Ly")), _number(settings.get("Lx"))
    if ly is not None and lx is not None:
        return int(ly), int(lx)
    ly = 1 + max(int(np.max(roi["ypix"])) for roi in stat)
    lx = 1 + max(int(np.max(roi["xpix"])) for roi in stat)
    rings = _rings(stat)
    if rings:
        ly, lx = _shape_from_rings(rings, ly, lx)
    notes.append(
        f"The folder does not say the size of the field of view; {ly}×{lx} pixels was "
        f"inferred from the {'neuropil rings' if rings else 'ROI pixels'}."
    )
    return ly, lx


def _rings(stat: list[Mapping[str, Any]]) -> list[np.ndarray]:
    rings = (np.asarray(roi.get("neuropil_mask", ())) for roi in stat)
    return [r for r in rings if r.ndim == 1 and r.size and r.dtype.kind in "iu"]


def _shape_from_rings(rings: list[np.ndarray], ly: int, lx: int) -> tuple[int, int]:
    """Find the line length at which the flat indices of a ring lie together.

    A ring's flat indices are y·Lx + x: read with the right Lx, its columns
    spread over the ring's width, with a wrong one over the whole line.
    """
    few = rings[:: max(1, len(rings) // 40)]

    def spread(width: int) -> float:
        return float(np.mean([np.std(ring % width) for ring in few]))

    widths = range(lx, lx + 257)
    best = min(widths, key=spread)
    lowest = max(int(ring.max()) for ring in rings) // best + 1
    return max(ly, lowest), best


def _iscell(plane: Path, n: int, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    path = plane / "iscell.npy"
    if not path.is_file():
        notes.append("There is no iscell.npy; all ROIs count as accepted.")
        return np.ones(n, bool), np.full(n, np.nan)
    table = _numeric(path)
    if table.ndim not in (1, 2) or table.shape[0] != n:
        raise InvalidInput(
            f"iscell.npy has {table.shape[0] if table.ndim else 0} rows but stat.npy "
            f"{n} ROIs; the files are not of one run: copy the folder again."
        )
    flags = (table if table.ndim == 1 else table[:, 0]) > 0
    with_probability = table.ndim == 2 and table.shape[1] > 1
    probability = table[:, 1] if with_probability else np.full(n, np.nan)
    return flags, probability.astype(np.float64)


def _numeric(path: Path) -> np.ndarray:
    array = open_npy(path, "copy it again from the suite2p folder")
    if array.dtype.kind not in "iufb":
        raise InvalidInput(
            f"{path.name} holds {array.dtype}, not numbers; copy it again."
        )
    return array


def _matrix(path: Path, n: int) -> np.ndarray:
    array = _numeric(path)
    if array.ndim != 2 or array.shape[0] != n or array.shape[1] < 2:
        raise InvalidInput(
            f"{path.name} has the shape {array.shape} but stat.npy {n} ROIs; it must "
            f"be ({n}, frames): the files are not of one run, copy the folder again."
        )
    return array


def _traces(
    path: Path, array: np.ndarray, kind: TraceKind, rate: float | None
) -> Traces:
    made_by = {"step": "suite2p", "file": path.name}
    return Traces(array.T, kind, rate, made_by)


def _optional(
    plane: Path,
    name: str,
    shape: tuple[int, ...],
    kind: TraceKind,
    rate: float | None,
    notes: list[str],
) -> Traces | None:
    path = plane / name
    if not path.is_file():
        notes.append(f"There is no {name}; the recording has no {kind} traces.")
        return None
    array = _matrix(path, shape[0])
    if array.shape != shape:
        raise InvalidInput(
            f"{name} has {array.shape[1]} frames but F.npy {shape[1]}; the files are "
            "not of one run: copy the folder again."
        )
    return _traces(path, array, kind, rate)


def _rois(
    stat: list[Mapping[str, Any]], shape: tuple[int, int], accepted: np.ndarray
) -> tuple[RoiSet, np.ndarray]:
    masks, overlaps = [], []
    for row, roi in enumerate(stat):
        y, x = np.asarray(roi["ypix"]), np.asarray(roi["xpix"])
        lam = np.asarray(roi.get("lam", np.ones(y.size)), np.float32)
        shared = np.asarray(roi.get("overlap", np.zeros(y.size, bool)), bool)
        if lam.shape != y.shape or shared.shape != y.shape:
            raise InvalidInput(
                f"ROI {row} in stat.npy has {y.size} pixels but {lam.size} weights; "
                "the file is damaged: copy it again."
            )
        if not (np.isfinite(lam).all() and lam.min() > 0):
            raise InvalidInput(
                f"ROI {row} in stat.npy has weights (lam) that are not positive "
                "numbers; the file is damaged: copy it again."
            )
        masks.append((y, x, lam))
        order = np.argsort(y.astype(np.int64) * shape[1] + x, kind="stable")
        overlaps.append(shared[order])
    rois = RoiSet.from_masks(
        masks, shape, source_ids=np.arange(len(stat)), accepted=accepted
    )
    return rois, np.concatenate(overlaps)


def _mean_image(
    settings: Mapping[str, Any], shape: tuple[int, int]
) -> np.ndarray | None:
    image = np.asarray(settings.get("meanImg", ()))
    if image.shape != shape or image.dtype.kind not in "iuf":
        return None
    return image.astype(np.float32)
