"""What is said about traces, in the window and on the command line."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.io import stack_from_array
from napari_cebra.io.roi_file import RoiFile
from napari_cebra.io.sources import SourceFile
from napari_cebra.pipeline import exhaust, roi_traces
from napari_cebra.pipeline.roi_traces import program_traces
from napari_cebra.pipeline.trace_report import notes_of, trace_report
from napari_cebra.recording import RoiSet, Traces
from napari_cebra.traces import DffSettings


@pytest.fixture
def made():
    """Return traces of six bright ROIs and a dark one, with two flashes."""
    rng = np.random.default_rng(0)
    labels = np.zeros((60, 60), int)
    for roi in range(7):
        labels[5 + 12 * (roi // 4) :, :][:6, 5 + 12 * (roi % 4) :][:, :6] = roi + 1
    movie = rng.poisson(100, (400, 60, 60))
    movie[:, labels == 3] = 0
    movie[[90, 91]] += 500
    movie[[90, 91]] *= labels != 3
    stack = stack_from_array(movie.astype(np.uint16), "TYX", "s", 30.0, {})
    settings = DffSettings(artefact_threshold=8, deconvolve=True)
    return exhaust(roi_traces(stack, RoiSet.from_labels(labels), settings))


def test_warnings_are_notes_of_the_recording_and_of_single_rois(made):
    notes = notes_of(made.recording)
    assert "1 of 7 ROIs is flagged" in notes[0] and "(ROI 3)" in notes[0]
    assert any("No decay of calcium" in note for note in notes)
    assert any("2 of 400 frames are artefacts" in note for note in notes)
    report = trace_report(made.recording, made.made)
    assert report.flagged == (3,) and "F0 does not stand out" in report.warnings[3][0]
    assert report.notes == notes
    assert report.quality.snr[2] == 0


def test_a_report_made_again_says_the_same(made):
    first = trace_report(made.recording, made.made)
    again = trace_report(made.recording)
    assert again.notes == first.notes and again.warnings == first.warnings
    for name in ("snr", "skewness", "neuropil_correlation"):
        a, b = (getattr(report.quality, name) for report in (first, again))
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first.fade, again.fade)


def test_traces_without_counts_have_measures_and_no_warnings(made):
    bare = replace(made.recording, raw=None, neuropil=None)
    report = trace_report(bare)
    assert report.shared is None and report.flagged == ()
    assert report.quality.snr.shape == (7,)


def test_bad_frames_of_a_program_are_not_used_and_no_fit_sees_them(made, tmp_path):
    recording = made.recording
    bad = np.zeros(400, bool)
    bad[100:110] = True
    spoilt = recording.raw.values.copy()
    spoilt[bad] = 1e6
    (tmp_path / "x").write_text("")
    source = SourceFile.of(tmp_path / "x")

    def read(values):
        raw = Traces(values, "raw", 30.0)
        file = RoiFile(recording.rois, "suite2p", source, traces={"raw": raw})
        return program_traces(replace(file, bad_frames=bad, notes=("It says so.",)))

    one, other = read(recording.raw.values), read(spoilt)
    assert np.flatnonzero(~one.recording.valid).tolist() == [*range(100, 110)]
    assert one.recording.reasons[-1] == "bad frame"
    np.testing.assert_array_equal(one.made.f0, other.made.f0)
    notes = notes_of(one.recording)
    assert notes[0] == "It says so."
    assert any("10 of 400 frames are marked as bad" in note for note in notes)
    assert (
        trace_report(one.recording).notes == trace_report(one.recording, one.made).notes
    )
