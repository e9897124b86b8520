"""From raw and neuropil traces to dF/F with a baseline that can be looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces.artefacts import artefact_frames, artefacts_of, bad_frames_of
from napari_cebra.traces.baseline import (
    baseline,
    rolling_maximin,
    rolling_median,
    rolling_percentile,
)
from napari_cebra.traces.bleaching import bleaching_curve
from napari_cebra.traces.deconvolve import Events, deconvolve
from napari_cebra.traces.dff_result import Dff
from napari_cebra.traces.neuropil import at_bounds, coefficients
from napari_cebra.traces.noise import filtered_noise, noise
from napari_cebra.traces.settings import DffSettings

if TYPE_CHECKING:
    from napari_cebra.recording import Recording
    from napari_cebra.recording.traces import TraceKind

FLAG_SHARE = 0.05
_NOISE_SECONDS, _NOISE_FRAMES = 3.333, 101  # of the Allen pipelines' noise
JUMP_SECONDS, JUMP_FRAMES = 1.0, 31  # against which an artefact stands out


def dff(
    raw: Traces,
    neuropil: Traces | None,
    settings: DffSettings | None = None,
    fit_rows: np.ndarray | None = None,
    artefacts: np.ndarray | None = None,
    fade: np.ndarray | None = None,
    coefficient: np.ndarray | None = None,
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
    fade : (T,) float64, optional
        Bleaching that all ROIs share, to be followed; default fitted to their
        mean, if ``settings.follow_bleaching``.
    coefficient : (N,), optional
        Neuropil coefficients that were fitted before; default as settings say.

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
    r = coefficient
    if r is None:
        r = coefficients(values, neuropil, settings, rows)
    at_bound = at_bounds(r, settings) & (neuropil is not None)
    corrected = values
    if neuropil is not None:
        around = neuropil.values
        if settings.neuropil_centred:
            around = around - np.median(around[rows], axis=0)
        corrected = values - r.astype(np.float32) * around
    if not settings.follow_bleaching:
        fade = None
    elif fade is None:
        fade = bleaching_curve(corrected, rows, settings.frames(rate)[0])
    f0 = _f0(corrected, settings, rows, rate, fade)
    if settings.baseline == "median":
        window = frames_of(_NOISE_SECONDS, _NOISE_FRAMES, rate)
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
    return Dff(
        *(traces, change, f0, corrected, sigma, flagged, r, at_bound, ~bad, events),
        fade,
    )


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
    rows = np.asarray(fit_rows, bool) & ~bad_frames_of(recording)
    made = dff(recording.raw, recording.neuropil, settings, rows, bad)
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
    window = frames_of(JUMP_SECONDS, JUMP_FRAMES, rate)
    return artefact_frames(values, rows, settings.artefact_threshold, window)


def _f0(
    corrected: np.ndarray,
    settings: DffSettings,
    rows: np.ndarray,
    rate: float | None,
    fade: np.ndarray | None,
) -> np.ndarray:
    window, smooth = settings.frames(rate)
    if settings.baseline == "maximin":
        rolling = rolling_maximin(window, smooth)
    elif settings.baseline == "median":
        around = frames_of(_NOISE_SECONDS, _NOISE_FRAMES, rate)
        rolling = rolling_median(window, settings.percentile, around)
    else:
        rolling = rolling_percentile(window, settings.percentile, smooth)
    if fade is None:
        return baseline(corrected, rows, rolling, window)
    fade = fade.astype(np.float32)[:, None]
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


def frames_of(seconds: float, frames: int, rate: float | None) -> int:
    """Return seconds as frames; `frames` where the rate is not known."""
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
