"""The Align step, clicked through on logs whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile

from napari_cebra.pipeline import exhaust, load_recording
from napari_cebra.simulate import write_three_clocks
from napari_cebra.widgets.align_step import AlignStep
from napari_cebra.widgets.behaviour_form import BehaviourChoice
from napari_cebra.widgets.load_step import LoadStep
from napari_cebra.widgets.roi_form import RoiChoice
from napari_cebra.widgets.session import Session
from napari_cebra.widgets.stepper import StepPage, Stepper
from napari_cebra.widgets.traces_step import TracesStep

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return write_three_clocks(tmp_path_factory.mktemp("clocks"))


class Window:
    """Load, traces and Align in a dock of their own."""

    def __init__(self, viewer, qtbot):
        self.qtbot, self.session = qtbot, Session.of(viewer)
        self.load, self.align = LoadStep(self.session), AlignStep(self.session)
        self.traces = TracesStep(self.session)
        steps = (self.load, self.traces, self.align)
        self.pages = [StepPage(n, step) for n, step in enumerate(steps, start=1)]
        self.stepper = Stepper(self.pages)
        viewer.window.add_dock_widget(self.stepper, area="right")

    @property
    def recording(self):
        return self.session.workspace.recording

    def idle(self):
        self.qtbot.wait(50)
        self.qtbot.waitUntil(lambda: not self.session.jobs.under_way, timeout=30_000)

    def open(self, path, table):
        self.stepper.show_only(self.pages[0])
        self.load.path.setValue(path)
        self.idle()
        self.load.behaviour.setValue(BehaviourChoice(table=table))
        self.idle()
        self.load.button.click()
        self.idle()
        self.stepper.show_only(self.pages[2])

    def choose(self, form, folder, pulses, imaging="imaging_pulses.csv"):
        form._method.setValue("pulses")
        for times, name in ((form.pulses, pulses), (form.imaging, imaging)):
            times.path.setValue(folder / name)
            self.idle()

    def press(self, button):
        assert button.isEnabled() and button.isVisible()
        button.click()
        self.idle()


@pytest.fixture
def window(make_napari_viewer, qtbot):
    window = Window(make_napari_viewer(show=True), qtbot)
    yield window
    window.session.jobs.stop_all()
    window.idle()


def test_three_clocks_are_brought_onto_one(window, truth, tmp_path):
    folder, align = truth.folder, window.align
    window.open(folder / "traces.npy", folder / "behaviour.csv")
    assert "12000 rows for 3600 frames: align them" in window.load.message.text()
    assert not window.recording.variables, "the table waits"

    align.frames._source.setValue(True)
    align.frames.times.path.setValue(folder / "frames.csv")
    align.stimulus.path.setValue(folder / "stimulus.csv")
    window.idle()
    assert align.stimulus._shown.value() == "frame"
    window.choose(align.behaviour, folder, "behaviour_pulses.csv")
    window.choose(align.stimulus.log, folder, "stimulus_pulses.csv")
    window.press(align.button)
    text = align.result.text.text()
    for said in ("3.44% fast", "-116.00", "500.0 ppm slow", "of 149 pulses (91%)"):
        assert said in text, text
    assert "1 after frame 700, 4 after frame 1700, 11 after frame 2900" in text
    assert (
        align.result.plot.isVisible()
        and align.result.plot._points.getData()[0].size == 136
    )
    assert not window.recording.variables, "nothing is used before it is accepted"

    window.press(align.result.accept_button)
    recording = window.recording
    assert window.session.workspace.selection.rois == (1,), "as picked before"
    np.testing.assert_array_equal(recording.stimulus.shown, truth.shown)
    error = recording.variable("position").values - truth.position
    assert np.abs(error[truth.logged]).max() < 0.5
    assert not align.result.accept_button.isVisible()

    # The settings the window left give a script the same numbers.
    again = exhaust(load_recording(window.session.config))
    assert [v.name for v in again.variables] == [v.name for v in recording.variables]
    for one, other in zip(again.variables, recording.variables, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(again.valid, recording.valid)
    np.testing.assert_array_equal(again.trials, recording.trials)
    assert align.value() == window.session.config

    # Another method takes the place of the first.
    align.behaviour._method.setValue("rates")
    align.behaviour._rate.setValue(100)
    assert not align.result.isVisible(), "it was made with other settings"
    window.press(align.button)
    assert "Nothing has checked the clock" in align.message.text()
    window.press(align.result.accept_button)
    assert len(window.recording.variables) == 3
    moved = window.recording.variable("position").values - truth.position
    assert np.nanmax(np.abs(moved)) > 20

    # Or the times of its rows, from another file, one per row.
    rows = np.loadtxt(folder / "behaviour.csv", delimiter=",", skiprows=1)[:, 0]
    file = tmp_path / "camera.csv"
    np.savetxt(file, truth.behaviour.to(rows), "%.7f", header="ttl", comments="")
    align.behaviour._method.setValue("times")
    assert not align.behaviour._rows_box.isVisible()
    align.behaviour._time.setValue(align.behaviour._time.values()[-1])
    window.press(align.button)
    check(align.behaviour.message, "Choose the file that holds the times of the rows")
    align.behaviour.row_times.path.setValue(file)
    window.idle()
    window.press(align.button)
    window.press(align.result.accept_button)
    again = window.recording.variable("position").values
    np.testing.assert_allclose(
        again[truth.logged], recording.variable("position").values[truth.logged], atol=1
    )
    assert align.value() == window.session.config

    # The next recording is not aligned by what was chosen for this one.
    window.load.path.setValue(folder / "traces.npy")
    window.idle()
    window.load.button.click()
    window.idle()
    assert align.behaviour.method() == "same rows"
    assert align.frames.value() is None
    assert align.stimulus.path.value() is None


def check(message, *words):
    text = message.text()
    assert message.level() == "error" and message.isVisible(), text
    assert text.endswith(".") and "\n" not in text
    for word in words:
        assert word in text


def test_what_cannot_be_aligned_is_told_at_its_field(window, truth, tmp_path):
    folder, align = truth.folder, window.align
    assert not align.button.isEnabled()
    window.open(folder / "traces.npy", folder / "behaviour.csv")
    form, before = align.behaviour, window.recording

    window.press(align.button)
    check(form.message, "12000 rows for 3600 frames: choose how it is aligned")
    form._method.setValue("times")
    window.press(align.button)
    check(align.frames.message, "The frame rate is not known")
    align.frames._source.setValue(True)
    window.press(align.button)
    check(align.frames.message, "Choose the file that holds the times")
    form._method.setValue("rates")
    window.press(align.button)
    check(align.frames.message, "Choose the file")
    align.frames.times.path.setValue(folder / "imaging_pulses.csv")
    window.idle()
    window.press(align.button)
    check(align.frames.message, " frame times for 3600 imaging frames; choose the log")
    align.frames.times.path.setValue(folder / "frames.csv")
    window.idle()
    window.press(align.button)
    check(form.message, "Give the rows per second of behaviour.csv")

    other = write_three_clocks(tmp_path, seed=3)
    window.choose(form, other.folder, "behaviour_pulses.csv", "stimulus_pulses.csv")
    form.imaging.path.setValue(folder / "imaging_pulses.csv")
    window.idle()
    window.press(align.button)
    check(form.message, "of the pulses match, but 80% are needed")
    (tmp_path / "lost.csv").write_text("time_s\n1.5\n\nnan\n2.5\n3\n3.5\n4\n9\n11\n")
    form.pulses.path.setValue(tmp_path / "lost.csv")
    window.idle()
    window.press(align.button)
    check(form.message, "behaviour pulses are empty or not numbers")
    form.pulses.path.setValue(tmp_path / "nowhere.csv")
    window.idle()
    check(form.message, "nowhere.csv")
    form.pulses._edges.setValue("rising")
    form.pulses._threshold.setText("high")
    window.press(align.button)
    check(form.message, "threshold must be a number, not 'high'")
    assert window.recording is before


def test_before_the_traces_it_waits_for_them(window, tmp_path):
    rng = np.random.default_rng(0)
    movie = rng.integers(1, 500, (60, 16, 16)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", movie, photometric="minisblack")
    at = np.arange(0, 7, 0.02)
    np.savetxt(
        tmp_path / "log.csv",
        np.stack([at, 3 * at], axis=1),
        "%.4f",
        ",",
        header="t,speed",
        comments="",
    )
    window.load.path.setValue(tmp_path / "stack.tif")
    window.idle()
    window.load.source._rate.setValue(10)
    window.load.behaviour.setValue(BehaviourChoice(table=tmp_path / "log.csv"))
    window.idle()
    window.load.button.click()
    window.idle()
    window.stepper.show_only(window.pages[2])
    window.align.behaviour._method.setValue("times")
    window.press(window.align.button)
    window.press(window.align.result.accept_button)
    assert "from the extraction of the traces on" in window.align.message.text()
    assert window.recording is None
    window.traces.rois.setValue(RoiChoice("grid", tile=8))
    window.stepper.show_only(window.pages[1])
    window.press(window.traces.button)
    speed = window.recording.variable("speed").values
    np.testing.assert_allclose(speed[1:-1], 0.3 * np.arange(60)[1:-1], atol=0.031)
    assert window.pages[2].state() == "done"
