"""Behaviour in NWB files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_cebra.io import EventTable, read_table
from napari_cebra.recording import InvalidInput


def test_series_on_one_clock_with_what_lay_beside_them(tmp_path, files) -> None:
    read = read_table(files.nwb(tmp_path / "b.nwb"))
    assert read.parts == ("heading, position (40 rows)", "wheel (80 rows)", "trials")
    np.testing.assert_allclose(read.times, np.arange(40) / 20)
    np.testing.assert_allclose(read.column("position_y"), 0.02 * np.arange(40))
    assert read.variable("position_x").units == "m"
    heading = read.variable("heading")
    assert (heading.kind, heading.units) == ("circular", "rad")
    assert heading.period == pytest.approx(2 * np.pi)
    # Intervals, at the times of the series.
    trials = read.trials("trials")
    assert trials[[0, 7, 9, 10, 17, 20]].tolist() == [0, 0, -1, 1, 1, 2]
    assert read.column("trials.side")[[0, 9, 10]].tolist() == ["L", "", "R"]
    assert np.flatnonzero(read.column("run")).tolist() == [4, 5, 6, 7, 20, 21, 22, 23]


def test_another_clock_and_the_trials_alone(tmp_path, files) -> None:
    path = files.nwb(tmp_path / "b.nwb", rate=40.0)
    wheel = read_table(path, "wheel (80 rows)")
    np.testing.assert_allclose(wheel.times, np.arange(80) / 40)
    assert wheel.variable("wheel").units == "V"
    trials = read_table(path, "trials")
    assert isinstance(trials, EventTable)
    on_frames = trials.on_frames(30, np.arange(30) / 20)
    assert set(trials.names) == {"trials", "side"}
    assert on_frames.trials("trials")[[0, 8, 10]].tolist() == [0, -1, 1]
    with pytest.raises(InvalidInput, match="no part 'x'; choose one of heading"):
        read_table(path, "x")


def test_types_of_trials(tmp_path, files) -> None:
    path = files.nwb(tmp_path / "b.nwb")
    with h5py.File(path, "r+") as file:
        file["intervals/trials/condition"] = ["go", "stop", "go"]
    read = read_table(path)
    assert {"trials", "trials.go", "trials.stop", "trials.side"} <= {*read.names}
    np.testing.assert_array_equal(read.trials("trials")[[0, 10, 20]], [0, 1, 2])
    np.testing.assert_array_equal(
        read.column("trials.go")[[0, 9, 10, 20]], [1, 0, 0, 1]
    )
    assert read_table(path, "trials").guess_kind("trials") == "discrete"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rate": 0.0}, "wheel left out, as its times are no clock: its rate is 0"),
        (
            {"times": np.r_[0.0, 5.0, np.arange(38) / 20]},
            "row 3 goes back to 0 after 5",
        ),
        ({"times": np.r_[np.nan, np.arange(39) / 20]}, "row 1 is empty"),
        ({"times": np.arange(39) / 20}, "39 timestamps for 40 values"),
    ],
)
def test_series_without_a_clock_are_named(tmp_path, files, change, says) -> None:
    read = read_table(files.nwb(tmp_path / "b.nwb", **change))
    assert any(says in note for note in read.notes), read.notes


def test_nwb_without_behaviour(tmp_path, samples) -> None:
    with pytest.raises(InvalidInput, match="holds no behaviour that can be used"):
        read_table(samples.nwb(tmp_path / "n.nwb"))
    path = tmp_path / "b.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        group = file.create_group("acquisition/wheel")
        group.attrs["neurodata_type"] = "TimeSeries"
        group["data"] = np.arange(5.0)
    with pytest.raises(InvalidInput, match="neither timestamps nor a starting time"):
        read_table(path)
