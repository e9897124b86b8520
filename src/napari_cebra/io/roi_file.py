"""What a file of ROIs gives, whichever program wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.sources import SourceFile
from napari_cebra.recording import InvalidInput, RoiSet, Traces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_cebra.recording.traces import TraceKind

    # Rows, columns and weights of one mask; no weights where all are alike.
    Mask = tuple[np.ndarray, np.ndarray, np.ndarray | None]

_MOST_PIXELS = 1 << 26
_LARGEST_FIELD = 1 << 28


@dataclass(frozen=True, eq=False)
class RoiFile:
    """ROIs of a file, and what its program computed for them.

    Parameters
    ----------
    rois : RoiSet
        The N masks; ``source_ids`` are the file's own numbers and ``accepted``
        its curation.
    program : str
        What wrote it, as "CaImAn".
    source : SourceFile
        The file or folder.
    names : tuple of str
        One per mask; empty where the file has none.
    traces : mapping
        Kind to `Traces` (T, N) for what the program computed: "raw",
        "neuropil", "dff", "events", or "other" for traces without a unit.
    notes : tuple of str
        What was left out, assumed or inferred, in sentences.
    bad_frames : (T,) bool or None
        Frames that the program marked as bad.
    """

    rois: RoiSet
    program: str
    source: SourceFile
    names: tuple[str, ...] = ()
    traces: Mapping[TraceKind, Traces] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bad_frames: np.ndarray | None = None

    @property
    def activity(self) -> Traces | None:
        """The traces of the cells: raw, else dF/F, else any, else events."""
        kinds: tuple[TraceKind, ...] = ("raw", "dff", "other", "events")
        return next((self.traces[kind] for kind in kinds if kind in self.traces), None)

    @property
    def rate(self) -> float | None:
        """Frames per second of the traces; None if unknown or without traces."""
        return next((t.rate for t in self.traces.values()), None)


def roi_file(
    path: Path,
    program: str,
    masks: Sequence[Mask],
    shape: tuple[int, int],
    *,
    accepted: np.ndarray | None = None,
    source_ids: np.ndarray | None = None,
    names: Sequence[str] = (),
    traces: Mapping[TraceKind, np.ndarray] | None = None,
    rate: float | None = None,
    notes: Sequence[str] = (),
) -> RoiFile:
    """Put together what a reader found; masks without pixels are left out.

    Parameters
    ----------
    traces : mapping
        Kind to (T, n), one column per mask of `masks`.

    Raises
    ------
    InvalidInput
        If a pixel lies outside `shape`, a weight is negative or not finite, or
        no mask has a pixel.
    """
    if sum(len(y) for y, _, _ in masks) > _MOST_PIXELS:
        raise InvalidInput(
            f"The masks in {path.name} cover more than {_MOST_PIXELS:,} pixels "
            "together; ROIs of cells are smaller: save the file again, or leave out "
            "its background."
        )
    if not 0 < shape[0] * shape[1] <= _LARGEST_FIELD:
        raise InvalidInput(
            f"{path.name} announces a field of view of {shape[0]}×{shape[1]} pixels, "
            "which no movie has; it is damaged: save it again."
        )
    told = list(notes)
    pixels: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    repeated = 0
    for number, mask in enumerate(masks, start=1):
        flat, weight = _checked(path, number, mask, shape)
        if np.any(flat[1:] <= flat[:-1]):
            flat, place = np.unique(flat, return_inverse=True)
            repeated += flat.size < weight.size
            weight = np.bincount(place, weight).astype(np.float32)
        pixels.append(flat)
        weights.append(weight)
    if repeated:
        told.append(
            f"{repeated} masks list a pixel more than once; its weights were added up."
        )
    sizes = np.array([flat.size for flat in pixels], np.int64)
    full = sizes > 0
    if not full.any():
        raise InvalidInput(
            f"{path.name} holds no ROI with a pixel; choose the file in which the "
            f"ROIs were saved by {program}."
        )
    if not full.all():
        told.append(f"{int((~full).sum())} ROIs without a pixel were left out.")
    n = full.size
    sources = np.arange(1, n + 1) if source_ids is None else np.asarray(source_ids)
    if np.unique(sources).size < n:
        told.append("The file's own ROI numbers are repeated; they are counted anew.")
        sources = np.arange(1, n + 1)
    flags = np.ones(n, bool) if accepted is None else np.asarray(accepted, bool)
    if not flags.all():
        told.append(f"{int(flags.sum())} of {n} ROIs are accepted in the file.")
    rois = RoiSet(
        np.concatenate(pixels),
        np.concatenate(weights),
        np.concatenate([[0], np.cumsum(sizes[full])]),
        shape,
        source_ids=sources[full],
        accepted=flags[full],
    )
    return RoiFile(
        rois,
        program,
        SourceFile.of(path),
        tuple(np.asarray(names, object)[full]) if len(names) else (),
        _traces(path, program, traces or {}, full, rate, told),
        tuple(told),
    )


def check_field_of_view(
    path: Path, found: tuple[int, int], shape: tuple[int, int] | None
) -> None:
    """Refuse ROIs of another field of view than that of the stack, if known."""
    if shape is None or tuple(found) == tuple(shape):
        return
    swapped = tuple(found) == tuple(shape)[::-1]
    so = (
        "the axes Y and X of one of them are swapped: load the stack with other axes"
        if swapped
        else "choose the ROIs of this recording"
    )
    raise InvalidInput(
        f"The ROIs in {path.name} lie on {found[0]}×{found[1]} pixels but the stack "
        f"is {shape[0]}×{shape[1]}; {so}."
    )


def stored(item: Any) -> np.ndarray:
    """Read a whole HDF5 data set of numbers; use within `damage.reading`."""
    if item.dtype.kind not in "iufbV" or not holds_what_it_announces(item):
        raise ValueError(f"{item.name} does not hold the numbers it announces")
    return np.asarray(item[()])


def _checked(
    path: Path, number: int, mask: Mask, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Flat pixels of a mask, in any order, and their float32 weights."""
    y, x = (np.asarray(axis).astype(np.int64, copy=False) for axis in mask[:2])
    weights = np.ones(y.size, np.float32)
    if mask[2] is not None:
        with np.errstate(over="ignore"):
            weights = np.asarray(mask[2]).astype(np.float32)
        if not np.isfinite(weights).all() or (weights.size and weights.min() < 0):
            raise InvalidInput(
                f"ROI number {number} in {path.name} has weights that are negative or "
                "not finite; mend the file, or remove the ROI where it was made."
            )
        inside = weights > 0
        y, x, weights = y[inside], x[inside], weights[inside]
    if y.size and not (
        0 <= y.min() <= y.max() < shape[0] and 0 <= x.min() <= x.max() < shape[1]
    ):
        raise InvalidInput(
            f"ROI number {number} in {path.name} has pixels outside the "
            f"{shape[0]}×{shape[1]} field of view; the ROIs belong to another movie "
            "or its axes are swapped: choose the ROIs of this recording."
        )
    return y * shape[1] + x, weights


def _traces(
    path: Path,
    program: str,
    found: Mapping[TraceKind, np.ndarray],
    keep: np.ndarray,
    rate: float | None,
    notes: list[str],
) -> dict[TraceKind, Traces]:
    """Traces that can be used; a note for each that cannot."""
    made: dict[TraceKind, Traces] = {}
    for kind, values in found.items():
        if values.ndim != 2 or values.shape[1] != keep.size:
            notes.append(
                f"The {kind} traces have the shape {values.shape} for {keep.size} "
                "ROIs; they were left out."
            )
            continue
        made_by = {"step": f"read {program}", "file": path.name}
        try:
            made[kind] = Traces(values[:, keep], kind, rate, made_by)
        except InvalidInput as error:
            notes.append(f"The {kind} traces were left out: {error}")
    lengths = {kind: traces.n_frames for kind, traces in made.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{kind} {n}" for kind, n in lengths.items())
        raise InvalidInput(
            f"The traces in {path.name} have different numbers of frames ({told}); "
            "they are not of one run: save the file again."
        )
    return made
