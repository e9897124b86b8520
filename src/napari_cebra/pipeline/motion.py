"""Motion between loading and extraction: the corrected stack, rows, and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.motion import FAILED, CorrectedFrames, register

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.io import Stack
    from napari_cebra.recording import Progress, Recording
    from napari_cebra.traces.motion import Motion, MotionSettings


def estimate_motion(
    stack: Stack, settings: MotionSettings | None
) -> Generator[Progress, None, Motion | None]:
    """Register a stack, where that is wanted (settings are not None)."""
    if settings is None:
        return None
    return (yield from register(stack, settings))


def corrected_stack(stack: Stack, motion: Motion | None) -> Stack:
    """Return the stack with its motion undone as it is read.

    Of the same name, rate, pixel size and source; closing it leaves `stack`
    open. Without a motion, `stack` itself.

    Raises
    ------
    InvalidInput
        If the motion is that of another stack.
    """
    if motion is None:
        return stack
    from napari_cebra.io import Stack

    frames = CorrectedFrames(stack, motion)
    return Stack(
        frames, stack.name, stack.axes, stack.rate, stack.source, stack.pixel_um
    )


def with_motion(recording: Recording, motion: Motion | None) -> Recording:
    """Return a recording whose rows of failed frames are not used.

    Settings and figures are kept in its provenance.
    """
    if motion is None:
        return recording
    if motion.failed.any():
        recording = recording.exclude(motion.failed, FAILED)
    told = {**motion.settings.to_json(), **motion.figures()}
    return recording.with_step("motion", **told)


def write_shifts(path: str | Path, motion: Motion, rate: float | None = None) -> Path:
    """Write the shift of every frame, in pixels.

    Parameters
    ----------
    path : path
        Ending in .csv (one row per frame) or .npz (shifts of blocks, template
        and settings too).
    motion : Motion
    rate : float, optional
        Frames per second, for the times.

    Raises
    ------
    InvalidInput
        As `check_shifts_path`, or if it cannot be written.
    """
    from napari_cebra.io import replacing, write_decoded_csv

    path = check_shifts_path(path)
    frame = np.arange(motion.n_frames)
    columns: dict[str, Any] = {
        "frame": frame,
        "time_s": None if rate is None else frame / rate,
        "shift_y_px": motion.shifts[:, 0],
        "shift_x_px": motion.shifts[:, 1],
        "failed": motion.failed.astype(int),
        "correlation": motion.correlation,
        "confidence": motion.confidence,
    }
    if path.suffix.lower() == ".csv":
        return write_decoded_csv(path, columns)
    import json

    arrays = {name: values for name, values in columns.items() if values is not None}
    arrays |= {"template": motion.template}
    if motion.blocks is not None:
        arrays |= {
            "blocks_px": motion.blocks,
            "block_rows": motion.block_rows,
            "block_columns": motion.block_columns,
        }
    with replacing(path) as draft:
        settings = json.dumps(motion.settings.to_json())
        np.savez_compressed(draft, settings=settings, **arrays)
    return path


def check_shifts_path(path: str | Path) -> Path:
    """Return the path if shifts can be written in its format.

    Raises
    ------
    InvalidInput
        If it ends in neither .csv nor .npz, is there already, or there is no
        such folder.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".npz"):
        raise InvalidInput(
            f"Shifts are written as .csv or .npz, not {path.name}; change its ending."
        )
    if path.exists():
        raise InvalidInput(
            f"There is already a {path.name}, and no table is written over; choose "
            "another name."
        )
    if not path.absolute().parent.is_dir():
        raise InvalidInput(
            f"There is no folder {path.absolute().parent}; choose another folder."
        )
    return path
