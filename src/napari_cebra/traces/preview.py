"""dF/F of one ROI as the settings change, at the speed of a slider."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces.artefacts import MIN_ROIS, common_jumps
from napari_cebra.traces.bleaching import fade_of_mean
from napari_cebra.traces.dff import JUMP_FRAMES, JUMP_SECONDS, dff, frames_of
from napari_cebra.traces.neuropil import coefficients

if TYPE_CHECKING:
    from napari_cebra.traces.dff_result import Dff
    from napari_cebra.traces.settings import DffSettings


@dataclass(frozen=True, eq=False)
class SharedCourse:
    """What takes all ROIs to know, so that one can be computed without the others.

    Parameters
    ----------
    raw : (T,) float64
        Mean of the counts of all ROIs.
    neuropil : (T,) float64 or None
        Mean of their surrounds.
    level : float
        Mean of the medians of the surrounds.
    jumps : (T,) float64 or None
        How far the median ROI leaves its course, see `common_jumps`; None with
        too few ROIs to tell.
    """

    raw: np.ndarray
    neuropil: np.ndarray | None
    level: float
    jumps: np.ndarray | None


def shared_course(
    raw: Traces, neuropil: Traces | None, rows: np.ndarray
) -> SharedCourse:
    """Look once at all ROIs; long only where there are many.

    Parameters
    ----------
    raw, neuropil : Traces
        (T, N) counts.
    rows : (T,) bool
        Frames that are not bad.
    """
    window = frames_of(JUMP_SECONDS, JUMP_FRAMES, raw.rate)
    jumps = None
    if raw.n_rois >= MIN_ROIS:
        jumps = common_jumps(raw.values, rows, window)
    mean = raw.values.mean(axis=1, dtype=np.float64)
    if neuropil is None:
        return SharedCourse(mean, None, 0.0, jumps)
    around = neuropil.values
    level = float(np.median(around[rows], axis=0).mean())
    return SharedCourse(mean, around.mean(axis=1, dtype=np.float64), level, jumps)


class Preview:
    """Computes one ROI as `dff` of all would, as far as one ROI can tell.

    With a fixed neuropil coefficient the result is that of `dff` to rounding. A
    fitted one, kept until something it was fitted by changes, is taken for that
    of all ROIs where the bleaching they share is followed.

    Parameters
    ----------
    raw, neuropil : Traces
        (T, N) counts.
    shared : SharedCourse
        From the same traces.
    rows : (T,) bool
        Frames that are not bad.
    """

    def __init__(
        self,
        raw: Traces,
        neuropil: Traces | None,
        shared: SharedCourse,
        rows: np.ndarray,
    ) -> None:
        self.raw, self.neuropil, self.shared, self.rows = raw, neuropil, shared, rows
        self._fitted: dict[tuple[object, ...], np.ndarray] = {}

    def of(self, column: int, settings: DffSettings) -> Dff:
        """Return the ROI of this column, as the only one.

        Raises
        ------
        InvalidInput
            As `dff`.
        """
        own, around = one_column(self.raw, column), one_column(self.neuropil, column)
        assert own is not None
        bad = self._artefacts(settings.artefact_threshold)
        seen = self.rows & ~bad
        r = self._coefficient(column, own, around, settings, seen)
        fade = None
        if settings.follow_bleaching:
            mean = self.shared.raw
            if self.shared.neuropil is not None:
                level = self.shared.level if settings.neuropil_centred else 0.0
                mean = mean - r[0] * (self.shared.neuropil - level)
            fade = fade_of_mean(mean, seen, settings.frames(own.rate)[0])
        return dff(own, around, settings, self.rows, bad, fade, r)

    def _artefacts(self, threshold: float) -> np.ndarray:
        if threshold == 0:
            return np.zeros(self.rows.size, bool)
        if self.shared.jumps is None:
            raise InvalidInput(
                f"Artefacts are told from activity by at least {MIN_ROIS} ROIs; set "
                "the artefact threshold to 0."
            )
        return self.shared.jumps > threshold

    def _coefficient(
        self,
        column: int,
        own: Traces,
        around: Traces | None,
        settings: DffSettings,
        seen: np.ndarray,
    ) -> np.ndarray:
        if around is None or settings.neuropil == "fixed":
            return coefficients(own.values, around, settings, seen)
        window = settings.frames(own.rate)[0] if settings.neuropil == "fitted" else 0
        key = (column, settings.neuropil, window, settings.artefact_threshold)
        if key not in self._fitted:
            self._fitted[key] = coefficients(own.values, around, settings, seen)
        return self._fitted[key]


def one_column(traces: Traces | None, column: int) -> Traces | None:
    """Return the traces of one ROI; None of none."""
    if traces is None:
        return None
    return replace(traces, values=traces.values[:, column : column + 1])
