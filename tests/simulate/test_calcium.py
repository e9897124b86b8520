import numpy as np

from napari_cebra.simulate.calcium import fluorescence, kernel

RISE, DECAY, RATE = np.array([0.045, 0.06]), np.array([0.35, 0.5]), 30.0


def test_one_spike_gives_the_analytic_kernel():
    spikes = np.zeros((120, 2))
    spikes[10] = 1
    made = fluorescence(spikes, np.array([0.2, 0.1]), RISE, DECAY, RATE)
    # A spike in the middle of frame 10 is seen half a frame later.
    seconds = (np.arange(120) - 10 + 0.5)[:, None] / RATE
    truth = np.array([0.2, 0.1]) * kernel(seconds, RISE, DECAY)
    np.testing.assert_allclose(made, truth, atol=1e-7)
    assert not made[:10].any()


def test_kernel_peaks_at_one():
    seconds = np.linspace(0, 2, 20001)[:, None]
    np.testing.assert_allclose(kernel(seconds, RISE, DECAY).max(0), 1, atol=1e-6)


def test_decay_is_exponential():
    spikes = np.zeros((90, 2))
    spikes[0] = 3
    made = fluorescence(spikes, np.ones(2), RISE, DECAY, RATE)
    late = made[60:]
    np.testing.assert_allclose(
        np.log(late[1:] / late[:-1]) * RATE, np.tile(-1 / DECAY, (29, 1)), rtol=1e-3
    )


def test_response_is_linear():
    rng = np.random.default_rng(0)
    first, second = rng.poisson(0.2, (2, 50, 2))
    args = (np.ones(2), RISE, DECAY, RATE)
    np.testing.assert_allclose(
        fluorescence(first + second, *args),
        fluorescence(first, *args) + fluorescence(second, *args),
        atol=1e-6,
    )
