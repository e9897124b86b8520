"""Settings are searched in the background and put into the form by a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cebra.pipeline import exhaust, search_settings
from napari_cebra.widgets import docks

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def step(make_napari_viewer, qtbot, made):
    """Return the training step, with a recording loaded."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    dock = docks.open_dock(viewer, docks.CEBRA)
    jobs = dock.session.jobs
    qtbot.waitUntil(lambda: not jobs.under_way, timeout=60_000)
    dock.session.workspace.set_recording(made.recording())
    dock.show_step(dock.train)
    yield dock.train
    jobs.stop_all()
    qtbot.waitUntil(lambda: not jobs.under_way, timeout=60_000)


def clicks(button):
    assert button.isVisible() and button.isEnabled(), button.text()
    QTest.mouseClick(button, LEFT)


def begins(step):
    """Choose settings that take a moment, and press Search."""
    recommended = step.form.value()
    assert not step.recommended_button.isEnabled()
    step.form._steps.setValue(20)
    step.form._units.setValue(8)
    step.form._batch.setValue(64)
    step.form._threads.setValue(1)
    started = step.form.value()
    clicks(step.search_button)
    assert not step.button.isEnabled()
    return recommended, started


def ends(step, qtbot):
    qtbot.waitUntil(lambda: not step.session.jobs.under_way, timeout=120_000)


def test_the_window_finds_what_a_script_finds(step, qtbot):
    recommended, started = begins(step)
    panel, workspace = step.panel, step.session.workspace
    ends(step, qtbot)
    found = panel.value()
    assert found.complete
    config = replace(
        step.session.config, target=started.target, training=started.config
    )
    scripted = exhaust(search_settings(workspace.recording, config))
    assert [line.errors for line in found.lines] == [
        line.errors for line in scripted.lines
    ]
    assert panel.table.rowCount() == len(found.lines)
    assert panel.chosen() is found.proposed

    panel.table.selectRow(1)
    clicks(panel.use_button)
    assert step.form.value().config == found.lines[1].training
    assert workspace.embedding is None
    clicks(step.recommended_button)
    assert step.form.value() == recommended
    step.form._mode.setValue("time")
    assert not panel.isVisible(), "what was found for another target"
    assert "is put away" in step.message.text()


def seen(part):
    """Whether all of a widget is in sight."""
    return part.visibleRegion().boundingRect().height() == part.height()


def test_what_was_found_and_trained_is_scrolled_to(step, qtbot):
    step.session.viewer.window.resize(1280, 800)
    begins(step)
    panel = step.panel
    qtbot.waitUntil(lambda: panel.value() is not None, timeout=60_000)
    qtbot.waitUntil(lambda: len(panel.value().lines) > 0, timeout=60_000)
    clicks(panel.bar.stop_button)
    ends(step, qtbot)
    for part in (panel._text, panel.use_button, panel.close_button, step.button):
        qtbot.waitUntil(lambda part=part: seen(part), timeout=3000)
    clicks(step.button)
    ends(step, qtbot)
    assert step.message.text()
    qtbot.waitUntil(lambda: seen(step.message) and seen(step.plot), timeout=3000)


def test_another_target_stops_a_search_and_says_so(step, qtbot):
    begins(step)
    qtbot.waitUntil(step.panel.bar.isVisible)
    step.form._target.setValue("position")
    ends(step, qtbot)
    assert not step.panel.isVisible()
    assert "The search for stimulus frame was stopped" in step.message.text()
    assert step.button.isEnabled()


def test_a_cancelled_search_keeps_the_lines_it_has(step, qtbot):
    _, started = begins(step)
    panel = step.panel
    qtbot.waitUntil(
        lambda: panel.value() is not None and len(panel.value().lines) > 1,
        timeout=60_000,
    )
    clicks(panel.bar.stop_button)
    ends(step, qtbot)
    assert len(panel.value().lines) >= 2 and not panel.value().complete
    assert "stopped early" in panel._text.text()
    assert panel.chosen() is panel.value().proposed
    assert step.form.value() == started
    assert step.button.isEnabled()

    clicks(step.search_button)
    qtbot.waitUntil(panel.bar.isVisible)
    step.session.workspace.clear()
    ends(step, qtbot)
    assert not panel.isVisible(), "what was found for another recording"
    assert panel.value() is None and step.searching._search is None


def test_a_window_longer_than_the_recording_is_told_before_training(step):
    step.form.encoder._length.setValue(5000)
    assert "the longest possible here is" in step.form.encoder._problem.text()
    clicks(step.button)
    assert "the longest possible here is" in step.message.text()
    assert not step.is_busy
    clicks(step.recommended_button)
    assert not step.form.encoder._problem.isVisible()
    assert step.message.level() == "none"
