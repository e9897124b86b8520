"""From a stack and its ROIs to a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Recording, RoiSet
from napari_cebra.traces import (
    Dff,
    DffSettings,
    Extraction,
    dff,
    extract,
    mark_artefacts,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.io import Stack
    from napari_cebra.io.suite2p import Suite2pFolder
    from napari_cebra.recording import Progress, Traces


@dataclass(frozen=True, eq=False)
class RoiTraces:
    """A recording and what it was made from.

    Parameters
    ----------
    recording : Recording
        dF/F with the raw and neuropil traces kept beside it.
    made : Dff
        F0, corrected fluorescence, noise and flagged ROIs.
    extraction : Extraction or None
        Mean image and the like; None for traces that came ready.
    """

    recording: Recording
    made: Dff
    extraction: Extraction | None = None


def roi_traces(
    stack: Stack, rois: RoiSet, settings: DffSettings | None = None
) -> Generator[Progress, None, RoiTraces]:
    """Extract the accepted ROIs in one pass and compute their dF/F.

    Parameters
    ----------
    stack : Stack
    rois : RoiSet
    settings : DffSettings, optional

    Yields
    ------
    Progress
        In frames.

    Raises
    ------
    InvalidInput
        If no ROI is accepted, or stack and ROIs do not fit.
    """
    settings = DffSettings() if settings is None else settings
    kept = rois.select(rois.accepted)
    if len(kept) == 0:
        raise InvalidInput(
            "None of the ROIs is accepted, so there is nothing to extract; accept at "
            "least one."
        )
    extraction = yield from extract(stack, kept)
    made = dff(extraction.raw, extraction.neuropil, settings)
    recording = Recording(
        made.traces,
        rois=kept,
        raw=extraction.raw,
        neuropil=extraction.neuropil,
        name=stack.name,
    )
    source = () if stack.source is None else (stack.source.path,)
    recording = recording.with_step("extract", *source, rois=len(kept), kind=kept.kind)
    return RoiTraces(_with_dff(recording, made, settings), made, extraction)


def suite2p_traces(
    folder: Suite2pFolder,
    settings: DffSettings | None = None,
    accepted_only: bool = True,
    name: str = "suite2p",
) -> RoiTraces:
    """Take the traces a suite2p folder brings, and compute their dF/F.

    Raises
    ------
    InvalidInput
        If the folder accepts no cell.
    """
    settings = DffSettings() if settings is None else settings
    rois, raw, neuropil = folder.rois, folder.raw, folder.neuropil
    if accepted_only:
        keep = rois.accepted
        if not keep.any():
            raise InvalidInput(
                "The suite2p folder accepts no cell (iscell.npy); curate it there, or "
                "load all of its ROIs."
            )
        rois = rois.select(keep)
        raw = _columns(raw, keep)
        neuropil = None if neuropil is None else _columns(neuropil, keep)
    made = dff(raw, neuropil, settings)
    recording = Recording(made.traces, rois=rois, raw=raw, neuropil=neuropil, name=name)
    recording = recording.with_step("read suite2p", name, accepted_only=accepted_only)
    return RoiTraces(_with_dff(recording, made, settings), made)


def read_rois(text: str, shape: tuple[int, int]) -> RoiSet:
    """Return ROIs as the command line names them.

    Parameters
    ----------
    text : str
        "grid:N" for tiles of N × N pixels, a label image (TIFF or npy), or a
        suite2p folder.
    shape : (Y, X)
        Field of view.

    Raises
    ------
    InvalidInput
        If it is none of these, or belongs to another field of view.
    """
    if text.startswith("grid:"):
        tile = text.removeprefix("grid:")
        if not tile.isdigit():
            raise InvalidInput(
                f"ROIs {text!r} are not understood: grid:N needs a whole number of "
                "pixels, as in grid:8."
            )
        return RoiSet.grid(shape, int(tile))
    path = Path(text)
    if path.is_dir():
        from napari_cebra.io import read_suite2p

        return read_suite2p(path, shape=shape).rois
    rois = read_label_image(path)
    if rois.shape != tuple(shape):
        raise InvalidInput(
            f"The label image {path.name} is {rois.shape[0]}×{rois.shape[1]} pixels "
            f"but the stack is {shape[0]}×{shape[1]}; choose the ROIs of this "
            "recording."
        )
    return rois


def read_label_image(path: str | Path) -> RoiSet:
    """Return the masks of a label image on disk.

    Raises
    ------
    InvalidInput
        If it cannot be read as a 2-D integer image.
    """
    import tifffile

    path = Path(path)
    if not path.exists():
        raise InvalidInput(
            f"There are no ROIs at {path}; give a label image, a suite2p folder, or "
            "grid:N."
        )
    try:
        if path.suffix.lower() == ".npy":
            labels = np.load(path, allow_pickle=False)
        else:
            labels = tifffile.imread(path)
    except (OSError, ValueError, EOFError, tifffile.TiffFileError) as error:
        raise InvalidInput(
            f"{path.name} is not a label image that can be read ({error}); choose a "
            "TIFF or npy file whose pixels hold ROI numbers."
        ) from error
    return RoiSet.from_labels(np.squeeze(labels))


def _with_dff(recording: Recording, made: Dff, settings: DffSettings) -> Recording:
    recording = mark_artefacts(recording, ~made.valid)
    return recording.with_step("dff", **settings.to_json())


def _columns(traces: Traces, keep: np.ndarray) -> Traces:
    return replace(traces, values=traces.values[:, keep])
