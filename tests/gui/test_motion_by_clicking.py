"""A person undoes the motion of a stack, looks at it, and writes it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage

from napari_cebra.io import open_stack, stack_from_array
from napari_cebra.pipeline import Project, open_project, save_project
from napari_cebra.pipeline.motion import corrected_stack
from napari_cebra.pipeline.run import exhaust
from napari_cebra.widgets.motion_step import MotionStep
from napari_cebra.widgets.project_state import reopening, restore, snapshot
from napari_cebra.widgets.session import Session
from napari_cebra.widgets.stepper import StepPage, Stepper

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def shaken() -> np.ndarray:
    """Return 90 frames of blobs that jump about; the light fails in two."""
    rng = np.random.default_rng(0)
    still = ndimage.gaussian_filter(rng.random((112, 112)) ** 8, 2) * 4000
    shifts = rng.integers(-4, 5, (90, 2))
    frames = np.stack([still[8 + y : 104 + y, 8 + x : 104 + x] for y, x in shifts])
    frames = rng.poisson(frames).astype(np.uint16)
    frames[[20, 21]] = 3
    return frames


class Person:
    """Clicks and waits."""

    def __init__(self, viewer, qtbot, name="Motion") -> None:
        self.qtbot, self.viewer = qtbot, viewer
        self.session = Session.of(viewer)
        self.step = MotionStep(self.session)
        self.page = StepPage(1, self.step)
        stepper = Stepper([self.page])
        stepper.setMinimumWidth(430)
        viewer.window.add_dock_widget(stepper, name=name, area="right")
        self.page.set_open(True)

    def clicks(self, widget, at=None) -> None:
        self.qtbot.wait(50)  # what was just shown is being laid out
        assert widget.isVisible() and widget.isEnabled()
        QTest.mouseClick(widget, LEFT, pos=widget.rect().center() if at is None else at)

    def ticks(self, box) -> None:
        self.clicks(box, QPoint(8, box.height() // 2))

    def waits(self, condition=lambda: True) -> None:
        self.qtbot.waitUntil(
            lambda: condition() and not self.session.jobs.under_way, timeout=20_000
        )

    def estimates(self) -> None:
        self.clicks(self.step.button)
        self.waits(lambda: self.session.workspace.motion is not None)


@pytest.fixture
def person(make_napari_viewer, qtbot, shaken) -> Person:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    someone = Person(viewer, qtbot)
    someone.session.workspace.set_stack(stack_from_array(shaken, "TYX", "shaken", 30.0))
    yield someone
    someone.session.jobs.stop_all()
    someone.waits()


def test_without_a_stack_it_says_what_to_do(make_napari_viewer, qtbot) -> None:
    someone = Person(make_napari_viewer(show=True), qtbot)
    assert someone.page.state() == "locked"
    assert "step 1" in someone.page._reason.text()


def test_estimating_shows_shifts_quality_and_the_corrected_movie(person, shaken):
    step, workspace = person.step, person.session.workspace
    person.estimates()
    assert person.page.state() == "done"
    assert "2 of 90 frames could not be registered" in step.words.text()
    assert "crisper" in step.words.text()
    assert person.session.config.motion == workspace.motion.settings
    layer = person.session.main_view.stack_layer
    expected = corrected_stack(workspace.stack, workspace.motion)
    np.testing.assert_array_equal(layer.data[33], expected.read(33, 34)[0])
    person.ticks(step.show_box)
    np.testing.assert_array_equal(layer.data[33], shaken[33])
    person.ticks(step.use_box)
    assert workspace.motion is None and person.session.config.motion is None
    person.ticks(step.use_box)
    assert workspace.motion is not None


def test_a_movie_that_hardly_moves_is_left_as_recorded(person) -> None:
    rng = np.random.default_rng(0)
    still = ndimage.gaussian_filter(rng.random((96, 96)) ** 8, 2) * 4000
    frames = rng.poisson(np.broadcast_to(still, (90, 96, 96))).astype(np.uint16)
    step, workspace = person.step, person.session.workspace
    workspace.set_stack(stack_from_array(frames, "TYX", "still", 30.0))
    person.clicks(step.button)
    person.waits(lambda: step.words.isVisible())
    assert "hardly any motion to correct: leave the correction" in step.words.text()
    assert not step.show_box.isChecked() and not step.use_box.isChecked()
    assert workspace.motion is None and person.session.config.motion is None
    np.testing.assert_array_equal(person.session.main_view.stack_layer.data, frames)
    person.ticks(step.use_box)
    assert workspace.motion is not None


def test_a_click_in_the_plot_goes_to_that_frame(person) -> None:
    person.estimates()
    view, plot = person.step.plot._view, person.step.plot._plot
    person.qtbot.waitUntil(view.isVisible)
    at = plot.getViewBox().mapViewToScene(plot.getViewBox().viewRect().center())
    person.qtbot.wait(50)
    QTest.mouseClick(view.viewport(), LEFT, pos=view.mapFromScene(at))
    assert abs(person.session.workspace.timeline.frame - 45) < 6


def test_cancelling_changes_nothing(person) -> None:
    person.clicks(person.step.button)
    person.clicks(person.step.bar.stop_button)
    person.waits()
    assert person.session.workspace.motion is None
    assert "Cancelled" in person.step.message.text()


def test_what_does_not_fit_is_said_at_the_step(person) -> None:
    step = person.step
    step.form._kind.setValue("piecewise")
    step.form.more.setValue(True)
    assert step.form._block.isVisible()
    person.clicks(step.button)
    person.waits(lambda: bool(step.message.text()))
    assert "Blocks of 128 pixels do not fit frames of 96 × 96" in step.message.text()


def test_another_stack_forgets_the_motion(person, shaken) -> None:
    person.estimates()
    person.session.workspace.set_stack(stack_from_array(shaken[:50], "TYX", "next"))
    assert person.session.workspace.motion is None
    assert person.session.config.motion is None
    assert not person.step.words.isVisible() and person.page.state() == "todo"


def test_the_movie_is_written_once_and_never_over(person, tmp_path, monkeypatch):
    person.estimates()
    step, path = person.step, tmp_path / "corrected.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    person.clicks(step.movie_button)
    person.waits(path.exists)
    workspace = person.session.workspace
    expected = corrected_stack(workspace.stack, workspace.motion).read(0, 90)
    with open_stack(path) as written:
        np.testing.assert_array_equal(written.read(0, 90), expected)
    person.clicks(step.movie_button)
    assert "already a corrected.tif" in step.message.text()


def test_the_motion_comes_back_with_the_project(person, tmp_path) -> None:
    person.estimates()
    motion = person.session.workspace.motion
    save_project(Project(motion=motion), tmp_path / "a.cebra")
    again = open_project(tmp_path / "a.cebra").motion
    np.testing.assert_array_equal(again.shifts, motion.shifts)
    np.testing.assert_array_equal(again.failed, motion.failed)
    assert (again.settings, again.quality) == (motion.settings, motion.quality)
    workspace = person.session.workspace
    workspace.set_stack(workspace.stack)
    assert not person.step.words.isVisible()
    workspace.set_motion(again)
    assert "2 of 90" in person.step.words.text()


def test_a_reopened_project_shows_the_corrected_movie(person, shaken, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", shaken, photometric="minisblack")
    session = person.session
    session.workspace.set_stack(open_stack(tmp_path / "a.tif", "TYX"))
    person.estimates()
    motion, folder = session.workspace.motion, tmp_path / "a.cebra"
    save_project(snapshot(session), folder)
    session.workspace.set_stack(None)
    restore(session, exhaust(reopening(folder)), folder)
    expected = corrected_stack(session.workspace.stack, motion).read(33, 34)[0]
    np.testing.assert_array_equal(session.main_view.stack_layer.data[33], expected)
    assert person.step.show_box.isChecked()


def test_a_layer_of_the_person_goes_back_as_it_came(person, shaken) -> None:
    layer = person.viewer.add_image(shaken, name="mine")
    person.session.main_view.expect(layer, None)
    person.session.workspace.set_stack(stack_from_array(shaken, "TYX", "mine"))
    person.estimates()
    assert layer.data is not shaken
    person.session.workspace.set_stack(None)
    assert layer.data is shaken


def test_two_docks_show_the_same(person) -> None:
    other = Person(person.viewer, person.qtbot, "Again")
    person.estimates()
    assert other.step.words.text() == person.step.words.text()
    assert other.step.show_box.isChecked()
    person.ticks(person.step.show_box)
    assert not other.step.show_box.isChecked()
    person.ticks(person.step.use_box)
    assert not other.step.use_box.isChecked()
