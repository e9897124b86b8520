"""Frames in which the whole field of view jumps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.motion.result import FAILED
from napari_cebra.traces.noise import noise

if TYPE_CHECKING:
    from napari_cebra.recording import Recording

ARTEFACT = "artefact"
BAD_FRAME = "bad frame"
MIN_ROIS = 5
"""With fewer, an artefact cannot be told from activity."""


def artefact_frames(
    values: np.ndarray, rows: np.ndarray, threshold: float, window: int
) -> np.ndarray:
    """Return the (T,) frames in which the median ROI leaves its course.

    A flash of stimulus light, a closed shutter or a knock moves most ROIs at
    once; activity does not.

    Parameters
    ----------
    values : (T, N)
        Counts.
    rows : (T,) bool
        Rows that may be seen; no other is called an artefact.
    threshold : float
        Distance of the median ROI from its rolling median, in units of the
        noise of one ROI.
    window : int
        Frames of the rolling median; an artefact is shorter than half of it.

    Raises
    ------
    InvalidInput
        If there are fewer than `MIN_ROIS` ROIs.
    """
    return common_jumps(values, rows, window) > threshold


def common_jumps(values: np.ndarray, rows: np.ndarray, window: int) -> np.ndarray:
    """Return the (T,) distances that `artefact_frames` compares; 0 if not seen.

    Raises
    ------
    InvalidInput
        If there are fewer than `MIN_ROIS` ROIs.
    """
    if values.shape[1] < MIN_ROIS:
        raise InvalidInput(
            f"Artefacts are what most ROIs share, which {values.shape[1]} of them "
            f"cannot show; give at least {MIN_ROIS}, or set the artefact threshold to "
            "0."
        )
    sigma = noise(values, rows)
    moving = sigma > 0
    found = np.zeros(rows.size)
    if not moving.any():
        return found
    common = np.median(values[rows][:, moving] / sigma[moving], axis=1)
    size = min(window, common.size) | 1
    course = ndimage.percentile_filter(common, 50, size)
    found[rows] = np.abs(common - course)
    return found


def mark_artefacts(recording: Recording, frames: np.ndarray) -> Recording:
    """Return the recording with these frames, and no others, as artefacts.

    They keep their place and are not valid.
    """
    before = artefacts_of(recording)
    recording = replace(recording, valid=recording.valid | before)
    return recording.exclude(frames, ARTEFACT) if frames.any() else recording


def artefacts_of(recording: Recording) -> np.ndarray:
    """Return the (T,) frames that are marked as artefacts."""
    return frames_marked(recording, ARTEFACT)


def bad_frames_of(recording: Recording) -> np.ndarray:
    """Return the (T,) frames that no fit may see, whatever the settings.

    Those that were known to be bad when they were loaded, and those whose motion
    could not be estimated.
    """
    return frames_marked(recording, BAD_FRAME) | frames_marked(recording, FAILED)


def frames_marked(recording: Recording, reason: str) -> np.ndarray:
    """Return the (T,) frames that are not used for this reason."""
    if reason not in recording.reasons:
        return np.zeros(recording.n_frames, bool)
    return recording.invalid_because == recording.reasons.index(reason)
