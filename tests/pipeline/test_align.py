"""Logs on clocks of their own, against the truth they were written from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.pipeline import PipelineConfig, SourceConfig, exhaust, load_recording
from napari_cebra.pipeline.align import aligning, without_tables
from napari_cebra.pipeline.align_config import AlignConfig, LogConfig, TimesConfig
from napari_cebra.pipeline.align_words import report
from napari_cebra.recording import InvalidInput, Recording, Traces, segments
from napari_cebra.simulate import ThreeClocks, write_three_clocks


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> ThreeClocks:
    return write_three_clocks(tmp_path_factory.mktemp("clocks"))


def pulses_of(truth: ThreeClocks, who: str) -> TimesConfig:
    return TimesConfig(str(truth.folder / f"{who}_pulses.csv"))


def by_pulses(truth: ThreeClocks, who: str, **changes) -> LogConfig:
    return LogConfig(
        "pulses", pulses_of(truth, who), pulses_of(truth, "imaging"), **changes
    )


def config_of(truth: ThreeClocks, **behaviour) -> PipelineConfig:
    return PipelineConfig(
        source=SourceConfig(
            traces=str(truth.folder / "traces.npy"),
            variables=str(truth.folder / "behaviour.csv"),
            time_column="time_s",
            stimulus_log=str(truth.folder / "stimulus.csv"),
            stimulus_time_column="time_s",
            shown_column="frame",
        ),
        align=AlignConfig(
            frames=TimesConfig(str(truth.folder / "frames.csv")),
            behaviour=by_pulses(truth, "behaviour", **behaviour),
            stimulus=by_pulses(truth, "stimulus"),
        ),
    )


def bare(truth: ThreeClocks) -> Recording:
    return Recording(Traces(np.load(truth.folder / "traces.npy"), "dff"))


def aligned(truth: ThreeClocks, config: PipelineConfig):
    return exhaust(aligning(bare(truth), config.source, config.align))


def turn(difference: np.ndarray) -> np.ndarray:
    return np.abs((difference + np.pi) % (2 * np.pi) - np.pi)


def test_three_clocks_come_onto_one(truth):
    made = aligned(truth, config_of(truth))
    recording = made.recording
    for log, clock in zip(made.logs, (truth.behaviour, truth.stimulus), strict=True):
        ends = clock.back(truth.frame_times[[0, -1]])
        np.testing.assert_allclose(log.clock.to(ends), clock.to(ends), atol=1e-3)
        assert 0.83 < log.clock.match_rate < 0.97
    valid = recording.valid
    half = 0.5 / 30 + 0.01  # a frame's mean may take samples so far away
    assert np.all(valid[truth.logged])
    late = ~truth.logged & valid
    assert np.all(np.diff(np.flatnonzero(late)) > 1)  # a frame at each edge at most
    because = np.array(recording.reasons)[recording.invalid_because[~valid]]
    assert set(because) == {
        "outside the behaviour log",
        "gap in the behaviour log",
    }
    position = recording.variable("position").values
    speed = np.abs(np.gradient(truth.position, truth.frame_times)).max()
    assert np.abs(position - truth.position)[truth.logged].max() < speed * half / 2
    heading = recording.variable("heading")
    assert heading.kind == "circular"
    assert turn(heading.values - truth.heading)[truth.logged].max() < 1.4 * half / 2
    np.testing.assert_array_equal(recording.stimulus.shown, truth.shown)
    np.testing.assert_array_equal(recording.frame_times, truth.frame_times.round(7))


def test_interpolated_values_are_as_near_as_the_curve_is_straight(truth):
    config = config_of(truth, resampling="interpolate")
    recording = aligned(truth, config).recording
    position = recording.variable("position").values
    # 0.01 s between samples, at most 30 cm/s^2, and a clock right to 50 µs.
    assert np.abs(position - truth.position)[truth.logged].max() < 45 * 5e-5 + 4e-4


def test_discrete_values_are_held_to_the_sample(truth):
    recording = aligned(truth, config_of(truth)).recording
    wrong = np.flatnonzero(recording.variable("side").values != truth.side)
    wrong = wrong[truth.logged[wrong]]
    switch = np.flatnonzero(np.diff(truth.side)) + 1
    # Known to the 10 ms of the log: at most the frame of a switch is late.
    assert np.isin(wrong, switch).all() and wrong.size < switch.size


def test_dropped_frames_are_borders(truth):
    made = aligned(truth, config_of(truth))
    np.testing.assert_array_equal(made.gaps.after, truth.dropped)
    stretch = segments(made.recording.trials, made.recording.valid)
    assert np.all(stretch[truth.dropped] != stretch[truth.dropped + 1])
    assert "16 of 3616 frames dropped in 3 gaps" in str(made.gaps)


def test_script_and_json_give_the_same_numbers(truth):
    config = config_of(truth)
    again = PipelineConfig.from_json(config.to_json())
    assert again == config
    loaded = exhaust(load_recording(again))
    made = aligned(truth, config).recording
    for one, other in zip(loaded.variables, made.variables, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(loaded.stimulus.shown, made.stimulus.shown)
    assert loaded.provenance[-1].name == "align clocks"


def test_what_was_put_beside_is_taken_off_again(truth):
    config = config_of(truth)
    made = aligned(truth, config).recording
    names = ("time_s", "position", "heading", "side")
    back = without_tables(made, None, names)
    assert not back.variables and back.stimulus is None and back.valid.all()
    assert back.frame_times is None and not back.trials.any()
    once_more = exhaust(aligning(back, config.source, config.align)).recording
    np.testing.assert_array_equal(once_more.valid, made.valid)
    assert [s.name for s in once_more.provenance] == [s.name for s in made.provenance]


def test_the_log_of_another_recording_is_refused_with_the_match(truth, tmp_path):
    other = write_three_clocks(tmp_path, seed=1)
    config = config_of(truth)
    wrong = replace(config.align.behaviour, pulses=pulses_of(other, "behaviour"))
    config = replace(config, align=replace(config.align, behaviour=wrong))
    with pytest.raises(InvalidInput, match=r"Only \d+% of the pulses match"):
        aligned(truth, config)


def test_onsets_pair_by_pair_and_times_of_one_clock(truth, tmp_path):
    on_imaging = np.array([15.0, 40, 41, 77, 120])
    pairs = np.stack([truth.behaviour.back(on_imaging), on_imaging], axis=1)
    np.savetxt(tmp_path / "on.csv", pairs, "%.6f", ",", header="rig,scope", comments="")
    file = str(tmp_path / "on.csv")
    config = config_of(truth)
    onsets = LogConfig("onsets", TimesConfig(file, "rig"), TimesConfig(file, "scope"))
    made = aligned(
        truth, replace(config, align=replace(config.align, behaviour=onsets))
    )
    clock = made.logs[0].clock
    assert (clock.scale, clock.offset) == pytest.approx(
        (truth.behaviour.scale, truth.behaviour.offset), abs=1e-4
    )
    log = np.loadtxt(truth.folder / "behaviour.csv", delimiter=",", skiprows=1)
    log[:, 0] = truth.behaviour.to(log[:, 0]) - 3
    np.savetxt(
        tmp_path / "ms.csv",
        log * [1e3, 1, 1, 1],
        "%.6f",
        ",",
        header="ms,position,heading,side",
        comments="",
    )
    times = LogConfig("times", per_second=1000, start_s=3)
    source = replace(
        config.source, variables=str(tmp_path / "ms.csv"), time_column="ms"
    )
    config = replace(
        config, source=source, align=replace(config.align, behaviour=times)
    )
    found = aligned(truth, config).recording.variable("position").values
    expected = made.recording.variable("position").values
    np.testing.assert_allclose(found, expected, atol=0.5)


def test_rates_alone_say_that_nothing_checked_them():
    recording = Recording(Traces(np.zeros((100, 1)), rate=10.0))
    source = SourceConfig(variables="log.csv")
    table = table_of_columns(x=np.arange(400.0))
    align = AlignConfig(behaviour=LogConfig("rates", rate=50.0, start_s=-1.0))
    made = exhaust(aligning(recording, source, align, table=table))
    assert "Nothing has checked the clock of the behaviour log" in made.notes[0]
    unknown = "Dropped frames: not known: the frames have no times of their own."
    assert unknown in report(made)
    x = made.recording.variable("x").values
    # Row k is at k / 50 - 1 s, so frame i at i / 10 s is row 5 i + 50.
    inside = made.recording.valid
    expected = 5 * np.arange(100.0) + 50
    np.testing.assert_allclose(x[:70], expected[:70], atol=0.6)
    assert np.isnan(x[71:]).all() and not inside[71:].any()  # it ends at 6.98 s


@pytest.mark.parametrize(("start", "n_notes"), [(0.0, 1), (-3.0, 2)])
def test_times_that_nothing_has_checked_are_said_to_be(start, n_notes):
    recording = Recording(Traces(np.zeros((100, 1)), rate=10.0))
    source = SourceConfig(variables="log.csv", time_column="time_s")
    table = table_of_columns(x=np.arange(400.0), time_s=np.arange(400) / 40)
    align = AlignConfig(behaviour=LogConfig("times", start_s=start))
    made = exhaust(aligning(recording, source, align, table=table))
    assert len(made.notes) == n_notes
    assert "Nothing has checked the clock of the behaviour log" in made.notes[0]
    if n_notes == 2:
        assert "Warning: the behaviour log spans only 70% of the time" in made.notes[1]


def table_of_columns(**columns):
    from napari_cebra.io.tables import Table

    return Table("log.csv", {k: np.asarray(v) for k, v in columns.items()})


def signal_file(tmp_path, signal, name="daq.csv"):
    np.savetxt(tmp_path / name, signal, "%.5f", header="ttl", comments="")
    return str(tmp_path / name)


def test_edges_of_a_noisy_signal_are_pulses(tmp_path):
    from napari_cebra.pipeline.align_times import read_times

    rng = np.random.default_rng(0)
    begin = np.sort(rng.choice(np.arange(100, 20000, 50), 60, replace=False))
    signal = np.zeros(21000)
    for at in begin:
        signal[at : at + 20] = 5.0
    signal += rng.normal(0, 0.15, signal.size)
    file = signal_file(tmp_path, signal)
    rising = read_times(TimesConfig(file, "ttl", "rising", per_second=1000))
    np.testing.assert_allclose(rising, (begin - 0.5) / 1000, atol=3e-4)
    falling = read_times(TimesConfig(file, "ttl", "falling", 2.0, per_second=1000))
    np.testing.assert_allclose(falling, (begin + 19.5) / 1000, atol=3e-4)


BAD = {
    "frames at another number": (
        {"frames": "few"},
        r"5 frame times for 100 imaging frames; choose the log of this recording",
    ),
    "more frame times than frames": (
        {"frames": "many"},
        r"120 frame times for 100 .*; say how many of them come before the first",
    ),
    "skipping too many": (
        {"frames": "many", "skip": 30},
        r"90 frame times after the 30 that are skipped for 100 imaging frames",
    ),
    "times go back": ({"times": "back"}, r"times of log.csv must rise, but row 50"),
    "times twice": ({"times": "twice"}, r"must rise, but row 7 .* repeats"),
    "times missing": ({"times": "nan"}, r"3 of the 200 times of log.csv are empty"),
    "times as words": ({"times": "words"}, r"'t' of log.csv holds words"),
    "no times": ({"times": None}, r"log.csv has 200 rows for 100 .* name the column"),
    "another day": ({"times": "later"}, r"log.csv runs from 5000.000 to 5009.950 s"),
    "rate missing": ({"method": "rates"}, r"Give the rows per second of log.csv"),
    "imaging rate missing": ({"rate": None}, r"frame rate is not known, so the imag"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_aligned_is_told_in_one_sentence(case, tmp_path):
    given, sentence = BAD[case]
    given = {"times": "good", "method": "times", "rate": 10.0, **given}
    t = np.arange(200) / 20
    times = {
        "good": t,
        "back": np.where(np.arange(200) < 50, t, t - 3),
        "twice": np.where(np.arange(200) == 7, t[6], t),
        "nan": np.where(np.arange(200) % 80 == 5, np.nan, t),
        "words": np.array(["now"] * 200),
        "later": t + 5000,
    }
    columns = {"x": np.arange(200.0)}
    column = None
    if given["times"] is not None:
        columns["t"], column = times[given["times"]], "t"
    frames = None
    if "frames" in given:
        n = {"few": 5, "many": 120}[given["frames"]]
        frames = TimesConfig(signal_file(tmp_path, np.arange(n) / 10, "frames.csv"))
    recording = Recording(Traces(np.zeros((100, 1)), rate=given["rate"]))
    align = AlignConfig(frames, given.get("skip"), LogConfig(given["method"]))
    source = SourceConfig(variables="log.csv", time_column=column)
    table = table_of_columns(**columns)
    with pytest.raises(InvalidInput, match=sentence) as refused:
        exhaust(aligning(recording, source, align, table=table))
    text = str(refused.value)
    assert text.endswith(".") and "\n" not in text


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"behaviour": {"method": "magic"}}, "method must be one of same rows, times"),
        ({"behaviour": {"rate": 0}}, "rate must be a positive number, not 0"),
        ({"behaviour": {"min_match": 0.1}}, "a wrong log would pass"),
        ({"behaviour": {"pulse": 1}}, "Unknown settings in 'behaviour': pulse"),
        ({"frames": {"file": "x", "per_second": -1}}, "per_second must be a positive"),
        ({"frames": {"column": "t"}}, "times of the imaging frames need a file"),
        ({"skip": -1}, "must be a whole number from 0"),
    ],
)
def test_settings_out_of_range_are_named(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        PipelineConfig.from_dict({"align": given})


def test_columns_that_tell_the_time_are_no_variables():
    t = np.arange(500) / 50
    rng = np.random.default_rng(0)
    begin = np.cumsum(rng.integers(15, 40, 18))
    ttl = np.isin(np.arange(500), begin) * 5.0
    table = table_of_columns(ms=1000 * t, x=np.sin(t), ttl=ttl)
    source = SourceConfig(variables="log.csv", time_column="ms")
    pulses = TimesConfig(None, "ttl", "rising", None, "ms", 1000)
    log = LogConfig("pulses", pulses, per_second=1000, min_match=0.9)
    # The imaging frames are at pulses of the rig, as where it drives the microscope.
    at = (begin - 0.5) / 50
    recording = Recording(Traces(np.zeros((at.size, 1))), frame_times=at)
    made = exhaust(aligning(recording, source, AlignConfig(behaviour=log), table=table))
    assert [v.name for v in made.recording.variables] == ["x"]
    assert made.logs[0].clock.scale == pytest.approx(1)


def test_pulses_of_a_camera_are_the_times_of_its_rows(tmp_path):
    camera = 3 + np.arange(250) / 25
    file = signal_file(tmp_path, 1000 * camera, "camera.csv")
    log = LogConfig("times", times=TimesConfig(file, per_second=1000))
    recording = Recording(Traces(np.zeros((100, 1)), rate=10.0))
    table = table_of_columns(nose=2 * camera)
    align, source = AlignConfig(behaviour=log), SourceConfig(variables="log.csv")
    made = exhaust(aligning(recording, source, align, table=table)).recording
    nose = made.variable("nose").values
    inside = slice(31, 100)
    np.testing.assert_allclose(nose[inside], 0.2 * np.arange(100)[inside], atol=0.05)
    assert not made.valid[:29].any()
    with pytest.raises(InvalidInput, match="250 times for the 240 rows"):
        short = table_of_columns(nose=camera[:240])
        exhaust(aligning(recording, source, align, table=short))


def test_frame_pulses_before_the_first_frame_are_skipped(tmp_path):
    file = signal_file(tmp_path, np.arange(120) / 10, "frames.csv")
    recording = Recording(Traces(np.zeros((100, 1))))
    align = AlignConfig(TimesConfig(file), skip=7)
    made = exhaust(aligning(recording, SourceConfig(), align)).recording
    np.testing.assert_allclose(made.frame_times, 0.7 + np.arange(100) / 10)
    assert made.rate == pytest.approx(10)


def test_frame_times_too_uneven_to_tell_what_was_dropped_are_said_to_be():
    at = np.cumsum(np.random.default_rng(0).exponential(0.1, 200))
    recording = Recording(Traces(np.zeros((200, 1))), frame_times=at)
    made = exhaust(aligning(recording, SourceConfig(), AlignConfig()))
    assert made.gaps is None and not made.recording.trials.any()
    assert "too uneven to tell dropped frames" in made.notes[0]


def test_a_rate_that_the_frame_times_do_not_agree_with_is_told(tmp_path):
    file = signal_file(tmp_path, np.arange(100) / 29.2, "frames.csv")
    recording = Recording(Traces(np.zeros((100, 1)), rate=30.0))
    align = AlignConfig(TimesConfig(file))
    made = exhaust(aligning(recording, SourceConfig(), align))
    assert "came at 29.2 Hz by their times, not at the 30 Hz" in made.notes[0]
