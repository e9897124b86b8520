"""A recording is one table of rows, and says so where it is not."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from napari_cebra.recording import (
    InvalidInput,
    Recording,
    RoiSet,
    Stimulus,
    Traces,
    Variable,
)

T, N = 6, 4


def traces(t: int = T, n: int = N, **settings: object) -> Traces:
    values = np.arange(t * n, dtype=float).reshape(t, n)
    return Traces(values, **settings)  # type: ignore[arg-type]


def test_what_is_not_given_is_filled_in() -> None:
    recording = Recording(traces(rate=2.0))
    np.testing.assert_array_equal(recording.frame_times, np.arange(T) / 2)
    assert recording.trials.tolist() == [0] * T
    assert recording.valid.all()
    assert not recording.invalid_because.any()
    assert recording.roi_ids.tolist() == [1, 2, 3, 4]
    assert recording.n_frames == T


def test_an_unknown_rate_stays_unknown() -> None:
    recording = Recording(traces())
    assert recording.rate is None
    assert recording.frame_times is None


def test_the_rate_comes_from_the_clock_where_there_is_one() -> None:
    times = np.array([0.0, 0.5, 1.0, 1.5, 9.0, 9.5])
    assert Recording(traces(), frame_times=times).rate == 2.0
    assert Recording(traces(rate=30.0), frame_times=times).rate == 30.0


def test_ids_are_those_of_the_rois() -> None:
    rois = RoiSet.from_labels(np.array([[4, 9], [30, 2]]))
    assert Recording(traces(), rois=rois).roi_ids.tolist() == [2, 4, 9, 30]


def test_excluding_rows_keeps_the_first_reason_and_the_original() -> None:
    recording = Recording(traces())
    once = recording.exclude(np.arange(T) < 3, "not running")
    twice = once.exclude(np.arange(T) < 4, "bad frame").exclude(
        np.arange(T) == 5, "not running"
    )
    assert recording.valid.all()
    assert twice.reasons == ("", "not running", "bad frame")
    said = [twice.reasons[code] for code in twice.invalid_because]
    assert said == ["not running"] * 3 + ["bad frame", "", "not running"]
    np.testing.assert_array_equal(twice.valid, twice.invalid_because == 0)


def test_windows_look_at_rows_set_aside_for_what_the_animal_did() -> None:
    standing, bad = np.arange(T) == 1, np.isin(np.arange(T), [3, 4])
    recording = Recording(traces()).exclude(standing, "not running", look=True)
    recording = recording.exclude(bad, "bad frame").exclude(standing | bad, "x")
    np.testing.assert_array_equal(recording.seen, ~(standing | bad))
    recording = Recording(traces()).exclude(standing, "not running", look=True)
    recording = recording.exclude(bad, "bad frame")
    np.testing.assert_array_equal(recording.seen, ~bad)
    np.testing.assert_array_equal(recording.valid, ~(standing | bad))
    assert recording.stretches.tolist() == [0, 0, 0, -1, -1, 1]


def test_rows_given_as_invalid_have_a_reason() -> None:
    recording = Recording(traces(), valid=np.arange(T) > 0)
    assert recording.reasons[recording.invalid_because[0]] == "excluded"


def test_reasons_follow_the_rows_that_are_valid() -> None:
    recording = Recording(traces()).exclude(np.arange(T) < 2, "bad frame")
    changed = replace(recording, valid=np.arange(T) % 2 == 0)
    said = [changed.reasons[code] for code in changed.invalid_because]
    assert said == ["", "bad frame", "", "excluded", "", "excluded"]


def test_provenance_grows_by_steps() -> None:
    recording = Recording(traces()).with_step("load", "a.tif", rate=30.0)
    recording = recording.with_step("dF/F", window_s=60)
    assert [step.name for step in recording.provenance] == ["load", "dF/F"]
    assert recording.provenance[0].sources == ("a.tif",)
    assert recording.provenance[1].parameters == {"window_s": 60}


def test_a_recording_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Recording(traces()).name = "other"  # type: ignore[misc]


def test_variables_are_found_by_name() -> None:
    recording = Recording(
        traces(),
        variables=[Variable("speed", np.ones(T))],  # type: ignore[arg-type]
    )
    assert recording.variable("speed").name == "speed"
    with pytest.raises(InvalidInput, match="no variable 'sped'; there is: 'speed'"):
        recording.variable("sped")
    with pytest.raises(InvalidInput, match="there is: none"):
        Recording(traces()).variable("speed")


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"trials": np.zeros(5)}, "6 imaging frames but 5 trial ids"),
        ({"valid": np.ones(7, bool)}, "but 7 validity flags"),
        ({"invalid_because": np.zeros(2, int)}, "but 2 validity reasons"),
        ({"frame_times": np.arange(5.0)}, "but 5 frame times"),
        ({"invalid_because": np.full(T, 1)}, "reasons must be numbers from 0 to 0"),
        ({"stimulus": Stimulus(np.arange(5))}, "but 5 shown-frame indices"),
        ({"raw": traces(5)}, "but 5 raw traces"),
        ({"neuropil": traces(5)}, "but 5 neuropil traces"),
        ({"variables": (Variable("v", np.zeros(5)),)}, "but 5 values of 'v'"),
        ({"frame_times": np.zeros(T)}, "must rise"),
        ({"frame_times": np.r_[np.arange(5.0), np.nan]}, "must rise"),
        ({"variables": (Variable("v", np.zeros(T)),) * 2}, "the same name"),
        ({"rois": RoiSet.grid((2, 3), 1)}, "4 traces but 6 ROIs"),
        ({"raw": traces(n=3)}, "4 traces but 3 raw traces"),
        ({"neuropil": traces(n=3)}, "4 traces but 3 neuropil traces"),
    ],
)
def test_parts_of_other_sizes_are_refused_in_a_sentence(
    parts: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Recording(traces(), **parts)  # type: ignore[arg-type]


def test_an_error_is_one_sentence() -> None:
    with pytest.raises(InvalidInput) as raised:
        Recording(traces(), trials=np.zeros(5))
    text = str(raised.value)
    assert "\n" not in text
    assert text.endswith(".")
