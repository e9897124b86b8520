"""V1 neurons that watch a movie over and over, with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from napari_cebra.recording import Recording, Stimulus, Traces
from napari_cebra.simulate.calcium import fluorescence
from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.movie import natural_movie
from napari_cebra.simulate.receptive_fields import GaborBank, even_draws, tuning
from napari_cebra.simulate.variability import arousal, log_gains, spontaneous

# Chosen with the calibrated settings, for a built-in recording (seed 0) whose last
# repeat is about as hard as the mean over repeats and seeds.
_STREAM = 0x52
_LEAD_IN = 5.0  # seconds of grey screen before the first frame, not returned


@dataclass(frozen=True, eq=False)
class V1Activity:
    """A simulated recording and all that made it.

    Parameters
    ----------
    config : V1Movie
        Its settings.
    recording : Recording
        dF/F with imaging noise on each trace, as if it had been extracted.
    true_dff : (T, N) float32
        Noiseless, kinetics-filtered dF/F of the spikes.
    spikes : (T, N) uint8
        Spikes per imaging frame.
    tuning : (M, N) float32
        Mean response to each movie frame, relative to the cell's mean.
    stimulus_share : (N,) float32
        Share of each cell's spikes that the movie drives.
    arousal : (T,) float32
        The state that all cells share.
    noise_sd : (N,) float32
        Standard deviation of the imaging noise on each trace.
    movie : (M, h, w) uint8
        What was shown.
    shown, repeat : (T,) int64
        Movie frame and showing at each imaging frame, both from 0.
    """

    config: V1Movie
    recording: Recording
    true_dff: np.ndarray
    spikes: np.ndarray
    tuning: np.ndarray
    stimulus_share: np.ndarray
    arousal: np.ndarray
    noise_sd: np.ndarray
    movie: np.ndarray
    shown: np.ndarray
    repeat: np.ndarray


def simulate_v1(config: V1Movie | None = None) -> V1Activity:
    """Simulate the activity of V1 neurons, without pixels.

    Parameters
    ----------
    config : V1Movie, optional
        Default ``V1Movie()``, the built-in recording.

    Returns
    -------
    V1Activity
        A few seconds for 400 neurons and 9000 frames.
    """
    config = V1Movie() if config is None else config
    rng = np.random.default_rng([config.seed, _STREAM])
    n, rate = config.n_cells, config.rate
    movie = natural_movie(
        config.movie_seed, config.n_movie_frames, rate, config.movie_shape
    )
    response = tuning(movie, GaborBank.draw(rng, n, config.movie_shape), rate)
    lead = round(_LEAD_IN * rate)
    state = arousal(rng, lead + config.n_frames, rate).astype(np.float32)
    rates, share = _rates(rng, config, response, state, lead)
    spikes = _spikes(rng, rates, config)
    del rates
    decay = 0.35 * np.exp(rng.normal(0, 0.15, n))
    rise = 0.045 * np.exp(rng.normal(0, 0.1, n))
    amplitude = 0.19 * np.exp(rng.normal(0, 0.25, n))
    true = fluorescence(spikes, amplitude, rise, decay, rate)[lead:]
    noise_sd = config.imaging_noise * np.exp(rng.normal(0, 0.25, n))
    noisy = true + rng.standard_normal(true.shape, np.float32) * noise_sd
    shown = np.tile(np.arange(config.n_movie_frames), config.n_repeats)
    repeat = np.repeat(np.arange(config.n_repeats), config.n_movie_frames)
    return V1Activity(
        config=config,
        recording=_recording(config, noisy, movie, shown, repeat),
        true_dff=true,
        spikes=spikes[lead:],
        tuning=response,
        stimulus_share=share,
        arousal=state[lead:],
        noise_sd=noise_sd.astype(np.float32),
        movie=movie,
        shown=shown,
        repeat=repeat,
    )


def _rates(
    rng: np.random.Generator,
    config: V1Movie,
    response: np.ndarray,
    state: np.ndarray,
    lead: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes/s of each cell (lead + T, N), and the share the movie drives (N,).

    Mean rates are log-normal over cells (Buzsáki & Mizuseki 2014, Nat. Rev.
    Neurosci. 15:264).
    """
    n = config.n_cells
    logit = np.log(config.stimulus_share / (1 - config.stimulus_share))
    share = special.expit(
        logit + config.share_spread * special.ndtri(even_draws(rng, n))
    )
    mean = config.mean_rate * np.exp(0.6 * special.ndtri(even_draws(rng, n)))
    evoked = np.concatenate(
        [np.zeros((lead, n), np.float32), np.tile(response, (config.n_repeats, 1))]
    )
    gain = log_gains(rng, state, n, config.gain_sd, config.private_gain_sd, config.rate)
    evoked *= np.exp(gain, out=gain)
    evoked *= (mean * share).astype(np.float32)
    del gain
    own = spontaneous(
        rng, state, n, config.spontaneous_rank, config.spontaneous_sd, config.rate
    )
    evoked += own * (mean * (1 - share)).astype(np.float32)
    return evoked, share.astype(np.float32)


def _spikes(rng: np.random.Generator, rates: np.ndarray, config: V1Movie) -> np.ndarray:
    """Over-dispersed counts per frame: a gamma-modulated Poisson process."""
    expected = rates / np.float32(config.rate)
    if config.burstiness > 0:
        span = max(1, round(0.2 * config.rate))
        n_bins = -(-rates.shape[0] // span)
        shape = 1 / config.burstiness
        burst = rng.gamma(shape, 1 / shape, (n_bins, rates.shape[1]))
        expected *= np.repeat(burst.astype(np.float32), span, 0)[: rates.shape[0]]
    return np.minimum(rng.poisson(expected), 255).astype(np.uint8)


def _recording(
    config: V1Movie,
    dff: np.ndarray,
    movie: np.ndarray,
    shown: np.ndarray,
    repeat: np.ndarray,
) -> Recording:
    made_by = {"name": "simulate_v1", **config.to_json()}
    stimulus = Stimulus(
        shown, repeat, movie, np.arange(config.n_movie_frames) / config.rate
    )
    recording = Recording(
        Traces(dff, "dff", config.rate, made_by),
        stimulus=stimulus,
        trials=repeat,
        name="V1 watching a movie (simulated)",
    )
    return recording.with_step("simulate_v1", **config.to_json())
