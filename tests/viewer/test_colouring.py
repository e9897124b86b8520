"""Colours mean what the legend says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.recording import Recording, Traces, Variable
from napari_cebra.viewer.latent_view.colouring import (
    UNKNOWN,
    choices,
    colour_table,
    colouring,
)


@pytest.fixture
def recording(made):
    return made.recording()


def test_every_choice_gives_a_colour_per_point(recording):
    frames = np.flatnonzero(recording.valid)[::3]
    for key, _ in choices(recording):
        found = colouring(recording, key, frames, roi=4)
        assert found.rgba.shape == (frames.size, 4)
        assert found.title
        assert found.table is not None or found.entries


def test_a_circle_closes_on_itself(recording):
    found = colouring(recording, "variable:angle", np.arange(600))
    assert found.kind == "circular"
    assert found.high == pytest.approx(2 * np.pi)
    assert found.units == "rad"
    ends = colour_table("CET-C6")[[0, -1], :3]
    steps = np.abs(np.diff(colour_table("CET-C6")[:, :3], axis=0)).max()
    assert np.abs(ends[0] - ends[1]).max() <= 2 * steps


def test_time_has_the_seconds_of_the_recording(recording):
    found = colouring(recording, "time", np.array([0, 599]))
    assert (found.low, found.high) == pytest.approx((0, 599 / 30))
    assert found.units == "s"
    table = colour_table("viridis")
    assert np.allclose(found.rgba, table[[0, -1]])


def test_time_without_a_rate_is_in_frames():
    recording = Recording(Traces(np.random.default_rng(0).random((50, 3))))
    found = colouring(recording, "time", np.arange(50))
    assert (found.units, found.low, found.high) == ("frame", 0, 49)


def test_classes_keep_their_colours_whatever_is_drawn(recording):
    every = colouring(recording, "variable:side", np.arange(600))
    some = colouring(recording, "variable:side", np.arange(50, 100))
    assert [text for text, _ in every.entries] == ["0", "1"]
    assert np.array_equal(some.rgba, every.rgba[50:100])
    assert len(np.unique(every.rgba, axis=0)) == 2


def test_what_is_not_known_is_grey():
    values = np.array([0.0, np.nan, 2.0])
    recording = Recording(
        Traces(np.ones((3, 1)) * [[1], [2], [3]]),
        variables=(
            Variable("speed", values),
            Variable("class", values, "discrete"),
        ),
    )
    for key in ("variable:speed", "variable:class"):
        rgba = colouring(recording, key, np.arange(3)).rgba
        assert np.allclose(rgba[1], UNKNOWN)
        assert not np.allclose(rgba[[0, 2]], UNKNOWN)


def test_the_selected_roi_colours_by_its_trace_in_percent(recording):
    found = colouring(recording, "roi", np.arange(600), roi=5)
    trace = 100 * recording.traces.values[:, 4]
    assert found.title == "ROI 5 dF/F" and found.units == "%"
    assert found.high == pytest.approx(np.percentile(trace[recording.valid], 99))
    brightest = found.rgba[np.argmax(trace)]
    assert np.allclose(brightest, found.table[-1])


def test_no_roi_selected_says_what_to_do(recording):
    found = colouring(recording, "roi", np.arange(600), roi=None)
    assert "Click an ROI" in found.title
    assert np.allclose(found.rgba, UNKNOWN)


def test_a_choice_that_is_gone_falls_back_to_time(recording):
    assert colouring(recording, "variable:gone", np.arange(9)).title == "Time"


def test_columns_of_a_variable_are_choices_of_their_own():
    position = np.random.default_rng(0).random((40, 2))
    recording = Recording(
        Traces(np.random.default_rng(1).random((40, 2))),
        variables=(Variable("position", position, units="cm"),),
    )
    keys = [key for key, _ in choices(recording)]
    assert keys[1:3] == ["variable:position:0", "variable:position:1"]
    second = colouring(recording, keys[2], np.arange(40))
    assert second.title == "position 2" and second.units == "cm"
    assert second.high == pytest.approx(position[:, 1].max())
