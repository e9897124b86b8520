"""From a calcium trace to events: OASIS with one decay per ROI."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.blocks import default_threads
from napari_cebra.traces.noise import spectral_noise
from napari_cebra.traces.oasis import oasis

if TYPE_CHECKING:
    from collections.abc import Callable

LAGS = 5
"""Lags of the autocovariance from which the decay is estimated."""


@dataclass(frozen=True, eq=False)
class Events:
    """What deconvolution found; NaN in frames it was not shown.

    Parameters
    ----------
    values : (T, N) float32
        Size of the event in each frame, in the units of the trace: the jump of
        the calcium. Arbitrary units, not a number of spikes.
    calcium : (T, N) float32
        The trace without its noise.
    noise : (N,) float64
        Standard deviation of the noise, in the units of the trace.
    decay_frames : (N,) float64
        Time constant of the decay in frames.
    penalty : (N,) float64
        Price of a unit of events, as given or as the noise required it.
    decay_found : (N,) bool
        False where an estimate of the decay ended at a bound: the trace does not
        look like calcium that decays, and its events are not to be trusted.
    """

    values: np.ndarray
    calcium: np.ndarray
    noise: np.ndarray
    decay_frames: np.ndarray
    penalty: np.ndarray
    decay_found: np.ndarray

    @property
    def in_noise(self) -> np.ndarray:
        """(T, N) events in units of the noise of their trace; 0 without noise."""
        scale = np.where(self.noise > 0, self.noise, np.inf).astype(np.float32)
        return self.values / scale


def deconvolve(
    values: np.ndarray,
    decay_frames: float | np.ndarray | None = None,
    *,
    rows: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    penalty: float | np.ndarray = 0.0,
    noise_constraint: bool = False,
    minimal_event: float = 0.0,
    nonnegative: bool = True,
    threads: int | None = None,
    compiled: bool | None = None,
) -> Events:
    """Find the events that, each decaying exponentially, make up the traces.

    OASIS with an AR(1) model (Friedrich, Zhou & Paninski 2017, PLoS Comput Biol
    13:e1005423): ``1/2 |c - y|^2 + penalty sum s`` is minimised over calcium
    ``c >= 0`` and events ``s[t] = c[t] - exp(-1 / decay) c[t - 1] >= 0``.

    Through frames that are not shown calcium decays on, and their events are
    found in the next frame that is. After a gap longer than the decay, as at
    the very start, the calcium that is there is not called an event.

    Parameters
    ----------
    values : (T, N)
        Traces whose baseline is 0; a value that is not finite is not seen.
    decay_frames : float or (N,), optional
        Time constant in frames; default from `estimate_decay`.
    rows : (T,) bool, optional
        Frames that are shown; the others do not influence the result.
        Default all.
    noise : (N,), optional
        Standard deviation of the noise; default from the power spectrum.
    penalty : float or (N,)
        Price of a unit of events, in the units of the traces.
    noise_constraint : bool
        Raise the penalty until the residual is as large as the noise,
        ``|c - y|^2 = T noise^2``: the fewest events that the noise allows.
    minimal_event : float
        Smallest event, in units of the noise; excludes `noise_constraint`.
    nonnegative : bool
        Keep the calcium, as well as the events, from being negative. suite2p
        does not: what lies below its baseline rises to 0 by itself.
    threads : int, optional
        Default: the cores we have, at most 4.
    compiled : bool, optional
        Default: where numba is installed. Both give the same numbers.

    Returns
    -------
    Events

    Raises
    ------
    InvalidInput
        If shapes disagree or a value is out of range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise InvalidInput(
            f"Events are found in a table of numbers (T, N), not {values.dtype} of "
            f"shape {values.shape}."
        )
    n_frames, n_rois = values.shape
    shown = np.ones(n_frames, bool) if rows is None else np.asarray(rows, bool)
    if shown.shape != (n_frames,):
        raise InvalidInput(
            f"Deconvolution needs one flag per frame, {n_frames}, not {shown.shape}."
        )
    if noise_constraint and minimal_event > 0:
        raise InvalidInput(
            "Events are found under a noise constraint or with a smallest size, not "
            "both; set one of them to 0."
        )
    if noise_constraint and not nonnegative:
        raise InvalidInput(
            "A noise constraint needs calcium that is not negative; leave one out."
        )
    finite = np.isfinite(values).all(axis=1) & shown
    known = np.where(np.isfinite(values), values, 0)
    sigma = spectral_noise(known, finite) if noise is None else noise
    sigma = _per_roi("noise", sigma, n_rois, low=0)
    found_decay = np.ones(n_rois, bool)
    if decay_frames is None:
        decay_frames = estimate_decay(known, finite)
        found_decay = _inside(decay_frames, int(finite.sum()))
    decay = _per_roi("decay_frames", decay_frames, n_rois, low=1e-3)
    price = _per_roi("penalty", penalty, n_rois, low=0)
    smallest = _per_roi("minimal_event", minimal_event, n_rois, low=0) * sigma
    fit = _oasis(compiled)
    found = np.full((n_rois, n_frames), np.nan, np.float32)
    calcium, prices = found.copy(), price.copy()

    def one(k: int) -> None:
        seen = np.flatnonzero(shown & np.isfinite(values[:, k]))
        if seen.size == 0:
            return
        trace = _Trace(values[seen, k].astype(np.float64), seen, decay[k], fit)
        trace.lowest = 0.0 if nonnegative else -np.inf
        if noise_constraint:
            prices[k] = trace.penalty_for(seen.size * sigma[k] ** 2)
        trace.run(prices[k], smallest[k])
        found[k, seen], calcium[k, seen] = trace.events, trace.calcium

    with ThreadPoolExecutor(default_threads() if threads is None else threads) as pool:
        list(pool.map(one, range(n_rois)))
    return Events(found.T, calcium.T, sigma, decay, prices, found_decay)


def estimate_decay(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (N,) time constants in frames, from the autocovariance.

    That of an AR(1) process with noise falls by the same factor from lag to lag,
    from lag 1 on, where the noise has no part (as Pnevmatikakis et al. 2016,
    Neuron 89:285): the factor is the least-squares one over `LAGS` lags. Firing
    that is itself correlated in time makes it longer. At least one frame and at
    most a quarter of the rows.

    Parameters
    ----------
    values : (T, N)
    rows : (T,) bool
        Frames that are seen.
    """
    count = int(rows.sum())
    if count <= LAGS + 1:
        return np.ones(values.shape[1])
    shifts = range(1, LAGS + 2)
    pairs = np.array([max(int((rows[lag:] & rows[:-lag]).sum()), 1) for lag in shifts])
    factor = np.empty(values.shape[1])
    for k, trace in enumerate(values.T):
        x = np.where(rows, trace - trace[rows].mean(dtype=np.float64), 0.0)
        products = np.array([x[lag:] @ x[:-lag] for lag in shifts]) / pairs
        before, after = products[:-1], products[1:]
        factor[k] = before @ after / max(before @ before, 1e-300)
    longest = _longest(count)
    return -1 / np.log(np.clip(factor, np.exp(-1.0), np.exp(-1 / longest)))


def _longest(count: int) -> float:
    return max(count / 4, 1)


def _inside(decay: np.ndarray, count: int) -> np.ndarray:
    """Whether estimates of the decay from so many rows did not end at a bound."""
    return (decay > 1 + 1e-6) & (decay < _longest(count) * (1 - 1e-6))


class _Trace:
    """One trace made ready to be fitted with several penalties."""

    def __init__(
        self,
        y: np.ndarray,
        seen: np.ndarray,
        decay: float,
        fit: Callable[..., float],
    ) -> None:
        gaps = np.diff(seen, prepend=seen[0])
        step = np.where(gaps <= max(decay, 1), np.exp(-gaps / decay), 0.0)
        step[0] = 0.0
        self.y, self.step, self.fit = y, step, fit
        self.lowest = 0.0
        self.cost = 1 - np.append(step[1:], 0.0)
        self.calcium, self.events = np.empty(y.size), np.empty(y.size)

    def run(self, penalty: float, minimal: float = 0.0) -> float:
        """Fit, and return the squared error."""
        out = self.calcium, self.events
        limits = penalty, minimal, self.lowest
        return self.fit(self.y, self.step, self.cost, *limits, *out)

    def penalty_for(self, error: float) -> float:
        """Return the penalty with this squared error; 0 if it is more already."""
        if self.run(0.0) >= error:
            return 0.0
        # Nothing is left from here on.
        highest = max(float(self.y.max()), 0.0) / float(self.cost.min())
        if self.run(highest) <= error:
            return highest
        found: Any = optimize.brentq(lambda x: self.run(x) - error, 0.0, highest)
        return float(found)


def _oasis(compiled: bool | None) -> Callable[..., float]:
    if compiled is None or compiled:
        try:
            kernels: Any = import_module("napari_cebra.traces.kernels")
        except ImportError:
            return oasis
        return kernels.oasis
    return oasis


def _per_roi(name: str, value: Any, n: int, low: float) -> np.ndarray:
    values = np.asarray(value, np.float64)
    if values.shape not in ((), (n,)):
        raise InvalidInput(
            f"{name} must be one number or one per ROI ({n}), not {values.shape}."
        )
    if not (np.isfinite(values).all() and (values >= low).all()):
        raise InvalidInput(f"{name} must be finite and at least {low:g}.")
    return np.broadcast_to(values, (n,)).copy()
