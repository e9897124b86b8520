import numpy as np
import pytest
import tifffile

from napari_cebra.pipeline import (
    STIMULUS,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
    exhaust,
    load_recording,
)
from napari_cebra.recording import InvalidInput

T, Y, X, M = 60, 16, 20, 15


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    stack = rng.integers(50, 200, (T, Y, X)).astype(np.int16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, metadata={"axes": "TYX"})
    labels = np.zeros((Y, X), np.uint16)
    labels[2:5, 2:5], labels[9:12, 8:12] = 1, 7
    tifffile.imwrite(tmp_path / "rois.tif", labels)
    np.save(tmp_path / "movie.npy", rng.integers(0, 255, (M, 8, 8), np.uint8))
    lines = ["frame,shown,repeat,trial,run,speed,heading"]
    lines += [
        f"{i},{i % M},{i // M},{i // 20},{int(i > 4)},{i / 7},{i * 10 % 360}"
        for i in range(T)
    ]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    return tmp_path


def source(files, **changes):
    fields = {
        "stack": str(files / "stack.tif"),
        "rois": str(files / "rois.tif"),
        "variables": str(files / "table.csv"),
        "shown_column": "shown",
        "repeat_column": "repeat",
        "movie": str(files / "movie.npy"),
    }
    return SourceConfig(**{**fields, **changes})


def load(source, target=None, **changes):
    config = PipelineConfig(source=source, target=TargetConfig(target, **changes))
    return exhaust(load_recording(config))


def test_everything_is_put_beside_the_traces(files):
    recording = load(source(files, trial_column="trial", valid_column="run", rate=30.0))
    assert recording.n_frames == T
    assert list(recording.roi_ids) == [1, 7]
    assert recording.raw is not None and recording.neuropil is not None
    assert np.array_equal(recording.stimulus.shown, np.arange(T) % M)
    assert list(recording.stimulus.repeats) == [0, 1, 2, 3]
    assert np.array_equal(recording.trials, np.arange(T) // 20)
    assert np.array_equal(recording.valid, np.arange(T) > 4)
    assert "not run" in recording.reasons
    assert [v.name for v in recording.variables] == ["speed", "heading"]
    assert recording.variable("heading").kind == "circular"
    assert [step.name for step in recording.provenance] == [
        "extract",
        "dff",
        "read table",
    ]


def test_movie_times_follow_the_pace_of_the_shown_frames(files):
    lines = ["shown,repeat"]
    lines += [f"{i % 30 // 2},{i // 30}" for i in range(T)]
    (files / "slow.csv").write_text("\n".join(lines))
    made = source(files, variables=str(files / "slow.csv"), rate=30.0)
    times = load(made).stimulus.frame_times
    assert times.size == M
    # 14 movie frames in the 29 imaging frames from the first to the last
    assert times[1] == pytest.approx(29 / 14 / 30)
    given = load(source(files, rate=30.0, movie_rate=5.0)).stimulus.frame_times
    assert given[1] == pytest.approx(0.2)


def test_without_a_rate_there_are_no_seconds(files):
    recording = load(source(files))
    assert recording.rate is None
    assert recording.frame_times is None
    assert recording.stimulus.frame_times is None


def test_target_is_read_as_asked(files):
    recording = load(source(files), "heading", kind="continuous")
    assert recording.variable("heading").kind == "continuous"


def test_grid_has_no_neuropil(files):
    recording = load(source(files, rois="grid:8"))
    assert recording.traces.n_rois == 6
    assert recording.neuropil is None


def test_the_channel_that_is_named_is_extracted(tmp_path):
    frames = np.arange(2 * 30 * 16 * 16, dtype=np.uint16).reshape(30, 2, 16, 16)
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TCYX"})
    for channel in (0, 1):
        recording = load(SourceConfig(str(path), rois="grid:8", channel=channel))
        expected = frames[:, channel].reshape(30, 2, 8, 2, 8).mean(axis=(2, 4))
        np.testing.assert_allclose(recording.raw.values, expected.reshape(30, 4))
    with pytest.raises(InvalidInput, match="has 2 channels"):
        load(SourceConfig(str(path), rois="grid:8"))


def test_traces_alone(files):
    np.save(files / "traces.npy", np.random.default_rng(0).normal(size=(T, 5)))
    recording = load(
        SourceConfig(traces=str(files / "traces.npy"), time_axis=0, rate=5.0)
    )
    assert (recording.n_frames, recording.traces.n_rois) == (T, 5)
    assert recording.rois is None and recording.raw is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stack": "nowhere.tif"}, "no file nowhere.tif"),
        ({"rois": "nowhere.tif"}, "no ROIs at nowhere.tif"),
        ({"rois": None}, "A stack needs ROIs"),
        ({"rois": "grid:x"}, "whole number of pixels"),
        ({"rois": "grid:99"}, "does not fit"),
        ({"shown_column": "show"}, "no column 'show'"),
        ({"shown_column": None}, "needs the column|without a shown-frame column"),
        ({"variables": None}, "no table"),
        ({"variables": None, "shown_column": None}, "needs the column"),
        ({"shown_column": "speed"}, "whole numbers"),
        ({"shown_column": "heading"}, "goes up to 350"),
        ({"axes": "XX"}, "axes"),
    ],
)
def test_what_does_not_fit_is_said(files, changes, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        load(source(files, **changes))


def test_table_of_another_length(files):
    text = (files / "table.csv").read_text().splitlines()
    (files / "short.csv").write_text("\n".join(text[:-3]))
    with pytest.raises(InvalidInput, match="57 rows but stack has 60 frames"):
        load(source(files, variables=str(files / "short.csv")))


@pytest.mark.parametrize(
    ("lines", "sentence"), [(0, "empty"), (1, "no rows"), (-3, "57 rows but")]
)
def test_a_table_is_refused_before_the_stack_is_read(files, lines, sentence):
    text = (files / "table.csv").read_text().splitlines()
    (files / "other.csv").write_text("\n".join(text[:lines]))
    said = []
    config = PipelineConfig(source=source(files, variables=str(files / "other.csv")))
    with pytest.raises(InvalidInput, match=sentence):
        exhaust(load_recording(config), lambda report: said.append(report.text))
    assert "Extracting traces" not in said


def test_rows_that_need_no_alignment_are_not_said_to_be_aligned(files):
    said = []
    config = PipelineConfig(source=source(files))
    exhaust(load_recording(config), lambda report: said.append(report.text))
    assert said and not any("Aligning" in text for text in said), said


def test_rois_of_another_field_of_view(files):
    tifffile.imwrite(files / "other.tif", np.ones((9, 9), np.uint8))
    with pytest.raises(InvalidInput, match="9×9 pixels but the stack is 16×20"):
        load(source(files, rois=str(files / "other.tif")))


def test_stimulus_as_target_needs_a_stimulus(files):
    made = source(files, shown_column=None, repeat_column=None, movie=None)
    with pytest.raises(InvalidInput, match="To decode the stimulus"):
        load(made, STIMULUS)
    with pytest.raises(InvalidInput, match="no variable 'place'"):
        load(made, "place")


def test_nothing_to_load():
    with pytest.raises(InvalidInput, match="no activity"):
        load(SourceConfig())


@pytest.mark.real_data
def test_suite2p_folder_brings_its_traces(real_data):
    folder = real_data / "pynapple_suite2p" / "plane0"
    recording = load(SourceConfig(rois=str(folder), rate=30.0))
    assert (recording.n_frames, recording.traces.n_rois) == (2000, 20)
    assert np.isfinite(recording.traces.values).all()
    everything = load(SourceConfig(rois=str(folder), accepted_only=False))
    assert everything.traces.n_rois == 219
    assert everything.rate is None


@pytest.mark.real_data
def test_spikes_become_a_recording(real_data):
    path = real_data / "alme_ca3" / "17724_fambegin2.h5"
    recording = load(SourceConfig(spikes=str(path), bin_s=0.1))
    assert recording.traces.n_rois > 30
    assert recording.rate == pytest.approx(10)
    assert recording.variables
    silent = real_data / "alme_ca3" / "17769_fambegin1.h5"
    with pytest.raises(InvalidInput):
        load(SourceConfig(spikes=str(silent)))


@pytest.mark.real_data
def test_worm_traces_keep_their_clock(real_data):
    path = real_data / "worm_wholebrain" / "worm_wholebrain_2022-08-02-01.npz"
    recording = load(SourceConfig(traces=str(path)))
    assert (recording.n_frames, recording.traces.n_rois) == (1600, 98)
    assert recording.rate == pytest.approx(1.667, abs=0.01)
    assert recording.frame_times[-1] == pytest.approx(961.9, abs=0.1)
