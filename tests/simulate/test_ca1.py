import numpy as np
import pytest

from napari_cebra.recording import InvalidInput
from napari_cebra.simulate import Ca1Track, simulate_ca1


@pytest.fixture(scope="module")
def session():
    return simulate_ca1()


def of(session, name):
    return session.recording.variable(name).values


def test_variables_are_what_was_asked_for(session):
    recording = session.recording
    assert recording.traces.values.shape == (18_000, 120)
    position = recording.variable("position")
    assert (position.kind, position.units) == ("continuous", "cm")
    assert position.values.min() >= 0 and position.values.max() <= 160
    assert recording.variable("direction").kind == "discrete"
    assert set(of(session, "direction")) == {0, 1}


def test_animal_runs_both_ways_end_to_end_and_pauses(session):
    position, lap = of(session, "position"), session.recording.trials
    for number in range(lap.max()):
        there = position[lap == number]
        assert np.ptp(there) > 159
        steps = np.diff(there)
        outward = of(session, "direction")[lap == number][0]
        assert (steps >= 0).all() if outward else (steps <= 0).all()
    assert np.abs(np.diff(position)).max() < 4
    speed, valid = of(session, "speed"), session.recording.valid
    np.testing.assert_array_equal(valid, speed >= 3)
    assert 0.3 < valid.mean() < 0.9
    middle = (position > 30) & (position < 130)
    assert (middle & ~valid).any(), "no pause on the way"
    assert session.recording.reasons == ("", "not running")


def test_place_cells_fire_at_their_fields(session):
    position, direction = of(session, "position"), of(session, "direction")
    running = session.recording.valid
    edges = np.arange(0, 161, 8)
    errors = []
    for way in (0, 1):
        rows = running & (direction == way)
        where = np.digitize(position[rows], edges) - 1
        time = np.bincount(where, minlength=20)[:20]
        for cell in np.flatnonzero(np.isfinite(session.fields[way])):
            spikes = np.bincount(where, session.spikes[rows, cell], 20)[:20]
            best = edges[(spikes / time).argmax()] + 4
            errors.append(abs(best - session.fields[way, cell]))
    assert np.median(errors) < 10


def test_cells_without_a_field_do_not_know_the_place(session):
    none = np.isnan(session.fields).all(0)
    assert none.sum() == 120 - round(0.65 * 120)
    assert np.ptp(session.true_rates[:, none], axis=0).max() == 0


def test_fields_remap_with_direction(session):
    back, out = session.fields
    both = np.isfinite(back) & np.isfinite(out)
    one = np.isfinite(back) ^ np.isfinite(out)
    same = both & (back == out)
    assert same.sum() == (both & ~same).sum() == one.sum() == 26


def test_seed_decides(session):
    short = Ca1Track(minutes=1)
    one, two = simulate_ca1(short), simulate_ca1(short)
    np.testing.assert_array_equal(
        one.recording.traces.values, two.recording.traces.values
    )
    other = simulate_ca1(Ca1Track(seed=1, minutes=1))
    assert (of(one, "position") != of(other, "position")).any()


def test_traces_are_truth_and_noise(session):
    noise = session.recording.traces.values - session.true_dff
    assert noise.std() == pytest.approx(session.config.imaging_noise, rel=0.02)


def test_settings_are_checked():
    with pytest.raises(InvalidInput, match="minutes"):
        Ca1Track(minutes=0)
