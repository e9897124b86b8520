"""The only code that turns one time axis into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.recording import Recording


class IndexMap:
    """Imaging frames, drawn latent points, stimulus frames and seconds.

    Every valid imaging frame may have a latent; at most `max_points` of the
    latents are drawn, evenly thinned out. *Points* are positions in what is
    drawn; everything else is in imaging frames.

    Parameters
    ----------
    n_frames : int
        Imaging frames, T.
    has_latent : (T,) bool, optional
        Frames that have a latent; default none.
    frame_times : (T,) float64, optional
        Seconds; None where the rate is not known.
    shown : (T,) int64, optional
        Stimulus frame at each imaging frame, -1 = none.
    max_points : int
        Most points drawn.
    """

    def __init__(
        self,
        n_frames: int,
        *,
        has_latent: np.ndarray | None = None,
        frame_times: np.ndarray | None = None,
        shown: np.ndarray | None = None,
        max_points: int = 20_000,
    ) -> None:
        self.n_frames = int(n_frames)
        self._times = frame_times
        self._shown = shown
        rows = (
            np.zeros(0, np.int64)
            if has_latent is None
            else np.flatnonzero(np.asarray(has_latent, bool))
        )
        self.latent_frames: np.ndarray = rows
        if rows.size > max_points:
            rows = rows[np.linspace(0, rows.size - 1, max_points).round().astype(int)]
        self.point_frames: np.ndarray = rows

    @classmethod
    def of(
        cls,
        recording: Recording,
        latents: np.ndarray | None = None,
        max_points: int = 20_000,
    ) -> IndexMap:
        """Build from a recording and its (T, D) latents (NaN rows have none)."""
        stimulus = recording.stimulus
        return cls(
            recording.n_frames,
            has_latent=None if latents is None else np.isfinite(latents[:, 0]),
            frame_times=recording.frame_times,
            shown=None if stimulus is None else stimulus.shown,
            max_points=max_points,
        )

    @property
    def n_latents(self) -> int:
        """Number of imaging frames that have a latent."""
        return self.latent_frames.size

    @property
    def n_points(self) -> int:
        """Number of latents drawn."""
        return self.point_frames.size

    @property
    def thinned(self) -> bool:
        """True where not every latent is drawn."""
        return self.n_points < self.n_latents

    def frame_of_point(self, point: int) -> int:
        """Return the imaging frame of a drawn point."""
        return int(self.point_frames[point])

    def point_of_frame(self, frame: int) -> int:
        """Return the point drawn for this frame, else the nearest; -1 if none."""
        if self.n_points == 0:
            return -1
        right = int(np.searchsorted(self.point_frames, frame))
        if right == 0:
            return 0
        if right == self.n_points:
            return self.n_points - 1
        before, after = self.point_frames[right - 1], self.point_frames[right]
        return right if after - frame < frame - before else right - 1

    def points_of_frames(self, frames: np.ndarray) -> np.ndarray:
        """Return the points drawn among these imaging frames, without others."""
        return np.flatnonzero(np.isin(self.point_frames, frames))

    def seconds(self, frame: int) -> float | None:
        """Return the time of an imaging frame; None where no clock is known."""
        return None if self._times is None else float(self._times[frame])

    def frame_at(self, seconds: float) -> int:
        """Return the imaging frame on at a time: the last that has begun.

        Without a clock the argument is taken as a frame number.
        """
        if self._times is None:
            frame = round(seconds)
        else:
            frame = int(np.searchsorted(self._times, seconds, side="right")) - 1
        return min(max(frame, 0), max(self.n_frames - 1, 0))

    def stimulus_frame(self, frame: int) -> int:
        """Return the stimulus frame shown at an imaging frame, -1 = none."""
        return -1 if self._shown is None else int(self._shown[frame])

    def frames_showing(self, stimulus_frame: int) -> np.ndarray:
        """Return all imaging frames at which this stimulus frame was shown."""
        if self._shown is None or stimulus_frame < 0:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self._shown == stimulus_frame)
