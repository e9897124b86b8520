"""What the movie alone makes each V1 neuron do: Gabor energy, normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

# The model sees the movie at two degrees per pixel: mouse V1 resolves no more.
_BLOCK = 2


def even_draws(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return n uniform draws, one from each n-th part of (0, 1), shuffled.

    Populations then differ in who is what, not in how many are: a Latin
    hypercube over cells (McKay et al. 1979, Technometrics 21:239).
    """
    return (rng.permutation(n) + rng.random(n)) / n


@dataclass(frozen=True, eq=False)
class GaborBank:
    """Receptive fields of N neurons, each field (N,); lengths in degrees.

    Distributions after Niell & Stryker 2008 (J. Neurosci. 28:7520): preferred
    spatial frequencies about 0.04 cycles/degree, radii of 5-10 degrees.
    """

    y: np.ndarray
    x: np.ndarray
    frequency: np.ndarray
    orientation: np.ndarray
    sigma: np.ndarray
    phase: np.ndarray
    complexity: np.ndarray
    latency: np.ndarray
    adaptation: np.ndarray
    sparseness: np.ndarray

    @classmethod
    def draw(
        cls, rng: np.random.Generator, n: int, shape: tuple[int, int]
    ) -> GaborBank:
        """Draw receptive fields over the middle of a screen of h × w degrees."""
        frequency = 0.04 * np.exp(0.45 * special.ndtri(even_draws(rng, n)))
        return cls(
            y=shape[0] * (0.15 + 0.7 * even_draws(rng, n)),
            x=shape[1] * (0.15 + 0.7 * even_draws(rng, n)),
            frequency=frequency,
            orientation=np.pi * even_draws(rng, n),
            sigma=np.clip(0.3 / frequency * rng.uniform(0.7, 1.3, n), 3, 12),
            phase=2 * np.pi * even_draws(rng, n),
            complexity=special.betaincinv(0.8, 0.8, even_draws(rng, n)),
            latency=rng.uniform(0.05, 0.12, n),
            adaptation=0.2 + 0.5 * even_draws(rng, n),
            sparseness=0.5 + 0.42 * even_draws(rng, n),
        )

    def filters(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return even and odd filters, each (pixels, N) float32, unit norm."""
        row, col = (
            (np.arange(s // _BLOCK, dtype=np.float32) * _BLOCK)[:, None] for s in shape
        )
        dy = (row - self.y.astype(np.float32))[:, None, :]
        dx = (col - self.x.astype(np.float32))[None, :, :]
        across = dx * np.cos(self.orientation) + dy * np.sin(self.orientation)
        envelope = np.exp(-0.5 * (dx**2 + dy**2) / self.sigma**2).astype(np.float32)
        pair = []
        for shift in (0.0, -0.5 * np.pi):
            wave = np.cos(2 * np.pi * self.frequency * across + self.phase + shift)
            gabor = envelope * wave
            # No answer to uniform light.
            gabor -= envelope * (gabor.sum((0, 1)) / envelope.sum((0, 1)))
            gabor /= np.sqrt((gabor**2).sum((0, 1)))
            pair.append(gabor.reshape(-1, gabor.shape[2]).astype(np.float32))
        return pair[0], pair[1]


def tuning(movie: np.ndarray, bank: GaborBank, rate: float) -> np.ndarray:
    """Return the mean response of each neuron to each movie frame.

    A mix of a simple and a complex cell (Adelson & Bergen 1985, J. Opt. Soc.
    Am. A 2:284), divided by the contrast energy around its receptive field
    (Carandini & Heeger 2012, Nat. Rev. Neurosci. 13:51), delayed, adapting, and
    cut at a threshold that makes it sparse.

    Parameters
    ----------
    movie : (M, h, w) uint8
        The movie is taken to follow itself, as in repeated showings.
    bank : GaborBank
        N neurons.
    rate : float
        Movie frames per second.

    Returns
    -------
    (M, N) float32
        Rates relative to each neuron's mean (mean over M is 1).
    """
    shape = movie.shape[1:]
    light = _binned(movie)
    m, n = light.shape[0], bank.y.size
    pool = _contrast_pool(light)
    response = np.empty((m, n), np.float32)
    for start in range(0, n, 128):
        part = slice(start, start + 128)
        some = GaborBank(*(v[part] for v in vars(bank).values()))
        even, odd = (light.reshape(m, -1) @ f for f in some.filters(shape))
        complexity = some.complexity
        drive = complexity * np.hypot(even, odd) + (1 - complexity) * np.sqrt(
            2
        ) * np.maximum(even, 0)
        row = np.clip(some.y / _BLOCK, 0, light.shape[1] - 1).astype(int)
        col = np.clip(some.x / _BLOCK, 0, light.shape[2] - 1).astype(int)
        local = pool[:, row, col]
        # Unit-norm filters answer to noise of standard deviation s with about s.
        squared = drive**2
        response[:, part] = squared / (squared + 4 * local**2 + 0.1**2)
    response = _in_time(response, bank, rate)
    rank = (bank.sparseness * m).astype(int)
    response -= np.sort(response, axis=0)[rank, np.arange(n)]
    np.maximum(response, 0, out=response)
    return response / np.maximum(response.mean(0), 1e-6)


def _binned(movie: np.ndarray) -> np.ndarray:
    """Return the movie at the model's resolution; grey is 0, black -1, white 1."""
    m, h, w = movie.shape
    h, w = h // _BLOCK * _BLOCK, w // _BLOCK * _BLOCK
    blocks = movie[:, :h, :w].reshape(m, h // _BLOCK, _BLOCK, w // _BLOCK, _BLOCK)
    return (blocks.mean((2, 4), dtype=np.float32) / 127.5 - 1).astype(np.float32)


def _contrast_pool(light: np.ndarray) -> np.ndarray:
    """Root mean square contrast within about ten degrees, (M, h, w)."""
    fine = light - ndimage.gaussian_filter(light, (0, 8, 8))
    power = ndimage.gaussian_filter(fine**2, (0, 6, 6))
    return np.sqrt(power)


def _in_time(response: np.ndarray, bank: GaborBank, rate: float) -> np.ndarray:
    """Delay, smooth (retina to cortex) and adapt; the movie wraps."""
    m = response.shape[0]
    lag = np.arange(min(m, int(2 * rate) + 1))[:, None] / rate
    # A gamma function of order 3 that peaks at the latency.
    rise = (lag / bank.latency) ** 3 * np.exp(3 * (1 - lag / bank.latency))
    fall = np.exp(-lag / 0.4) * (lag > 0)
    kernel = rise / rise.sum(0) - bank.adaptation * fall / fall.sum(0)
    padded = np.zeros((m, kernel.shape[1]))
    padded[: kernel.shape[0]] = kernel
    spectrum = np.fft.rfft(response, axis=0) * np.fft.rfft(padded, axis=0)
    return np.fft.irfft(spectrum, m, axis=0).astype(np.float32)
