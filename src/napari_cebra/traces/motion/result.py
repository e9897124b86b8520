"""What a registration found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_cebra.traces.motion.settings import MotionSettings

FAILED = "motion estimate failed"
"""Reason of the rows that are not used because of it."""


@dataclass(frozen=True)
class MotionQuality:
    """How well frames agree, before and after the correction.

    Measured on some frames, evenly spread over the stack.

    Parameters
    ----------
    correlation_before, correlation_after : float
        Median correlation (Pearson's r) of a frame with the mean of all.
    crispness_before, crispness_after : float
        Norm of the gradient of the mean image (counts), smoothed by one pixel
        against its noise: the larger, the sharper.
    n_frames : int
        Frames that were looked at.
    """

    correlation_before: float
    correlation_after: float
    crispness_before: float
    crispness_after: float
    n_frames: int

    @property
    def crispness_ratio(self) -> float:
        """Crispness after the correction in units of that before it."""
        if not self.crispness_before:
            return 1.0
        return self.crispness_after / self.crispness_before


@dataclass(frozen=True, eq=False)
class Motion:
    """Where the picture of each frame stands.

    What lies at ``p`` in the template lies at ``p + shifts[t]`` in frame t.

    Parameters
    ----------
    shifts : (T, 2) float64
        Displacement in pixels (y, x). Between the frames before and after it
        where the estimate of a frame failed.
    failed : (T,) bool
        Frames whose shift could not be told.
    correlation : (T,) float64
        Correlation (Pearson's r, smoothed pictures) of each frame, in place,
        with the template; 0 for a frame without structure.
    confidence : (T,) float64
        Height of the peak of the phase correlation in standard deviations of
        what chance gives.
    template : (Y, X) float32
        Mean of some corrected frames.
    shape : (Y, X)
        Size of a frame.
    blocks : (T, A, B, 2) float32, optional
        Displacement in pixels at the middle of each block, the frame's own
        included. None for a rigid registration.
    block_rows, block_columns : (A,), (B,) float64, optional
        Those middles, in pixels.
    quality : MotionQuality
    settings : MotionSettings
    """

    shifts: np.ndarray
    failed: np.ndarray
    correlation: np.ndarray
    confidence: np.ndarray
    template: np.ndarray
    shape: tuple[int, int]
    quality: MotionQuality
    blocks: np.ndarray | None = None
    block_rows: np.ndarray | None = None
    block_columns: np.ndarray | None = None
    settings: MotionSettings = field(default_factory=MotionSettings)

    @property
    def n_frames(self) -> int:
        """Number of frames, T."""
        return len(self.shifts)

    @property
    def n_failed(self) -> int:
        """Number of frames whose shift could not be told."""
        return int(self.failed.sum())

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Pixels at top, bottom, left and right that some frame does not show.

        There the corrected movie repeats the border of the frame.
        """
        places = self.shifts[:, None] if self.blocks is None else self.blocks
        low = np.minimum(places.reshape(-1, 2).min(axis=0), 0)
        high = np.maximum(places.reshape(-1, 2).max(axis=0), 0)
        top, left = np.ceil(-low).astype(int)
        bottom, right = np.ceil(high).astype(int)
        return int(top), int(bottom), int(left), int(right)

    def figures(self) -> dict[str, Any]:
        """Return the figures that are kept with what was made of it (JSON types)."""
        quality = self.quality
        return {
            "failed_frames": self.n_failed,
            "largest_shift_px": float(np.abs(self.shifts).max()),
            "correlation_before": quality.correlation_before,
            "correlation_after": quality.correlation_after,
            "crispness_ratio": quality.crispness_ratio,
        }
