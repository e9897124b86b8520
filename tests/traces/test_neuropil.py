import numpy as np
import pytest
from scipy import optimize

from napari_cebra.recording import Traces
from napari_cebra.traces import DffSettings, dff
from napari_cebra.traces.neuropil import allen, regression

RATE = 30.0


@pytest.fixture
def mixed(rng):
    """Cells that hold a known share of their surround, and the shares."""
    n, shares = 6000, np.array([0.3, 0.6, 0.9, 1.2])
    slow = np.cumsum(rng.normal(0, 0.15, (n, 4)), 0)
    around = 60 + slow + 8 * np.sin(np.arange(n)[:, None] / [40, 60, 90, 130])
    spikes = rng.random((n, 4)) < 0.01
    kernel = 60 * np.exp(-np.arange(90) / 12)
    cells = np.stack([np.convolve(s, kernel)[:n] for s in spikes.T], 1)
    raw = 100 + cells + shares * around + rng.normal(0, 3, (n, 4))
    return raw, around + rng.normal(0, 0.3, (n, 4)), shares


def test_regression_recovers_the_share(mixed):
    raw, around, shares = mixed
    rows = np.ones(len(raw), bool)
    np.testing.assert_allclose(regression(raw, around, rows, 1801), shares, atol=0.08)


def test_rows_that_are_not_fitted_have_no_say(mixed, rng):
    raw, around, _ = mixed
    rows = np.ones(len(raw), bool)
    rows[1000:1500] = False
    changed = raw.copy(), around.copy()
    for part in changed:
        part[~rows] = rng.normal(0, 1e5, part[~rows].shape)
    np.testing.assert_array_equal(
        regression(raw, around, rows, 1801), regression(*changed, rows, 1801)
    )
    np.testing.assert_array_equal(allen(raw, around, rows), allen(*changed, rows))


def allen_error(r, raw, around):
    """Return the published objective, each of four folds with its own best Fc."""
    error = 0.0
    for f, n in zip(np.array_split(raw, 4), np.array_split(around, 4), strict=True):
        steps = np.diff(np.eye(f.size), axis=0)
        x = f - r * n
        fc = np.linalg.solve(np.eye(f.size) + 0.05 * steps.T @ steps, x)
        error += ((fc - x) ** 2).sum() + 0.05 * (np.diff(fc) ** 2).sum()
    return error


def test_allen_is_the_minimum_of_the_published_objective(mixed):
    raw, around, _ = (part[:402] for part in mixed)
    found = allen(raw, around, np.ones(402, bool))
    for k in range(raw.shape[1]):
        best = optimize.minimize_scalar(
            allen_error,
            bounds=(-5, 5),
            args=(raw[:, k], around[:, k]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert found[k] == pytest.approx(np.clip(best.x, 0, 2), abs=1e-5)


@pytest.mark.parametrize("fit", ["fitted", "Allen"])
def test_a_fit_at_its_bound_is_said_of_that_roi(fit, rng):
    around = np.cumsum(rng.normal(0, 3, (3000, 3)), 0) + 500
    shares = [-0.5, 0.7, 4.0]
    raw = Traces(2000 + shares * around + rng.normal(0, 0.5, (3000, 3)), "raw", RATE)
    made = dff(raw, Traces(around, "neuropil", RATE), DffSettings(neuropil=fit))
    assert made.at_bound.tolist() == [True, False, True]
    assert made.coefficient[0] == 0 and made.coefficient[1] == pytest.approx(
        0.7, abs=0.1
    )
    warnings = made.warnings()
    assert 1 not in warnings
    for k in (0, 2):
        assert "ended at its bound" in warnings[k][-1]


@pytest.mark.parametrize("fit", ["fitted", "Allen"])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_constant_and_short_surrounds(fit, n, rng):
    raw = Traces(rng.normal(100, 3, (n, 2)), "raw", RATE)
    flat = Traces(np.full((n, 2), 40.0), "neuropil", RATE)
    settings = DffSettings(neuropil=fit)
    made = dff(raw, flat, settings)
    assert np.isfinite(made.traces.values).all()
    assert (made.coefficient == 0).all() and made.at_bound.all()
    moving = Traces(rng.normal(40, 3, (n, 2)), "neuropil", RATE)
    assert np.isfinite(dff(raw, moving, settings).traces.values).all()


def test_no_neuropil_has_nothing_to_fit(rng):
    raw = Traces(rng.normal(100, 3, (90, 2)), "raw", RATE)
    made = dff(raw, None, DffSettings(neuropil="fitted"))
    assert not made.at_bound.any() and (made.coefficient == 0).all()
