"""From raw and neuropil traces to dF/F with a baseline that can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces import neuropil as neuropil_fits
from napari_cebra.traces.artefacts import artefact_frames, artefacts_of
from napari_cebra.traces.baseline import (
    baseline,
    rolling_maximin,
    rolling_median,
    rolling_percentile,
)
from napari_cebra.traces.bleaching import bleaching_curve
from napari_cebra.traces.deconvolve import Events, deconvolve
from napari_cebra.traces.noise import filtered_noise, noise
from napari_cebra.traces.settings import DffSettings

if TYPE_CHECKING:
    from napari_cebra.recording import Recording
    from napari_cebra.recording.traces import TraceKind

FLAG_SHARE = 0.05
_NOISE_SECONDS, _NOISE_FRAMES = 3.333, 101  # of the Allen pipelines' noise
_JUMP_SECONDS, _JUMP_FRAMES = 1.0, 31  # against which an artefact stands out


@dataclass(frozen=True, eq=False)
class Dff:
    """dF/F and everything it was made of.

    Parameters
    ----------
    traces : Traces
        (T, N) what was asked for: dF/F as a share of F0, F - F0 in counts, or
        events; 0 where events are not known, in artefacts.
    change : (T, N) float32
        dF/F (or F - F0), also where `traces` holds events.
    f0 : (T, N) float32
        Baseline, in counts.
    corrected : (T, N) float32
        Fluorescence after neuropil subtraction, in counts.
    noise : (N,) float32
        Standard deviation of the noise of `corrected`, in counts.
    flagged : (N,) bool
        ROIs whose F0 does not stand out of the noise in more than 5 % of the
        fit rows, or that never change: their dF/F is not to be trusted.
    coefficient : (N,) float64
        Share of the neuropil that was subtracted; 0 without neuropil.
    at_bound : (N,) bool
        ROIs whose fitted coefficient ended at the edge of what is allowed.
    valid : (T,) bool
        False in artefacts, which no fit has seen.
    events : Events or None
        What deconvolution found, with its noise and decay.
    """

    traces: Traces
    change: np.ndarray
    f0: np.ndarray
    corrected: np.ndarray
    noise: np.ndarray
    flagged: np.ndarray
    coefficient: np.ndarray
    at_bound: np.ndarray
    valid: np.ndarray
    events: Events | None = None

    def warnings(self) -> dict[int, tuple[str, ...]]:
        """Return what is to be said about single ROIs, by column."""
        said: dict[int, tuple[str, ...]] = {}
        for k in np.flatnonzero(self.flagged | self.at_bound):
            lines = []
            if self.flagged[k]:
                lines.append(
                    "F0 does not stand out of the noise, so its dF/F is not to be "
                    "trusted."
                )
            if self.at_bound[k]:
                lines.append(
                    f"The fitted neuropil coefficient ended at its bound, "
                    f"{self.coefficient[k]:g}; look at its ring, or use a fixed one."
                )
            said[int(k)] = tuple(lines)
        return said


def dff(
    raw: Traces,
    neuropil: Traces | None,
    settings: DffSettings | None = None,
    fit_rows: np.ndarray | None = None,
    artefacts: np.ndarray | None = None,
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
        Rows that the neuropil, the noise, the baseline and the decay may see;
        at least two. Default all. What is computed for these rows does not
        depend on any other.
    artefacts : (T,) bool, optional
        Bad frames, left out of every fit. Default: those that
        ``settings.artefact_threshold`` finds among the fit rows.

    Returns
    -------
    Dff

    Raises
    ------
    InvalidInput
        If the shapes disagree or there are fewer than two fit rows.
    """
    settings = DffSettings() if settings is None else settings
    values, rate = raw.values, raw.rate
    if neuropil is not None and neuropil.values.shape != values.shape:
        raise InvalidInput(
            f"The raw traces are {values.shape} but the neuropil is "
            f"{neuropil.values.shape}; extract both from the same ROIs."
        )
    rows = _fit_rows(fit_rows, values.shape[0])
    bad = _artefacts(values, rows, settings, rate, artefacts)
    shown, rows = rows, _fit_rows(rows & ~bad, values.shape[0])
    r, at_bound = _coefficients(values, neuropil, settings, rows, rate)
    corrected = values
    if neuropil is not None:
        around = neuropil.values
        if settings.neuropil_centred:
            around = around - np.median(around[rows], axis=0)
        corrected = values - r.astype(np.float32) * around
    f0 = _f0(corrected, settings, rows, rate)
    if settings.baseline == "median":
        window = _frames(_NOISE_SECONDS, _NOISE_FRAMES, rate)
        sigma = np.array([filtered_noise(trace, window) for trace in corrected[rows].T])
    else:
        sigma = noise(corrected, rows)
    sigma = sigma.astype(np.float32)
    still = np.ptp(values[rows], axis=0) == 0
    change = corrected - f0
    if settings.divide_by == "F0":
        # No count is known better than it was rounded.
        least = np.finfo(np.float32).eps * np.abs(corrected[rows]).max(axis=0)
        floor = np.maximum(sigma, least)
        floor = np.where(still | (sigma <= 0), 1, floor).astype(np.float32)
        change /= np.maximum(f0, floor)
    change[:, still] = 0
    flagged = still | ((f0[rows] <= sigma).mean(axis=0) > FLAG_SHARE)
    kind: TraceKind = "dff" if settings.divide_by == "F0" else "other"
    traces = Traces(change, kind, rate, {"step": "dff", **settings.to_json()})
    events = None
    if settings.deconvolve:
        events = _events(change, settings, shown, bad, rate)
        found = np.nan_to_num(events.values, nan=0.0)
        traces = replace(traces, values=found, kind="events")
    return Dff(traces, change, f0, corrected, sigma, flagged, r, at_bound, ~bad, events)


def recompute_dff(recording: Recording, fit_rows: np.ndarray) -> Recording:
    """Compute dF/F (or events) again with fits that see only these rows.

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
    bad = artefacts_of(recording)
    made = dff(recording.raw, recording.neuropil, settings, fit_rows, bad)
    return replace(recording, traces=made.traces)


def _artefacts(
    values: np.ndarray,
    rows: np.ndarray,
    settings: DffSettings,
    rate: float | None,
    given: np.ndarray | None,
) -> np.ndarray:
    if given is not None:
        bad = np.asarray(given, bool)
        if bad.shape != rows.shape:
            raise InvalidInput(
                f"The artefacts need one flag per frame, {rows.size}, not {bad.shape}."
            )
        return bad
    if settings.artefact_threshold == 0:
        return np.zeros(rows.size, bool)
    window = _frames(_JUMP_SECONDS, _JUMP_FRAMES, rate)
    return artefact_frames(values, rows, settings.artefact_threshold, window)


def _coefficients(
    values: np.ndarray,
    neuropil: Traces | None,
    settings: DffSettings,
    rows: np.ndarray,
    rate: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return r (N,) and where a fit of it ended at a bound."""
    n = values.shape[1]
    if neuropil is None:
        return np.zeros(n), np.zeros(n, bool)
    if settings.neuropil == "fixed":
        return np.full(n, settings.neuropil_coefficient), np.zeros(n, bool)
    if settings.neuropil == "Allen":
        r = neuropil_fits.allen(values, neuropil.values, rows)
        bounds = neuropil_fits.ALLEN_BOUNDS
    else:
        window, _ = settings.frames(rate)
        r = neuropil_fits.regression(values, neuropil.values, rows, window)
        bounds = neuropil_fits.REGRESSION_BOUNDS
    return r, np.isin(r, bounds)


def _f0(
    corrected: np.ndarray, settings: DffSettings, rows: np.ndarray, rate: float | None
) -> np.ndarray:
    window, smooth = settings.frames(rate)
    if settings.baseline == "maximin":
        rolling = rolling_maximin(window, smooth)
    elif settings.baseline == "median":
        around = _frames(_NOISE_SECONDS, _NOISE_FRAMES, rate)
        rolling = rolling_median(window, settings.percentile, around)
    else:
        rolling = rolling_percentile(window, settings.percentile, smooth)
    if not settings.follow_bleaching:
        return baseline(corrected, rows, rolling, window)
    fade = bleaching_curve(corrected, rows, window).astype(np.float32)[:, None]
    return fade * baseline(corrected / fade, rows, rolling, window)


def _events(
    change: np.ndarray,
    settings: DffSettings,
    rows: np.ndarray,
    bad: np.ndarray,
    rate: float | None,
) -> Events:
    """Deconvolve the fit rows, and the others apart: neither sees the other."""
    found = deconvolve(
        change,
        settings.decay(rate),
        rows=rows & ~bad,
        noise_constraint=settings.noise_constraint,
        minimal_event=settings.minimal_event,
        nonnegative=settings.nonnegative_calcium,
    )
    others = ~rows & ~bad
    if not others.any():
        return found
    rest = deconvolve(
        change,
        found.decay_frames,
        rows=others,
        noise=found.noise,
        penalty=found.penalty,
        minimal_event=settings.minimal_event,
        nonnegative=settings.nonnegative_calcium,
    )
    return replace(
        found,
        values=np.where(others[:, None], rest.values, found.values),
        calcium=np.where(others[:, None], rest.calcium, found.calcium),
    )


def _frames(seconds: float, frames: int, rate: float | None) -> int:
    return frames if rate is None else max(int(seconds * rate), 1)


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
