"""Events: what they become frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io import EventTable, read_table
from napari_cebra.recording import InvalidInput

BIDS = (
    "onset\tduration\ttrial_type\tcontrast\n"
    "0.5\t1\tgrating\t0.2\n1.0\t1\treward\tn/a\n3\t0\treward\tn/a\n4.05\t.2\tgrating\t.8\n"
)
TIMES = np.arange(60) / 10


def events(tmp_path, text, part=None) -> EventTable:
    (tmp_path / "e.tsv").write_text(text)
    read = read_table(tmp_path / "e.tsv", part)
    assert isinstance(read, EventTable)
    return read


def rows(values) -> list[int]:
    return np.flatnonzero(values).tolist()


def test_durations_overlaps_and_moments(tmp_path) -> None:
    read = events(tmp_path, BIDS)
    assert read.names == ("grating", "reward", "contrast")
    assert read.part == "onsets in seconds"
    table = read.on_frames(60, TIMES)
    # A frame that an event only touches belongs to it: 4.05 to 4.25 s are frames 40-42.
    assert rows(table.column("grating")) == [*range(5, 15), 40, 41, 42]
    assert rows(table.column("reward")) == [*range(10, 20), 30]
    # Others hold the value of the event that began last.
    contrast = table.column("contrast")
    assert set(contrast[5:10]) == {0.2}
    assert set(contrast[40:43]) == {0.8}
    assert np.isnan(contrast[[0, 12, 25]]).all()
    assert table.variable("reward").kind == "discrete"
    assert table.n_rows == 60


def test_onsets_in_frames_need_no_rate(tmp_path) -> None:
    text = "onset_frame,duration_frames,type\n5,2,1\n9,0,2\n"
    table = events(tmp_path, text).on_frames(12, None)
    assert table.names == ("type 1", "type 2")
    assert rows(table.column("type 1")) == [5, 6]
    assert rows(table.column("type 2")) == [9]


def test_the_unit_of_onsets_can_be_chosen(tmp_path) -> None:
    text = "onset,duration\n5,2\n9,1\n"
    in_seconds = events(tmp_path, text).on_frames(100, np.arange(100) / 10)
    assert rows(in_seconds.column("event")) == [*range(50, 70), *range(90, 100)]
    in_frames = events(tmp_path, text, "onsets in frames").on_frames(100, None)
    assert rows(in_frames.column("event")) == [5, 6, 9]
    with pytest.raises(InvalidInput, match="choose 'onsets in seconds' or"):
        events(tmp_path, text, "onsets in minutes")


def test_milliseconds_and_ends(tmp_path) -> None:
    text = "start_ms,stop_ms,label\n500,1500,a\n2000,,b\n"
    table = events(tmp_path, text).on_frames(60, TIMES)
    assert rows(table.column("a")) == [*range(5, 15)]
    assert rows(table.column("b")) == [20]


def test_events_move_with_their_clock(tmp_path) -> None:
    moved = events(tmp_path, BIDS).moved(lambda s: 2 * s + 1)
    table = moved.on_frames(120, np.arange(120) / 10)
    assert rows(table.column("reward")) == [*range(30, 50), 70]


def test_events_outside_are_counted_or_refused(tmp_path) -> None:
    read = events(tmp_path, BIDS)
    assert "2 events outside the recording" in read.on_frames(20, TIMES[:20]).notes[-1]
    with pytest.raises(
        InvalidInput, match=r"None of the 4 events .* goes from second 99"
    ):
        read.on_frames(60, TIMES + 99)
    with pytest.raises(InvalidInput, match="frame rate of the recording is not known"):
        read.on_frames(60, None)


def test_events_between_frames_that_were_dropped(tmp_path) -> None:
    read = events(tmp_path, "onset,duration\n1.05,0\n3,0\n3.5,1.02\n2.1,1.9\n")
    times = np.r_[np.arange(20), np.arange(40, 60)] / 10  # none from 2 to 3.9 s
    table = read.on_frames(40, times)
    # The second and the last are in the gap; the third begins in it.
    assert rows(table.column("event")) == [10, *range(20, 26)]
    assert "2 events outside the recording, or between" in table.notes[-1]


def test_flags_of_onsets_row_by_row_are_no_events(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("onset,type\n" + "0,a\n1,b\n0,a\n" * 5)
    assert read_table(path).names == ("onset", "type")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("onset,duration\n1,1\n,2\n", "Event 2 in e.tsv has no onset"),
        ("start,stop\n1,2\n5,3\n", "Event 2 in e.tsv ends at 3, before it begins at 5"),
        (
            "onset,type\n" + "".join(f"{k},t{k}\n" for k in range(70)),
            "names 70 types of events",
        ),
        ("onset,duration\n1,long\n2,short\n", "holds words, but times"),
    ],
)
def test_events_that_make_no_sense(tmp_path, text, says) -> None:
    with pytest.raises(InvalidInput) as caught:
        events(tmp_path, text)
    assert says in str(caught.value)
