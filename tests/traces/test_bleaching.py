import numpy as np
import pytest

from napari_cebra.recording import Traces
from napari_cebra.traces import DffSettings, dff
from napari_cebra.traces.bleaching import bleaching_curve

T, WINDOW = 6000, 900


def fading(rng, tau=1500, n=30):
    """Cells that fade together, each with transients of its own, and the fade."""
    fade = 0.25 * np.exp(-np.arange(T) / tau) + 0.75
    spikes = rng.poisson(0.005, (T, n))
    kernel = np.exp(-np.arange(150) / 20)
    active = np.stack([np.convolve(s, kernel)[:T] for s in spikes.T], axis=1)
    f0 = rng.uniform(80, 300, n)
    values = fade[:, None] * f0 * (1 + 0.4 * active) + rng.normal(0, 4, (T, n))
    return values.astype(np.float32), fade, f0


@pytest.mark.parametrize("unseen", [(0, 0), (0, 600), (2500, 3100), (5400, 6000)])
def test_finds_the_fade_also_where_it_did_not_look(rng, unseen):
    values, fade, _ = fading(rng)
    rows = np.ones(T, bool)
    rows[slice(*unseen)] = False
    values[~rows] = 1e6
    found = bleaching_curve(values, rows, WINDOW)
    np.testing.assert_allclose(found / found[3000], fade / fade[3000], rtol=0.02)
    values[~rows] = -5
    np.testing.assert_array_equal(bleaching_curve(values, rows, WINDOW), found)


def test_does_not_see_a_fade_where_there_is_none(rng):
    flat = np.ones(T)
    rows = np.ones(T, bool)
    noise = rng.normal(100, 5, (T, 10)).astype(np.float32)
    np.testing.assert_array_equal(bleaching_curve(noise, rows, WINDOW), flat)
    rising = noise + np.linspace(0, 50, T, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(bleaching_curve(rising, rows, WINDOW), flat)
    short = np.ones(30, bool)
    np.testing.assert_array_equal(bleaching_curve(noise[:30], short, WINDOW), 1)
    np.testing.assert_array_equal(bleaching_curve(0 * noise, rows, WINDOW), flat)


def test_the_baseline_of_a_held_out_start_is_not_too_low(rng):
    values, fade, f0 = fading(rng)
    rows = np.arange(T) >= 600
    raw = Traces(values, "raw", 30.0)
    error = {}
    for follow in (True, False):
        settings = DffSettings(window_s=WINDOW / 30, follow_bleaching=follow)
        made = dff(raw, None, settings, rows)
        truth = fade[:600, None] * f0
        error[follow] = np.abs(made.f0[:600] / truth - 1).mean()
    assert error[True] < 0.03 < error[False]
