"""From spikes to the fluorescence of an indicator."""

from __future__ import annotations

import numpy as np
from scipy import signal


def kernel(
    seconds: np.ndarray, rise: np.ndarray | float, decay: np.ndarray | float
) -> np.ndarray:
    """Return dF/F after one spike, ``(1 - exp(-t/rise)) exp(-t/decay)``, peak 1.

    Parameters
    ----------
    seconds : array
        Time since the spike; 0 before it.
    rise, decay : float or array
        Time constants in seconds, broadcast against `seconds`.
    """
    t = np.maximum(seconds, 0.0)
    return (1 - np.exp(-t / rise)) * np.exp(-t / decay) / _peak(rise, decay)


def fluorescence(
    spikes: np.ndarray,
    amplitude: np.ndarray,
    rise: np.ndarray,
    decay: np.ndarray,
    rate: float,
) -> np.ndarray:
    """Return the noiseless dF/F of spike counts.

    The kernel of GCaMP6f: about 0.19 dF/F per spike, peak after some 50 ms, decay
    of a few tenths of a second (Chen et al. 2013, Nature 499:295). The response
    is linear in the spikes.

    Parameters
    ----------
    spikes : (T, N)
        Counts per frame; a spike acts from the middle of its frame on.
    amplitude : (N,)
        Peak dF/F of one spike.
    rise, decay : (N,)
        Seconds.
    rate : float
        Frames per second.

    Returns
    -------
    (T, N) float32
    """
    out = np.empty(spikes.shape, np.float32)
    half = 0.5 / rate
    for cell in range(spikes.shape[1]):
        slow = 1 / decay[cell]
        fast = slow + 1 / rise[cell]
        a, b = np.exp(-slow / rate), np.exp(-fast / rate)
        a0, b0 = np.exp(-slow * half), np.exp(-fast * half)
        # Sum of two exponentials sampled half a frame after the spike.
        numerator = np.array([a0 - b0, b0 * a - a0 * b])
        numerator *= amplitude[cell] / _peak(rise[cell], decay[cell])
        out[:, cell] = signal.lfilter(
            numerator, [1.0, -(a + b), a * b], spikes[:, cell].astype(np.float64)
        )
    return out


def _peak(rise: np.ndarray | float, decay: np.ndarray | float) -> np.ndarray:
    """Largest value of the kernel before it is scaled."""
    at = np.asarray(rise) * np.log1p(np.asarray(decay) / rise)
    return (1 - np.exp(-at / rise)) * np.exp(-at / decay)
