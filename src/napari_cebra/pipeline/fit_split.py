"""Which rows a fit learns from, and whether its window fits into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.decoding import Split, validation_split
from napari_cebra.recording import InvalidInput, complete_windows

if TYPE_CHECKING:
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.target import Target
    from napari_cebra.recording import Recording


def fit_split(
    recording: Recording, target: Target | None, config: PipelineConfig
) -> Split:
    """Return the split of a fit; needs no PyTorch.

    Parameters
    ----------
    recording : Recording
    target : Target or None
    config : PipelineConfig
        With its training given.

    Raises
    ------
    InvalidInput
        If the receptive field is longer than every stretch to train on (the text
        says the longest that is not), or the rows are too few.
    """
    frames = sum(config.receptive_field)
    try:
        return _split(recording, target, config, frames)
    except InvalidInput:
        longest = _longest(recording, target, config, frames)
        if longest == 0:  # of any length: it is not the window that does not fit
            raise
    rate = recording.rate
    raise InvalidInput(
        f"The receptive field of {in_words(frames, rate)} leaves no stretch to train "
        "on, without the border of a trial, an unused row or a held-out part; the "
        f"longest possible here is {in_words(longest, rate)}: choose it or a shorter "
        "one."
    )


def in_words(frames: int, rate: float | None) -> str:
    """Return a number of frames with the seconds they last, where known."""
    count = f"{frames} frame{'s' if frames != 1 else ''}"
    return count if rate is None else f"{seconds_in_words(frames / rate)} ({count})"


def seconds_in_words(seconds: float) -> str:
    """Return seconds as a person reads them: "0.33 s", "12 s", "400 s"."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _split(
    recording: Recording, target: Target | None, config: PipelineConfig, frames: int
) -> Split:
    """Return the split of a fit with a receptive field of so many frames."""
    gap = config.decoding.gap((frames, 0), recording.rate)
    usable = recording.valid
    if target is not None and target.stimulus is not None:
        split = target.folds(recording, gap, config.decoding.n_blocks)[-1]
    else:
        if target is not None and config.target.mode != "time":
            usable = usable & target.known
        split = validation_split(usable, gap, recording.trials)
    stretch = split.choosing(recording.stretches)
    left = frames // 2
    if not complete_windows(stretch, left, frames - left)[split.train].any():
        raise InvalidInput(f"No stretch to train on has {frames} frames.")
    return split


def _longest(
    recording: Recording, target: Target | None, config: PipelineConfig, frames: int
) -> int:
    """Return the longest receptive field below `frames` that fits; 0 for none."""
    fits, too_long = 0, frames
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        try:
            _split(recording, target, config, middle)
        except InvalidInput:
            too_long = middle
        else:
            fits = middle
    return fits
