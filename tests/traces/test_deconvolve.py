import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize

from napari_cebra.recording import InvalidInput
from napari_cebra.simulate import V1Movie, simulate_v1
from napari_cebra.traces import deconvolve, estimate_decay
from napari_cebra.traces.noise import spectral_noise


def dense(y, decay, penalty=0.0, seen=None, lowest=0.0):
    """Calcium at the seen frames, from the whole convex problem at once.

    ``1/2 |K s - y|^2 + penalty sum s`` over s >= 0, as one non-negative
    least-squares problem; an event in a frame that is not seen is one, smaller
    and so cheaper, in the next that is.
    """
    n = y.size
    seen = np.ones(n, bool) if seen is None else seen
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    kernel = np.where(lag >= 0, np.exp(-np.maximum(lag, 0) / decay), 0)[seen]
    # The penalty goes into the target: y - p x, where K' x is 1 for every event.
    x = np.linalg.lstsq(kernel[:, seen].T, np.ones(int(seen.sum())))[0]
    target = y[seen] - penalty * x
    if lowest == 0:
        s, _ = optimize.nnls(kernel[:, seen], target, maxiter=100 * n)
        return kernel[:, seen] @ s
    low = np.zeros(int(seen.sum()))
    low[0] = -np.inf  # what is there at first may be negative, events may not
    found = optimize.lsq_linear(kernel[:, seen], target, (low, np.inf), method="bvls")
    return kernel[:, seen] @ found.x


def ar1(rng, n, decay, sigma, rate=0.03, size=1.0):
    spikes = rng.poisson(rate, n)
    calcium = np.zeros(n)
    for t in range(n):
        calcium[t] = spikes[t] * size + np.exp(-1 / decay) * (
            calcium[t - 1] if t else 0
        )
    return spikes, calcium, calcium + rng.normal(0, sigma, n)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("decay", "penalty"), [(10, 0), (10, 0.5), (2, 0.1), (40, 0)])
def test_solves_the_convex_problem(rng, decay, penalty, compiled):
    y = np.stack([ar1(rng, 300, decay, 0.3)[2] for _ in range(3)], 1) - 0.1
    found = deconvolve(y, decay, penalty=penalty, compiled=compiled)
    for k in range(3):
        expected = dense(y[:, k], decay, penalty)
        np.testing.assert_allclose(found.calcium[:, k], expected, atol=1e-5)
        events = np.diff(expected, prepend=0) + (1 - np.exp(-1 / decay)) * np.append(
            0, expected[:-1]
        )
        np.testing.assert_allclose(found.values[1:, k], events[1:], atol=1e-5)
    assert (found.values[0] == 0).all()  # what was there before is no event


@pytest.mark.parametrize("compiled", [True, False])
def test_calcium_may_be_negative_where_that_is_asked_for(rng, compiled):
    y = ar1(rng, 150, 10, 0.3)[2] - 0.5
    y[:20] -= 2
    found = deconvolve(y[:, None], 10, nonnegative=False, compiled=compiled)
    expected = dense(y, 10, lowest=-np.inf)
    np.testing.assert_allclose(found.calcium[:, 0], expected, atol=1e-5)
    assert found.calcium.min() < -1 and found.values.min() == 0


def test_solves_it_through_frames_that_are_not_seen(rng):
    y = ar1(rng, 200, 12, 0.2)[2]
    seen = rng.random(200) > 0.3
    seen[[0, 199]] = True
    changed = np.where(seen, y, 1e6)
    for penalty in (0.0, 0.3):
        found = deconvolve(changed[:, None], 12, rows=seen, penalty=penalty)
        expected = dense(y, 12, penalty, seen)
        np.testing.assert_allclose(found.calcium[seen, 0], expected, atol=1e-5)
    assert np.isnan(found.values[~seen]).all() and np.isfinite(found.values[seen]).all()


traces = arrays(np.float64, st.integers(1, 30), elements=st.floats(-5, 20, width=32))


@settings(max_examples=60, deadline=None)
@given(traces, st.floats(0.5, 50), st.floats(0, 3))
def test_any_trace(y, decay, penalty):
    noise = np.ones(1)
    found = deconvolve(y[:, None], decay, noise=noise, penalty=penalty)
    plain = deconvolve(y[:, None], decay, noise=noise, penalty=penalty, compiled=False)
    np.testing.assert_array_equal(found.calcium, plain.calcium)
    np.testing.assert_array_equal(found.values, plain.values)
    expected = dense(y, decay, penalty)
    np.testing.assert_allclose(found.calcium[:, 0], expected, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(traces, st.floats(0.5, 50), st.floats(0.1, 5))
def test_no_event_is_smaller_than_asked(y, decay, minimal):
    found = deconvolve(y[:, None], decay, noise=np.ones(1), minimal_event=minimal)
    events = found.values[found.values > 0]
    assert (events >= minimal * (1 - 1e-5)).all()
    assert (found.calcium >= 0).all()


@settings(max_examples=40, deadline=None)
@given(traces, st.floats(0.5, 50), st.floats(0.01, 3))
def test_the_residual_is_the_noise(y, decay, sigma):
    noise = np.full(1, sigma)
    free = deconvolve(y[:, None], decay, noise=noise)
    bound = deconvolve(y[:, None], decay, noise=noise, noise_constraint=True)

    def error(found):
        return ((found.calcium[:, 0].astype(float) - y) ** 2).sum()

    target = y.size * sigma**2
    if error(free) >= target:
        assert bound.penalty[0] == 0
    elif np.isclose(error(bound), target, rtol=1e-3, atol=1e-4):
        expected = dense(y, decay, bound.penalty[0])
        np.testing.assert_allclose(bound.calcium[:, 0], expected, atol=1e-4)
    else:  # no event is needed at all
        assert (bound.calcium == 0).all() and (y**2).sum() <= target


def test_without_numba_the_numbers_are_the_same(rng, monkeypatch):
    y = np.stack([ar1(rng, 400, 8, 0.3)[2] for _ in range(2)], 1)
    with_numba = deconvolve(y, noise_constraint=True)
    monkeypatch.setitem(sys.modules, "napari_cebra.traces.kernels", None)
    without = deconvolve(y, noise_constraint=True, threads=1)
    np.testing.assert_array_equal(with_numba.values, without.values)
    np.testing.assert_array_equal(with_numba.penalty, without.penalty)


def test_decay_and_noise_are_recovered(rng):
    made = [ar1(rng, 20_000, 15, 0.2) for _ in range(4)]
    y = np.stack([m[2] for m in made], 1)
    rows = np.ones(20_000, bool)
    rows[5000:5200] = False
    y[~rows] = 1e4
    sigma = spectral_noise(y, rows)
    # The jumps themselves have some power at high frequencies.
    np.testing.assert_allclose(sigma, 0.2, rtol=0.15)
    np.testing.assert_allclose(estimate_decay(y, rows), 15, rtol=0.1)


def test_noise_of_noise(rng):
    y = rng.normal(0, [0.5, 7.0], (20_000, 2))
    rows = rng.random(20_000) < 0.999
    y[~rows] = 1e4
    np.testing.assert_allclose(spectral_noise(y, rows), [0.5, 7.0], rtol=0.03)


def test_events_are_where_the_spikes_are_and_in_units_of_the_noise(rng):
    spikes, _, y = ar1(rng, 5000, 10, 0.1)
    found = deconvolve(y[:, None], 10, minimal_event=3)
    hit = np.flatnonzero(found.values[:, 0])
    assert np.isin(np.flatnonzero(spikes[1:]) + 1, hit).mean() > 0.95
    assert found.values.sum() == pytest.approx(spikes.sum(), rel=0.05)
    expected = found.values[:, 0] / found.noise[0]
    np.testing.assert_allclose(found.in_noise[:, 0], expected, rtol=1e-5)
    assert (found.in_noise[hit, 0] >= 3 - 1e-4).all()


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.2])
def test_follows_true_spikes_better_than_the_derivative(noise):
    config = V1Movie(n_cells=25, n_repeats=2, n_movie_frames=900, imaging_noise=noise)
    activity = simulate_v1(config)
    y = activity.recording.traces.values
    slope = np.maximum(np.diff(y, axis=0, prepend=y[:1]), 0)

    def median_correlation(found):
        pairs = zip(found.T, activity.spikes.T, strict=True)
        return np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs])

    by_events = median_correlation(deconvolve(y).values)
    assert by_events > median_correlation(slope) + 0.1
    assert by_events > 0.3


def test_a_long_gap_starts_afresh():
    y = np.exp(-np.arange(100) / 10.0)
    y[60:] = 1.0  # high again on the other side of the gap
    rows = np.ones(100, bool)
    rows[40:60] = False
    found = deconvolve(y[:, None], 10, rows=rows)
    assert found.values[60, 0] == 0
    rows[42:60] = True
    rows[52:60] = False  # shorter than the decay
    assert deconvolve(y[:, None], 10, rows=rows).values[60, 0] > 0.9


def test_nan_is_not_seen_and_stays_marked(rng):
    y = np.stack([ar1(rng, 600, 10, 0.2)[2] for _ in range(2)], 1)
    y[100:103, 0] = np.nan
    y[300, 0] = np.inf
    found = deconvolve(y, 10)
    lost = np.r_[100:103, 300]
    assert np.flatnonzero(np.isnan(found.values[:, 0])).tolist() == lost.tolist()
    assert np.isfinite(found.values[:, 1]).all()
    assert np.isfinite(found.noise).all()


@pytest.mark.parametrize("level", [0.0, 7.0, -7.0])
def test_constant_traces_have_no_events(level):
    found = deconvolve(np.full((50, 2), level), noise_constraint=True)
    assert np.isfinite(found.decay_frames).all()
    assert (found.in_noise == 0).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_very_short_traces(n, rng):
    found = deconvolve(rng.normal(size=(n, 3)))
    assert found.values.shape == (n, 3) and np.isfinite(found.values).all()


def test_nothing_seen():
    found = deconvolve(np.full((20, 1), np.nan), 5, noise=np.ones(1))
    assert np.isnan(found.values).all()


@pytest.mark.parametrize(
    ("values", "changes", "words"),
    [
        (np.zeros(5), {}, "table of numbers"),
        (np.array([["a"]]), {}, "table of numbers"),
        (np.zeros((5, 2)), {"decay_frames": 0}, "decay_frames must be finite"),
        (np.zeros((5, 2)), {"decay_frames": np.ones(3)}, "one per ROI"),
        (np.zeros((5, 2)), {"penalty": -1}, "penalty must be finite"),
        (np.zeros((5, 2)), {"noise": np.full(2, np.nan)}, "noise must be finite"),
        (np.zeros((5, 2)), {"rows": np.ones(4, bool)}, "one flag per frame"),
        (np.zeros((5, 2)), {"noise_constraint": True, "minimal_event": 1}, "not both"),
        (np.zeros((5, 2)), {"noise_constraint": True, "nonnegative": False}, "leave"),
    ],
)
def test_mistakes_are_named(values, changes, words):
    with pytest.raises(InvalidInput, match=words):
        deconvolve(values, **changes)
