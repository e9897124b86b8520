"""What the movie does not explain: gains and spontaneous activity."""

from __future__ import annotations

import numpy as np
from scipy import signal

_SHARED = 0.67  # of the log variance of spontaneous rates


def ornstein_uhlenbeck(
    rng: np.random.Generator, n_frames: int, time_constants: np.ndarray, rate: float
) -> np.ndarray:
    """Return (T, K) float32 stationary processes of unit variance.

    ``time_constants (K,)`` are in seconds, `rate` in frames per second.
    """
    keep = np.exp(-1 / (np.atleast_1d(time_constants) * rate))
    out = np.empty((n_frames, keep.size), np.float32)
    for k, a in enumerate(keep):
        noise = rng.standard_normal(n_frames, dtype=np.float32) * np.sqrt(1 - a * a)
        noise[0] /= np.sqrt(1 - a * a)
        out[:, k] = signal.lfilter([1.0], [1.0, -a], noise)
    return out


def arousal(rng: np.random.Generator, n_frames: int, rate: float) -> np.ndarray:
    """Return (T,) unit-variance arousal: brief bouts on a slow drift.

    Cortical state switches within seconds, as the pupil shows, in the awake
    and quiet mouse as well as around running (Reimer et al. 2014, Neuron
    84:355; McGinley et al. 2015, Neuron 87:1143).
    """
    slow, bout, fast = ornstein_uhlenbeck(
        rng, n_frames, np.array([20.0, 2.0, 0.5]), rate
    ).T
    state = 0.2 * slow + np.tanh(3 * (bout - 0.3)) + 0.3 * fast
    return (state - state.mean()) / max(float(state.std()), 1e-6)


def log_gains(
    rng: np.random.Generator,
    state: np.ndarray,
    n_cells: int,
    shared_sd: float,
    private_sd: float,
    rate: float,
) -> np.ndarray:
    """Return (T, N) float32 log gain of the response to the movie.

    One factor shared by all cells with weights that differ (Goris et al. 2014;
    Lin et al. 2015, Neuron 87:644) and one for each cell that drifts within
    minutes, as tuning curves in mouse V1 do from repeat to repeat (Deitch et
    al. 2021, Curr. Biol. 31:4327).
    """
    weight = rng.normal(1, 0.5, n_cells).astype(np.float32)
    gain = private_sd * ornstein_uhlenbeck(
        rng, state.size, np.exp(rng.normal(np.log(20), 0.7, n_cells)), rate
    )
    gain += shared_sd * state[:, None] * weight
    gain -= 0.5 * (private_sd**2 + (shared_sd * weight) ** 2)
    return gain


def spontaneous(
    rng: np.random.Generator,
    state: np.ndarray,
    n_cells: int,
    rank: int,
    sd: float,
    rate: float,
) -> np.ndarray:
    """Return (T, N) float32 spontaneous rate relative to its mean (about 1).

    Exponential of a few shared dimensions, whose variances fall as 1/k and
    which change within tenths of a second to a second, and a private part
    (Stringer et al. 2019, Science 364:255: behaviour drives some sixteen
    dimensions of V1, next to the arousal that all share). About two thirds of
    the log variance is shared.
    """
    n_frames = state.size
    scale = 1 / np.sqrt(np.arange(1, rank + 1))
    shared = ornstein_uhlenbeck(
        rng, n_frames, np.exp(rng.normal(np.log(0.4), 0.5, rank)), rate
    )
    if rank:
        shared[:, 0] = 0.6 * state + 0.8 * shared[:, 0]
    weights = (scale[:, None] * rng.standard_normal((rank, n_cells))).astype(np.float32)
    weights *= np.sqrt(_SHARED / np.maximum((weights**2).sum(0), 1e-6))
    private = ornstein_uhlenbeck(
        rng, n_frames, np.exp(rng.normal(np.log(0.4), 0.5, n_cells)), rate
    )
    private *= np.float32(np.sqrt(1 - _SHARED))
    private += shared @ weights
    private *= np.float32(sd)
    private -= np.float32(0.5 * sd * sd)
    return np.exp(private, out=private)
