"""Which rows a fit learns from, and whether its window fits into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import Split, validation_split
from napari_cebra.recording import InvalidInput, segments

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
        If the receptive field is longer than every stretch to train on, or
        the rows are too few.
    """
    gap = config.gap(recording.rate)
    usable = recording.valid
    if target is not None and target.stimulus is not None:
        split = target.folds(recording, gap, config.decoding.n_blocks)[-1]
    else:
        if target is not None and config.target.mode != "time":
            usable = usable & target.known
        _check_window(recording, usable, config)  # before the gap it is part of
        split = validation_split(usable, gap, recording.trials)
    _check_window(recording, split.train, config)
    return split


def in_words(frames: int, rate: float | None) -> str:
    """Return a number of frames with the seconds they last, where known."""
    count = f"{frames} frame{'s' if frames != 1 else ''}"
    return count if rate is None else f"{seconds_in_words(frames / rate)} ({count})"


def seconds_in_words(seconds: float) -> str:
    """Return seconds as a person reads them: "0.33 s", "12 s", "400 s"."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _check_window(
    recording: Recording, rows: np.ndarray, config: PipelineConfig
) -> None:
    """Refuse a window that no stretch of these rows holds."""
    frames = sum(config.receptive_field)
    stretch = segments(recording.trials, recording.valid & rows)
    used = stretch[stretch >= 0]
    longest = int(np.bincount(used).max()) if used.size else 0
    if frames > longest > 0:
        rate = recording.rate
        raise InvalidInput(
            f"The receptive field of {in_words(frames, rate)} is longer than the "
            f"longest stretch to train on, {in_words(longest, rate)} without the "
            "border of a trial, an unused row or a held-out part; choose a shorter one."
        )
