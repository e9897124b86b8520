"""From raw and neuropil traces to dF/F with a baseline that can be looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces.baseline import (
    baseline,
    noise,
    rolling_maximin,
    rolling_percentile,
)
from napari_cebra.traces.bleaching import bleaching_curve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.recording import Recording

FLAG_SHARE = 0.05


@dataclass(frozen=True)
class DffSettings:
    """How dF/F is computed.

    Parameters
    ----------
    neuropil_coefficient : float
        Share r of the neuropil that is subtracted, 0 to 2.
    baseline : {"percentile", "maximin"}
        Rolling percentile, or suite2p's smoothed rolling minimum and maximum.
    window_s : float
        Length of the rolling window in seconds.
    percentile : float
        Percentile of the window that is taken for F0, 0 to 100.
    smooth_s : float
        Standard deviation in seconds of the Gaussian before the baseline, so
        that a low percentile finds quiet moments and not the noise.
    window_frames, smooth_frames : int, float
        Used instead where the frame rate is not known.
    follow_bleaching : bool
        Whether the exponential decay all ROIs share, if there is one, is
        divided out before the baseline is taken and put back on it.

    Raises
    ------
    InvalidInput
        If a value lies outside its range.
    """

    neuropil_coefficient: float = 0.7
    baseline: Literal["percentile", "maximin"] = "percentile"
    window_s: float = 60.0
    percentile: float = 8.0
    smooth_s: float = 0.33
    window_frames: int = 300
    smooth_frames: float = 3.0
    follow_bleaching: bool = True

    def __post_init__(self) -> None:
        if self.baseline not in ("percentile", "maximin"):
            raise InvalidInput(
                f"Unknown kind of baseline: {self.baseline!r}; choose percentile or "
                "maximin."
            )
        limits = {
            "neuropil_coefficient": (0, 2),
            "window_s": (0, np.inf),
            "percentile": (0, 100),
            "smooth_s": (0, np.inf),
            "window_frames": (1, np.inf),
            "smooth_frames": (0, np.inf),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (np.isfinite(value) and low <= value <= high):
                raise InvalidInput(
                    f"{name} must lie between {low} and {high}, not {value}."
                )

    def frames(self, rate: float | None) -> tuple[int, float]:
        """Return the window and the smoothing in frames at this rate."""
        if rate is None:
            return self.window_frames, self.smooth_frames
        return max(round(self.window_s * rate), 1), self.smooth_s * rate

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DffSettings:
        """Return the settings from `to_json`; what is not a setting is ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: stored[name] for name in stored if name in known})


@dataclass(frozen=True, eq=False)
class Dff:
    """dF/F and everything it was made of.

    Parameters
    ----------
    traces : Traces
        (T, N) dF/F as a share of F0.
    f0 : (T, N) float32
        Baseline, in counts.
    corrected : (T, N) float32
        Fluorescence after neuropil subtraction, in counts.
    noise : (N,) float32
        Standard deviation of the noise of `corrected`, in counts.
    flagged : (N,) bool
        ROIs whose F0 does not stand out of the noise in more than 5 % of the
        fit rows, or that never change: their dF/F is not to be trusted.
    """

    traces: Traces
    f0: np.ndarray
    corrected: np.ndarray
    noise: np.ndarray
    flagged: np.ndarray


def dff(
    raw: Traces,
    neuropil: Traces | None,
    settings: DffSettings | None = None,
    fit_rows: np.ndarray | None = None,
) -> Dff:
    """Compute dF/F that cannot blow up where the baseline is near zero.

    ``Fc = F - r (Fneu - median(Fneu))`` keeps F0 in counts;
    ``dF/F = (Fc - F0) / max(F0, noise)`` as in the Allen Institute's pipeline.
    ROIs that never change have dF/F 0.

    Parameters
    ----------
    raw, neuropil : Traces
        (T, N) counts; no neuropil is None.
    settings : DffSettings, optional
        Default: `DffSettings()`.
    fit_rows : (T,) bool, optional
        Rows that the neuropil median, the noise and the baseline may see; at
        least two. Default all. What is computed for these rows does not
        depend on any other.

    Returns
    -------
    Dff

    Raises
    ------
    InvalidInput
        If the shapes disagree or there are fewer than two fit rows.
    """
    settings = DffSettings() if settings is None else settings
    values = raw.values
    rows = _fit_rows(fit_rows, values.shape[0])
    if neuropil is None:
        corrected = values
    else:
        if neuropil.values.shape != values.shape:
            raise InvalidInput(
                f"The raw traces are {values.shape} but the neuropil is "
                f"{neuropil.values.shape}; extract both from the same ROIs."
            )
        middle = np.median(neuropil.values[rows], axis=0)
        share = np.float32(settings.neuropil_coefficient)
        corrected = values - share * (neuropil.values - middle)
    window, smooth = settings.frames(raw.rate)
    if settings.baseline == "maximin":
        rolling = rolling_maximin(window, smooth)
    else:
        rolling = rolling_percentile(window, settings.percentile, smooth)
    if settings.follow_bleaching:
        fade = bleaching_curve(corrected, rows, window).astype(np.float32)[:, None]
        f0 = fade * baseline(corrected / fade, rows, rolling, window)
    else:
        f0 = baseline(corrected, rows, rolling, window)
    sigma = noise(corrected, rows).astype(np.float32)
    still = np.ptp(values[rows], axis=0) == 0
    floor = np.where(still | (sigma <= 0), 1, sigma).astype(np.float32)
    change = (corrected - f0) / np.maximum(f0, floor)
    change[:, still] = 0
    flagged = still | ((f0[rows] <= sigma).mean(axis=0) > FLAG_SHARE)
    made_by = {"step": "dff", **settings.to_json()}
    traces = Traces(change, "dff", raw.rate, made_by)
    return Dff(traces, f0, corrected, sigma, flagged)


def recompute_dff(recording: Recording, fit_rows: np.ndarray) -> Recording:
    """Compute dF/F again with a baseline that sees only these rows.

    The settings are those the recording's traces were made with. A recording
    without raw counts, or whose traces are not our dF/F, is returned as it is.

    Parameters
    ----------
    recording : Recording
        T frames.
    fit_rows : (T,) bool
        For instance the training rows.

    Returns
    -------
    Recording
        With new `traces`; everything else is shared.
    """
    made_by = recording.traces.made_by
    if recording.raw is None or made_by.get("step") != "dff":
        return recording
    settings = DffSettings.from_json(made_by)
    made = dff(recording.raw, recording.neuropil, settings, fit_rows)
    return replace(recording, traces=made.traces)


def _fit_rows(fit_rows: np.ndarray | None, n_frames: int) -> np.ndarray:
    if fit_rows is None:
        return np.ones(n_frames, bool)
    rows = np.asarray(fit_rows, bool)
    if rows.shape != (n_frames,) or rows.sum() < 2:
        raise InvalidInput(
            f"The baseline needs one flag per frame and at least 2 rows to be fitted "
            f"on; got {int(rows.sum())} of {rows.size} rows for {n_frames} frames."
        )
    return rows
