"""What is drawn beneath the traces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.recording import Variable
from napari_cebra.viewer import beneath

TASKS = {"angle": "angle", "side": "class", "position": "regression"}


def decoded(made, recording, name: str):
    """Return a decoding of a variable in two folds, a little beside the truth."""
    made_of_movie = made.decoding(recording, made.embedding(recording))
    true = recording.variable(name).values
    fold = np.full(recording.n_frames, -1)
    fold[300:440], fold[460:600] = 0, 1
    nothing = -1 if TASKS[name] == "class" else np.nan
    return replace(
        made_of_movie,
        target=name,
        task=TASKS[name],
        true=true,
        predicted=np.where(fold >= 0, true, nothing),
        fold=fold,
        part=np.where(fold >= 0, "test", "train"),
    )


@pytest.mark.parametrize(
    "name, title", [("angle", "angle (rad)"), ("side", "side")], ids=str
)
def test_a_decoded_variable_has_gaps_and_borders(made, name, title):
    recording = made.recording()
    decoding = decoded(made, recording, name)
    offered = beneath.choices(recording, decoding)
    assert offered[0] == (f"{name} (measured and decoded)", beneath.DECODED)
    times = recording.frame_times
    found = beneath.look_up(beneath.DECODED, recording, decoding, times)
    assert found.title == title
    x, y = found.decoded
    kept = np.isfinite(y)
    rows = np.searchsorted(times, x[kept])
    assert np.array_equal(rows, np.flatnonzero(decoding.fold >= 0))
    assert np.allclose(y[kept], decoding.true[rows])
    expected = [times[300], (times[439] + times[460]) / 2]
    assert found.borders == pytest.approx(expected)


def test_a_line_does_not_cross_the_plot_where_an_angle_wraps(made):
    recording = made.recording()
    key = dict(beneath.choices(recording, None))["angle"]
    x, y = beneath.look_up(key, recording, None, recording.frame_times).measured
    assert np.isnan(y).sum() == 5 and np.all(np.diff(x) > 0)
    assert np.nanmax(np.abs(np.diff(y))) < np.pi


def test_decoded_angles_are_drawn_where_the_measured_ones_are(made):
    recording = made.recording()
    signed = (recording.variable("angle").values + np.pi) % (2 * np.pi) - np.pi
    decoding = replace(decoded(made, recording, "angle"), true=signed)
    found = beneath.look_up(beneath.DECODED, recording, decoding, recording.frame_times)
    (_, measured), (at, y) = found.measured, found.decoded
    last = np.isin(at, recording.frame_times) & np.isfinite(y)
    assert np.allclose(y[last], signed[decoding.fold >= 0])
    assert np.nanmin(measured) < -3


def test_names_that_look_like_other_choices_and_renamed_targets(made):
    recording = made.recording()
    odd = Variable("stimulus", np.zeros(600), "continuous", "cm")
    recording = replace(recording, variables=(*recording.variables, odd))
    keys = dict(beneath.choices(recording, None))
    found = beneath.look_up(keys["stimulus"], recording, None, np.arange(600.0))
    assert found.title == "stimulus (cm)" and found.decoded is None
    decoding = replace(decoded(made, recording, "position"), target="before")
    found = beneath.look_up(beneath.DECODED, recording, decoding, np.arange(600.0))
    assert found.title == "before"


def test_a_decoded_movie_is_shown_as_a_movie(made):
    recording = made.recording()
    decoding = made.decoding(recording, made.embedding(recording))
    texts = [text for text, _ in beneath.choices(recording, decoding)]
    assert texts == ["stimulus frame", "angle", "side", "position"]
