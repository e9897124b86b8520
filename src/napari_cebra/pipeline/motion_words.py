"""What a registration found, in sentences: alike in the window and in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.traces.motion import Motion

_NO_WORSE = 0.002  # of a correlation
_HARDLY = 0.3  # pixels


def motion_lines(motion: Motion) -> tuple[str, ...]:
    """Return shifts, quality, failed frames and borders, one sentence each."""
    return (
        shift_text(motion),
        quality_text(motion),
        failed_text(motion),
        *border_text(motion),
    )


def median_shift(motion: Motion) -> float:
    """Return how far the median frame stands from the template, in pixels."""
    return float(np.median(np.hypot(*motion.shifts.T)))


def short_text(motion: Motion) -> str:
    """Return the median shift and how many frames failed, for a headline."""
    n = motion.n_failed
    failed = f", {n} frame{'' if n == 1 else 's'} failed" if n else ""
    return f"{median_shift(motion):.2g} px median{failed}"


def shift_text(motion: Motion) -> str:
    """Return how far frames moved."""
    most = np.hypot(*motion.shifts.T).max()
    text = f"Frames moved by {median_shift(motion):.2g} px (median), at most {most:.2g}"
    if motion.blocks is not None:
        rest = motion.blocks - motion.shifts[:, None, None]
        far = np.hypot(rest[..., 0], rest[..., 1])
        text += f"; blocks by up to {far.max():.2g} px more"
    return text + "."


def quality_text(motion: Motion) -> str:
    """Return how much better frames agree, and whether to believe it."""
    quality = motion.quality
    before, after = quality.correlation_before, quality.correlation_after
    crisper = 100 * (quality.crispness_ratio - 1)
    sharp = f"{abs(crisper):.0f} % {'crisper' if crisper > 0 else 'less crisp'}"
    text = f"Correlation of a frame with the mean image {before:.3f} → {after:.3f}; "
    text += f"the mean image is {sharp}."
    if after < before - _NO_WORSE:
        text += " Frames agree less than before: leave the correction off."
    elif _hardly_moves(motion):
        text += " There is hardly any motion to correct"
        text += "." if is_worthwhile(motion) else ": leave the correction off."
    return text


def is_worthwhile(motion: Motion) -> bool:
    """Whether to use the correction, unless somebody asked for it."""
    quality = motion.quality
    if quality.correlation_after < quality.correlation_before - _NO_WORSE:
        return False
    return quality.crispness_ratio > 1 or not _hardly_moves(motion)


def _hardly_moves(motion: Motion) -> bool:
    quality = motion.quality
    gained = quality.correlation_after - quality.correlation_before
    return gained < _NO_WORSE or np.abs(motion.shifts).max() < _HARDLY


def failed_text(motion: Motion) -> str:
    """Return how many frames could not be registered, and what becomes of them."""
    n, total = motion.n_failed, motion.n_frames
    if n == 0:
        return f"All {total} frames were registered."
    their, rows = ("its", "its row") if n == 1 else ("their", "their rows")
    return (
        f"{n} of {total} frames could not be registered: {their} shift is taken from "
        f"the frames before and after, and {rows} will not be used. "
        "Extraction still refuses a frame with a NaN pixel, failed or not: fill it."
    )


def border_text(motion: Motion) -> tuple[str, ...]:
    """Return where the corrected movie repeats the border of a frame, if anywhere."""
    sides = zip(("top", "bottom", "left", "right"), motion.margins, strict=True)
    named = [f"{n} px at the {side}" for side, n in sides if n]
    if not named:
        return ()
    return (
        f"Where some frame does not reach ({', '.join(named)}) its border is repeated: "
        "draw no ROIs there.",
    )
