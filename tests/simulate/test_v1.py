from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput
from napari_cebra.simulate import V1Movie, simulate_v1
from napari_cebra.simulate.receptive_fields import GaborBank, tuning
from napari_cebra.simulate.variability import ornstein_uhlenbeck


@pytest.fixture(scope="module")
def full():
    """The built-in recording, without pixels."""
    return simulate_v1(V1Movie())


def test_seed_decides(small):
    again = simulate_v1(V1Movie.small())
    np.testing.assert_array_equal(
        small.recording.traces.values, again.recording.traces.values
    )
    other = simulate_v1(V1Movie.small(seed=1))
    np.testing.assert_array_equal(small.movie, other.movie)
    assert np.abs(small.true_dff - other.true_dff).max() > 0.1


def test_recording_has_what_a_recording_needs(small):
    config, recording = small.config, small.recording
    assert recording.traces.values.shape == (600, 40)
    assert recording.traces.rate == 30.0
    np.testing.assert_array_equal(recording.stimulus.shown, small.shown)
    np.testing.assert_array_equal(np.bincount(small.repeat), [150] * 4)
    np.testing.assert_array_equal(recording.trials, small.repeat)
    assert recording.stimulus.n_frames == config.n_movie_frames
    np.testing.assert_allclose(np.diff(recording.stimulus.frame_times), 1 / 30)


def test_built_in_recording_is_of_the_size_asked_for(full):
    assert full.true_dff.shape == (9000, full.config.n_cells)
    assert 250 <= full.config.n_cells <= 400


def test_mean_rates_are_those_of_cortex(full):
    rates = full.spikes.mean(0) * 30
    # Log-normal about a geometric mean of less than one spike per second.
    middle = np.exp(np.log(rates).mean())
    assert middle == pytest.approx(full.config.mean_rate, rel=0.3)
    assert 0.4 < np.log(rates).std() < 1.0
    assert abs(np.median(np.log(rates)) - np.log(rates).mean()) < 0.15


def test_counts_are_more_variable_than_poisson(full):
    counts = full.spikes.reshape(300, 30, -1).sum(1, dtype=float)
    fano = counts.var(0) / counts.mean(0)
    assert 1.3 < np.median(fano) < 4


def test_reliability_is_low_in_most_cells_and_high_in_a_few(full):
    n = full.config.n_repeats
    trials = full.true_dff.reshape(n, 900, -1)
    spread = np.maximum(trials.std(1, keepdims=True), 1e-6)
    z = (trials - trials.mean(1, keepdims=True)) / spread
    # Mean correlation over all pairs of repeats.
    pairs = (z.sum(0) ** 2).mean(0) - n
    reliability = pairs / (n * (n - 1))
    assert np.median(reliability) < 0.2
    assert np.percentile(reliability, 95) > 0.3
    follows = np.corrcoef(reliability, full.stimulus_share)[0, 1]
    assert follows > 0.6


def test_tuned_share_of_the_variance_follows_the_tuning(full):
    mean = full.true_dff.reshape(10, 900, -1).mean(0)
    best = np.argsort(full.stimulus_share)[-30:]
    # The indicator lags: compare with the tuning a little earlier.
    lagged = np.roll(full.tuning, 4, axis=0)
    alike = [np.corrcoef(mean[:, k], lagged[:, k])[0, 1] for k in best]
    assert np.median(alike) > 0.7


def test_spontaneous_activity_is_shared(full):
    residual = full.true_dff - np.tile(
        full.true_dff.reshape(10, 900, -1).mean(0), (10, 1)
    )
    quiet = np.argsort(full.stimulus_share)[:100]
    spectrum = np.linalg.eigvalsh(np.corrcoef(residual[:, quiet].T))[::-1]
    rng = np.random.default_rng(0)
    apart = np.stack([np.roll(residual[:, k], rng.integers(500, 8500)) for k in quiet])
    alone = np.linalg.eigvalsh(np.corrcoef(apart))[::-1]
    assert spectrum[0] > 2 * alone[0]
    assert (spectrum[:5] > alone[:5]).all()


def test_noise_is_what_the_settings_say(small):
    noise = small.recording.traces.values - small.true_dff
    np.testing.assert_allclose(noise.std(0), small.noise_sd, rtol=0.15)
    middle = np.median(small.noise_sd)
    assert middle == pytest.approx(small.config.imaging_noise, rel=0.25)


def test_tuning_has_mean_one_and_is_sparse(full):
    np.testing.assert_allclose(full.tuning.mean(0), 1, rtol=1e-3)
    assert 0.4 < (full.tuning == 0).mean() < 0.9


def bank_of(**values):
    """One cell in the middle of a screen of 96 by 128 degrees."""
    default = dict(
        y=48, x=64, frequency=0.05, orientation=0, sigma=8, phase=0, complexity=1,
        latency=0.05, adaptation=0.0, sparseness=0.0,
    )  # fmt: skip
    return GaborBank(**{k: np.array([v], float) for k, v in (default | values).items()})


def grating(orientation, phase, contrast=1.0):
    """(96, 128) uint8 with 0.05 cycles per pixel."""
    y, x = np.indices((96, 128))
    across = x * np.cos(orientation) + y * np.sin(orientation)
    wave = np.cos(2 * np.pi * 0.05 * across + phase)
    return np.round(127.5 * (1 + contrast * wave)).astype(np.uint8)


def answers(frames, **cell):
    """Mean answer to each of some pictures, each shown for a second."""
    movie = np.repeat(np.stack(frames), 30, axis=0)
    made = tuning(movie, bank_of(**cell), 30.0)[:, 0]
    return made.reshape(len(frames), 30)[:, 15:].mean(1)


def test_complex_cell_knows_orientation_and_not_phase():
    phases = np.arange(4) * np.pi / 2
    frames = [grating(0, p) for p in phases] + [grating(np.pi / 2, p) for p in phases]
    preferred, orthogonal = answers(frames).reshape(2, 4)
    assert preferred.min() > 0.95 * preferred.max()
    assert orthogonal.max() < 0.1 * preferred.min()


def test_simple_cell_knows_phase():
    # Measured from the middle of the receptive field.
    there = -2 * np.pi * 0.05 * 64
    frames = [grating(0, there), grating(0, there + np.pi)]
    right, wrong = answers(frames, complexity=0)
    assert wrong < 0.05 * right


def test_response_saturates_with_contrast():
    frames = [grating(0, 0, c) for c in (0.02, 0.25, 0.5, 1.0)]
    faint, quarter, half, whole = answers(frames)
    assert faint < 0.5 * quarter
    assert whole < 1.3 * half < 1.3 * 1.3 * quarter


def test_a_delayed_cell_answers_later():
    frames = np.full((60, 96, 128), 128, np.uint8)
    frames[20:25] = grating(0, 0)
    early = tuning(frames, bank_of(latency=0.04), 30.0)[:, 0].argmax()
    late = tuning(frames, bank_of(latency=0.12), 30.0)[:, 0].argmax()
    assert 20 < early < late


def test_slow_processes_have_their_time_constant():
    made = ornstein_uhlenbeck(np.random.default_rng(0), 60_000, np.array([0.5]), 30.0)
    x = made[:, 0] - made.mean()
    lag = 15
    assert x.std() == pytest.approx(1, rel=0.05)
    correlation = (x[lag:] * x[:-lag]).mean() / x.var()
    assert correlation == pytest.approx(np.exp(-1), abs=0.05)


def test_any_number_of_cells():
    for n in (1, 7, 130):
        made = simulate_v1(V1Movie.small(n_cells=n))
        assert made.true_dff.shape == (600, n)
        assert np.isfinite(made.recording.traces.values).all()


def test_settings_survive_json(small):
    config = replace(small.config, mean_rate=0.7)
    assert V1Movie.from_json(config.to_json()) == config
    with pytest.raises(InvalidInput, match="no setting 'colour'"):
        V1Movie.from_json({"colour": 1})


@pytest.mark.parametrize("name", ["n_cells", "n_repeats", "n_movie_frames", "rate"])
def test_settings_that_make_no_recording_are_refused(name):
    with pytest.raises(InvalidInput):
        V1Movie(**{name: 0})
