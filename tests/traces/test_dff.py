import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_cebra.recording import InvalidInput, Recording, Traces
from napari_cebra.traces import DffSettings, dff, recompute_dff

RATE = 30.0


def cell(rng, n=9000, f0=100.0, sigma=3.0, tau=20):
    """Fluorescence and true dF/F of one cell."""
    spikes = rng.poisson(0.01, n)
    change = 0.5 * np.convolve(spikes, np.exp(-np.arange(200) / tau))[:n]
    return f0 * (1 + change) + rng.normal(0, sigma, n), change


def raw(values, rate=RATE):
    return Traces(np.asarray(values), "raw", rate)


def test_recovers_dff(rng):
    found, truth = zip(*(cell(rng) for _ in range(8)), strict=True)
    made = dff(raw(np.stack(found, 1)), None)
    truth = np.stack(truth, 1)
    for k in range(8):
        assert np.corrcoef(made.traces.values[:, k], truth[:, k])[0, 1] > 0.98
    np.testing.assert_allclose(made.f0, 100, rtol=0.05)
    assert not made.flagged.any()
    gain = (made.traces.values * truth).sum() / (truth**2).sum()
    assert gain == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", ["percentile", "maximin"])
def test_baseline_follows_bleaching(rng, kind):
    n = 9000
    decay = np.exp(-np.arange(n) / RATE / 600)  # to 0.61 of the first value
    trace, _ = cell(rng, n)
    made = dff(raw((trace * decay)[:, None]), None, DffSettings(baseline=kind))
    np.testing.assert_allclose(made.f0[:, 0], 100 * decay, rtol=0.06)
    still = dff(raw(trace[:, None]), None, DffSettings(baseline=kind))
    both = np.corrcoef(made.traces.values[:, 0], still.traces.values[:, 0])
    assert both[0, 1] > 0.995


def test_neuropil_is_taken_away_about_its_median(rng):
    n = 3000
    common = 40 + 10 * np.sin(np.arange(n) / 200)
    trace, _ = cell(rng, n)
    ring = Traces(common[:, None], "neuropil", RATE)
    with_it = dff(raw((trace + 0.7 * common)[:, None]), ring)
    # What is left is the trace on top of the median neuropil, in counts.
    level = 0.7 * np.median(common)
    np.testing.assert_allclose(with_it.corrected[:, 0], trace + level, rtol=1e-5)
    none = dff(raw(trace[:, None]), None)
    np.testing.assert_allclose(with_it.f0, none.f0 + level, rtol=0.01)


def test_a_baseline_at_zero_does_not_blow_up(rng):
    sigma = 2.0
    values = rng.normal(0, sigma, (2000, 3))
    made = dff(raw(values), None)
    assert made.flagged.all()
    assert np.abs(made.traces.values).max() < 10  # in units of the noise


def test_constant_and_zero_rois_are_flat_and_flagged(rng):
    trace, _ = cell(rng, 500)
    values = np.stack([trace, np.zeros(500), np.full(500, 70.0)], 1)
    ring = Traces(rng.normal(50, 3, (500, 3)), "neuropil", RATE)
    for neuropil in (None, ring):
        made = dff(raw(values), neuropil)
        assert made.flagged.tolist() == [False, True, True]
        np.testing.assert_array_equal(made.traces.values[:, 1:], 0)


@pytest.mark.parametrize("neuropil", ["fixed", "fitted", "Allen"])
@pytest.mark.parametrize("kind", ["percentile", "maximin", "median"])
def test_held_out_rows_never_reach_the_training_rows(rng, kind, neuropil):
    values = rng.normal(100, 5, (3000, 5))
    ring = rng.normal(60, 5, (3000, 5))
    rows = np.ones(3000, bool)
    rows[1000:1300] = rows[2900:] = False
    settings = DffSettings(
        baseline=kind, window_s=10, neuropil=neuropil, deconvolve=True
    )

    def made(values, ring):
        around = Traces(ring, "neuropil", RATE)
        return dff(raw(values), around, settings, fit_rows=rows)

    before = made(values, ring)
    values, ring = values.copy(), ring.copy()
    values[~rows] *= rng.uniform(-50, 50, values[~rows].shape)
    ring[~rows] += 1e5
    after = made(values, ring)
    np.testing.assert_array_equal(before.f0, after.f0)
    np.testing.assert_array_equal(before.noise, after.noise)
    np.testing.assert_array_equal(before.flagged, after.flagged)
    np.testing.assert_array_equal(before.change[rows], after.change[rows])
    np.testing.assert_array_equal(before.traces.values[rows], after.traces.values[rows])
    assert not np.array_equal(before.change, after.change)
    assert before.traces.values[~rows].any()  # they have events of their own


def test_unknown_rate_uses_frames(rng):
    values = rng.normal(100, 5, (900, 2))
    by_frames = DffSettings(window_frames=90, smooth_frames=6)
    by_seconds = DffSettings(window_s=3, smooth_s=0.2)
    np.testing.assert_array_equal(
        dff(raw(values, None), None, by_frames).f0,
        dff(raw(values), None, by_seconds).f0,
    )


def test_a_recording_shorter_than_the_window(rng):
    made = dff(raw(rng.normal(100, 5, (2, 2))), None)
    assert np.isfinite(made.traces.values).all()


def test_recompute_uses_the_stored_settings(rng):
    counts = raw(rng.normal(100, 5, (900, 2)))
    ring = Traces(rng.normal(50, 5, (900, 2)), "neuropil", RATE)
    settings = DffSettings(baseline="maximin", window_s=5, neuropil_coefficient=0.5)
    traces = dff(counts, ring, settings).traces
    stored = json.loads(json.dumps(dict(traces.made_by)))
    recording = Recording(
        Traces(traces.values, "dff", RATE, stored), None, counts, ring
    )
    rows = np.arange(900) < 600
    again = recompute_dff(recording, rows)
    expected = dff(counts, ring, settings, rows).traces.values
    np.testing.assert_array_equal(again.traces.values, expected)
    assert again.raw is counts and DffSettings.from_json(stored) == settings


def test_events_are_recomputed_as_they_were_asked_for(rng):
    counts = raw(np.stack([cell(rng, 900)[0] for _ in range(2)], 1))
    settings = DffSettings(deconvolve=True, decay_s=0.6, minimal_event=2)
    made = dff(counts, None, settings)
    assert made.traces.kind == "events"
    np.testing.assert_allclose(made.events.decay_frames, 18)
    rows = np.arange(900) < 600
    again = recompute_dff(Recording(made.traces, raw=counts), rows)
    expected = dff(counts, None, settings, rows)
    np.testing.assert_array_equal(again.traces.values, expected.traces.values)
    assert again.traces.kind == "events"


def test_a_decay_in_seconds_needs_a_rate(rng):
    counts = raw(rng.normal(100, 5, (90, 2)), None)
    with pytest.raises(InvalidInput, match="give the rate"):
        dff(counts, None, DffSettings(deconvolve=True, decay_s=0.6))
    made = dff(counts, None, DffSettings(deconvolve=True, decay_s=0.6, decay_frames=9))
    np.testing.assert_array_equal(made.events.decay_frames, 9)


def test_flagged_rois_are_warned_of_one_by_one(rng):
    values = rng.normal([100, 0], 2, (900, 2))
    warnings = dff(raw(values), None).warnings()
    assert list(warnings) == [1] and "not to be trusted" in warnings[1][0]


def test_projects_from_before_have_the_settings_they_had():
    stored = {
        "neuropil_coefficient": 0.5,
        "baseline": "maximin",
        "window_s": 30.0,
        "percentile": 8.0,
        "smooth_s": 0.33,
        "window_frames": 300,
        "smooth_frames": 3.0,
        "follow_bleaching": True,
    }
    settings = DffSettings.from_json({"step": "dff", **stored})
    assert settings == DffSettings(0.5, "maximin", 30.0)


def test_recompute_leaves_a_trace_matrix_alone(rng):
    recording = Recording(Traces(rng.normal(size=(100, 2)), "dff", RATE))
    assert recompute_dff(recording, np.ones(100, bool)) is recording


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("neuropil_coefficient", -1),
        ("percentile", 101),
        ("window_s", np.nan),
        ("decay_s", 0),
        ("artefact_threshold", -1),
        ("neuropil", "some"),
        ("divide_by", "F"),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        DffSettings(**{name: value})


def test_mistaken_rows_and_shapes_are_named(rng):
    counts = raw(rng.normal(100, 5, (90, 2)))
    with pytest.raises(InvalidInput, match="same ROIs"):
        dff(counts, Traces(np.ones((90, 3)), "neuropil", RATE))
    with pytest.raises(InvalidInput, match="at least 2 rows"):
        dff(counts, None, fit_rows=np.zeros(90, bool))
    with pytest.raises(InvalidInput, match="baseline"):
        DffSettings(baseline="mean")
    with pytest.raises(InvalidInput, match="needs minimal_event 0"):
        DffSettings(noise_constraint=True, minimal_event=2)


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(2, 40), st.integers(1, 3)),
        elements=st.floats(-1e4, 1e4, width=32),
    ),
    st.sampled_from(["fixed", "fitted", "Allen"]),
    st.sampled_from(["percentile", "maximin", "median"]),
    st.sampled_from([None, 0.5, 30.0]),
)
def test_whatever_the_counts_dff_is_finite(values, neuropil, kind, rate):
    chosen = DffSettings(baseline=kind, neuropil=neuropil, deconvolve=True)
    ring = Traces(values[::-1] / 2, "neuropil", rate)
    made = dff(raw(values, rate), ring, chosen)
    for part in (made.traces.values, made.change, made.f0, made.noise):
        assert np.isfinite(part).all()
    assert (made.traces.values >= 0).all()
