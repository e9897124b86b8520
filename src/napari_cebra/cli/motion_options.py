"""How motion is corrected, on the command line."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cebra.traces.motion import MotionSettings


def add_motion_options(group: argparse._ArgumentGroup, default: str = "none") -> None:
    """Add the options of the group "motion"."""
    add = group.add_argument
    add(
        "--motion",
        choices=("none", "rigid", "piecewise"),
        help="undo the motion of --stack before extraction: one shift per frame, or "
        f"in addition one per block (default {default})",
    )
    add(
        "--max-shift",
        type=_shift,
        metavar="SHIFT",
        help="largest shift looked for: a share of the frame's shorter side (10%%, the "
        "default) or pixels (40px)",
    )
    add(
        "--high-pass",
        dest="high_pass_px",
        type=float,
        metavar="PX",
        help="take wider structure out first, for one-photon movies: about the radius "
        "of a cell in pixels (default 0: off)",
    )
    add(
        "--smooth-frames",
        type=float,
        metavar="N",
        help="average about so many frames to find shifts, where one shows next to "
        "nothing (default 0: off)",
    )
    add(
        "--block",
        dest="block_px",
        type=int,
        metavar="PX",
        help="side of the blocks of --motion piecewise (default 128)",
    )
    add(
        "--whole-pixels",
        dest="interpolation",
        action="store_const",
        const="nearest",
        help="move frames by whole pixels, which leaves their values as recorded",
    )


def motion_settings(
    base: MotionSettings | None, chosen: argparse.Namespace
) -> MotionSettings | None:
    """Return the settings with what was chosen; None for no correction."""
    from napari_cebra.recording import InvalidInput
    from napari_cebra.traces.motion import MotionSettings

    names = ("high_pass_px", "smooth_frames", "block_px", "interpolation")
    changes: dict[str, Any] = {
        name: getattr(chosen, name)
        for name in names
        if getattr(chosen, name) is not None
    }
    if chosen.max_shift is not None:
        changes["max_shift"], changes["max_shift_unit"] = chosen.max_shift
    if chosen.motion == "none":
        return None
    if chosen.motion is not None:
        changes["kind"] = chosen.motion
    elif base is None:
        if changes:
            raise InvalidInput(
                "Settings of the motion correction were given, but no correction was "
                "asked for; add --motion rigid or --motion piecewise."
            )
        return None
    return replace(MotionSettings() if base is None else base, **changes)


def _shift(text: str) -> tuple[float, str]:
    for ending, unit, scale in (("%", "share", 0.01), ("px", "px", 1.0)):
        if text.endswith(ending):
            try:
                return float(text.removesuffix(ending)) * scale, unit
            except ValueError:
                break
    raise argparse.ArgumentTypeError(f"{text!r} is neither a share (10%) nor 40px")
