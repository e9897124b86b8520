"""A person looks at a stack, has cells found in it and keeps the best."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cebra.io import stack_from_array
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import Progress, RoiSet
from napari_cebra.simulate.cell_fields import CellField, simulate_cells
from napari_cebra.traces.detection import detect
from napari_cebra.widgets import detect_step
from napari_cebra.widgets.detect_step import DetectStep
from napari_cebra.widgets.session import Session

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def movie():
    field = CellField(
        n_cells=12, n_hidden=6, shape=(80, 80), seconds=60.0, photons=40.0
    )
    return simulate_cells(field).movie


@pytest.fixture
def step(make_napari_viewer, qtbot):
    step = DetectStep(Session.of(make_napari_viewer()))
    qtbot.addWidget(step)
    step.show()
    return step


@pytest.fixture
def opened(step, movie):
    stack = stack_from_array(movie, "TYX", "cells", 10.0)
    step.session.workspace.set_stack(stack)
    return step


@pytest.fixture
def press(qtbot):
    def pressed(step, button):
        assert button.isVisible() and button.isEnabled()
        QTest.mouseClick(button, LEFT)
        qtbot.waitUntil(lambda: not step.is_busy, timeout=60_000)

    return pressed


def test_without_a_stack_says_what_to_do(step):
    said = []
    step.stateChanged.connect(lambda *words: said.append(words))
    step.refresh()
    assert said[-1][0] == "locked" and "load one in step 1" in said[-1][2]
    assert not step.button.isEnabled() and not step.preview_button.isEnabled()


def test_preview_shows_the_image_and_a_ring(opened, press):
    viewer = opened.session.viewer
    press(opened, opened.preview_button)
    image = viewer.layers["Preview: local correlation"]
    ring = viewer.layers["Cell diameter"]
    assert "wide, estimated" in opened.message.text()
    opened.image.setValue("mean")
    assert image.name == "Preview: mean"
    stack = opened.session.workspace.stack
    mean = stack.read(0, stack.shape[0]).mean(0)
    np.testing.assert_allclose(image.data, mean, rtol=1e-5)
    opened.form._diameter.setValue(17)
    assert ring.size[0] == 17
    QTest.mouseClick(opened.preview_button, LEFT)
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert not opened.preview_button.isChecked()


def test_found_cells_are_the_rois_and_can_be_undone(opened, press):
    workspace = opened.session.workspace
    before = RoiSet.grid((80, 80), 20)
    workspace.set_rois(before)
    press(opened, opened.button)
    stack = opened.session.workspace.stack
    expected = exhaust(detect(stack, opened.value())).rois
    np.testing.assert_array_equal(workspace.rois.pixels, expected.pixels)
    assert opened.message.text().startswith(f"{len(expected)} cells of about")
    assert "Undo brings back" in opened.message.text()
    config = opened.session.config
    assert (config.source.rois, config.detection) == ("detect", opened.value())
    workspace.undo_rois()
    assert workspace.rois is before
    assert opened.session.config.source.rois is None  # no longer as found


def test_keeps_the_best_without_another_search(opened, press, qtbot, monkeypatch):
    press(opened, opened.button)
    workspace = opened.session.workspace
    n = len(workspace.rois)
    assert n > 5
    monkeypatch.setattr(detect_step, "detect", None)
    opened.most.setValue(4)
    qtbot.waitUntil(lambda: len(workspace.rois) == 4)
    assert opened.session.config.detection.max_rois == 4
    assert "4 of" in opened.counts.text()
    opened.most.setValue(2000)
    qtbot.waitUntil(lambda: len(workspace.rois) == n)


def test_nothing_found_keeps_the_rois_and_says_what_to_lower(opened, press):
    workspace = opened.session.workspace
    before = RoiSet.grid((80, 80), 20)
    workspace.set_rois(before)
    opened.form._threshold.setValue(1000)
    press(opened, opened.button)
    assert "lower the threshold" in opened.message.text()
    assert opened.message.level() == "error"
    assert workspace.rois is before


def test_too_large_a_diameter_is_refused_before_reading(opened):
    opened.form._diameter.setValue(60)
    QTest.mouseClick(opened.button, LEFT)
    assert "too large for a field of view" in opened.message.text()
    assert not opened.is_busy


def test_cancel_keeps_the_rois(opened, qtbot, monkeypatch):
    reached = threading.Event()

    def endless(stack, settings):
        while True:
            reached.set()
            yield Progress(1, 100, "frames", "Reading the stack")

    monkeypatch.setattr(detect_step, "detect", endless)
    QTest.mouseClick(opened.button, LEFT)
    qtbot.waitUntil(reached.is_set)
    qtbot.waitUntil(opened.bar.isVisible)
    QTest.mouseClick(opened.bar.stop_button, LEFT)
    qtbot.waitUntil(lambda: not opened.is_busy, timeout=10_000)
    assert "Cancelled" in opened.message.text()
    assert opened.session.workspace.rois is None


def test_another_stack_forgets_what_was_found(opened, press, movie):
    press(opened, opened.button)
    assert opened.kept.isVisible()
    other = stack_from_array(movie[::-1].copy(), "TYX", "other", None)
    opened.session.workspace.set_stack(other)
    assert not opened.kept.isVisible() and not opened.message.text()
    assert opened.form._average_frames.isVisible()
    assert not opened.form._average_s.isVisible()
