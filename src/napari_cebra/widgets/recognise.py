"""What a file or folder can be loaded as, told before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.widgets.source_form import (
    TIME_AS_DETECTED,
    TIME_CHOICES,
    TRACE_KINDS,
    Recognised,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.io import StackInfo

_ELSEWHERE = {
    "movie": "is a video, not an imaging stack; choose it as the stimulus movie below",
    "rois": "holds ROIs; load its stack first and choose it in step 2",
    "labels": "is a label image; load its stack first and choose it in step 2",
    "table": "is a table; choose it under stimulus and behaviour below",
}


def recognising(
    path: Path, data_set: str | None = None
) -> Generator[Progress, None, Recognised]:
    """Look at what is at a path; long only where the disk is.

    Raises
    ------
    InvalidInput
        If nothing that can be loaded is there.
    """
    from napari_cebra.io import sniff

    yield Progress(0, 0, "", f"Looking at {path.name}")
    found = sniff(path)
    kinds = (found.kind, *found.also)
    if "project" in kinds:
        return Recognised("project", path.name if path.is_dir() else path.parent.name)
    for kind, look in (
        ("suite2p", _suite2p),
        ("stack", _stack),
        ("rois", _rois_with_traces),
        ("spikes", _spikes),
        ("traces", _traces),
    ):
        if kind in kinds:
            recognised = look(path, data_set)
            if recognised is None:
                continue
            if found.kind == "table":
                note = "If its columns are variables, choose it as the table below."
                recognised = replace(recognised, notes=(*recognised.notes, note))
            return recognised
    raise InvalidInput(f"{path.name} {_ELSEWHERE[found.kind]}.")


def stack_facts(info: StackInfo) -> str:
    """Return shape, type and size of a stack in words."""
    shape = " × ".join(str(n) for n in info.shape)
    facts = f"{shape} ({' × '.join(info.axes)}) · {info.dtype} · {_size(info.nbytes)}"
    if info.n_files > 1:
        facts += f" · {info.n_files} files"
    return facts


def axes_choices(axes: str) -> tuple[str, ...]:
    """Return the orders that are likely where the detected one is wrong."""
    if len(axes) <= 3:
        others = {"".join(order) for order in permutations(axes)}
    else:
        others = {_swapped(axes, *pair) for pair in combinations(range(len(axes)), 2)}
    return (axes, *sorted(others - {axes}))


def _stack(path: Path, data_set: str | None) -> Recognised:
    from napari_cebra.io import inspect_stack
    from napari_cebra.io.binary import BinaryLayout

    info = inspect_stack(path, data_set)
    layout = None
    if info.kind == "binary" and info.dataset is not None:
        layout = BinaryLayout.parse(info.dataset)
    return Recognised(
        "stack",
        stack_facts(info),
        axes=info.axes,
        axes_choices=(
            # Frames that follow each other, or are decoded one by one.
            () if info.kind in ("binary", "video") else axes_choices(info.axes)
        ),
        rate=info.rate,
        data_sets=tuple((name, name) for name in info.datasets),
        data_set=info.dataset,
        to_choose=tuple(info.to_choose.items()),
        notes=info.notes,
        lengths=info.shape,
        pixel_um=info.pixel_um,
        layout=layout,
    )


def _traces(path: Path, data_set: str | None) -> Recognised:
    from napari_cebra.io import read_trace_matrix

    matrix = read_trace_matrix(path, data_set)
    t, n = matrix.traces.values.shape
    notes = matrix.notes
    scored = are_z_scores(matrix.traces.values)
    if scored:
        notes = (*notes, "Each column has mean 0 and SD 1: taken for z-scores.")
    rate = matrix.traces.rate
    return Recognised(
        "traces",
        f"{t} frames × {n} ROIs · {_size(path.stat().st_size)}",
        axes=TIME_AS_DETECTED,
        axes_choices=TIME_CHOICES,
        rate=rate,
        data_sets=tuple((key, key) for key in matrix.keys),
        data_set=matrix.key or None,
        trace_kind="other" if scored else "dff",
        notes=notes,
        lengths=(t,),
    )


def are_z_scores(values: np.ndarray) -> bool:
    """Return True where nearly every column has mean 0 and SD 1."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    alike = (np.abs(mean) < 0.05) & (np.abs(sd - 1) < 0.05)
    return bool(alike.mean() > 0.9)


def _suite2p(path: Path, _: str | None) -> Recognised:
    from napari_cebra.io import read_suite2p
    from napari_cebra.io.binary import registered_movie

    folder = read_suite2p(path if path.is_dir() else path.parent)
    accepted = int(folder.rois.accepted.sum())
    notes = folder.notes
    if (folder.folder / "data.bin").is_file():
        whole = registered_movie(folder.folder, folder.shape, folder.raw.n_frames)
        notes += (
            "Its movie, data.bin, is opened with it."
            if whole
            else "Its movie, data.bin, has not as many frames as the traces; it is "
            "left out.",
        )
    return Recognised(
        "suite2p",
        f"{len(folder.rois)} ROIs ({accepted} accepted) × {folder.raw.n_frames} frames",
        rate=folder.rate,
        notes=notes,
        lengths=(folder.raw.n_frames,),
    )


def _rois_with_traces(path: Path, _: str | None) -> Recognised | None:
    """Return what came with ROIs; None where only they are there."""
    from napari_cebra.io import read_roi_file

    file = read_roi_file(path)
    if file.activity is None:
        return None
    n, accepted = len(file.rois), int(file.rois.accepted.sum())
    kind = dict(TRACE_KINDS).get(file.activity.kind, file.activity.kind)
    return Recognised(
        "program",
        f"{file.program} · {n} ROIs ({accepted} accepted) × {file.activity.n_frames} "
        f"frames · {kind}",
        rate=file.rate,
        notes=file.notes,
        lengths=(file.activity.n_frames,),
    )


def _spikes(path: Path, _: str | None) -> Recognised:
    return Recognised("spikes", f"{path.name} · {_size(path.stat().st_size)}")


def _swapped(axes: str, i: int, j: int) -> str:
    letters = list(axes)
    letters[i], letters[j] = letters[j], letters[i]
    return "".join(letters)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"
