"""A person chooses a file of variables, looks at its columns and changes them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox, QLineEdit

from napari_cebra.io.tables.summary import summarise
from napari_cebra.io.tables.table import Table
from napari_cebra.pipeline.column_config import ColumnConfig
from napari_cebra.widgets import preferences
from napari_cebra.widgets.behaviour_form import BehaviourForm, TableChoice

pytestmark = pytest.mark.gui
T = 200
LEFT = Qt.MouseButton.LeftButton


def table(**more) -> Table:
    speed = np.random.default_rng(0).normal(size=T)
    speed[10:14] = np.nan
    columns = {
        "time": np.arange(T) / 10,
        "trial": np.arange(T) // 50,
        "speed (cm/s)": speed,
        "heading": np.arange(T) * 7.0 % 360,
        "side": np.array(["L", "R"] * (T // 2)),
    }
    given = {"times": columns["time"], "parts": ("a", "b"), "part": "a"} | more
    return Table("t.csv", columns, **given)


@pytest.fixture
def shown(qtbot, tmp_path):
    """Return a form with a table that was read, and what it asked to be read."""
    preferences.remember("likelihood", 0.6)
    preferences.remember("longest_gap", 10)
    form = BehaviourForm()
    qtbot.addWidget(form)
    form.resize(420, 700)
    form.show()
    asked = []
    form.tableChosen.connect(asked.append)
    form._table.setValue(tmp_path / "t.csv")
    form.set_table(table(), summarise(table()))
    return form, asked


def cell(form, row, column):
    cells = form.columns._table
    return cells, cells.visualItemRect(cells.item(row, column)).center()


def test_what_was_read_is_told_and_guessed(shown, tmp_path) -> None:
    form, asked = shown
    assert asked == [TableChoice(tmp_path / "t.csv")]
    assert form.reading() == TableChoice(tmp_path / "t.csv", "a")
    text = form.table_message.text()
    assert text.startswith("200 rows, 5 columns. Its clock runs from 0 to 19.9 s.")
    assert text.endswith("Empty rows: speed (cm/s) 4.")
    columns = form.value().columns
    assert (columns.trial, columns.time) == ("trial", "time")
    assert columns.variables == (
        ColumnConfig("speed (cm/s)", "continuous", "cm/s"),
        ColumnConfig("heading", "circular", period=360.0),
        ColumnConfig("side", "discrete"),
    )


def test_a_kind_is_changed_by_clicking_it(shown, qtbot) -> None:
    form, _ = shown
    cells, at = cell(form, 2, 1)
    QTest.mouseClick(cells.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    qtbot.waitUntil(lambda: cells.findChild(QComboBox) is not None)
    choice = cells.findChild(QComboBox)
    qtbot.waitUntil(lambda: choice.view().isVisible())
    QTest.keyClick(choice.view(), Qt.Key.Key_Down)
    QTest.keyClick(choice.view(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: form.value().columns.variables[0].kind == "circular")


def test_unit_and_turn_are_typed(shown, qtbot) -> None:
    form, _ = shown
    cells, at = cell(form, 3, 3)
    QTest.mouseClick(cells.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    qtbot.waitUntil(lambda: cells.findChild(QLineEdit) is not None)
    editor = cells.findChild(QLineEdit)
    editor.selectAll()
    QTest.keyClicks(editor, "180")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: form.value().columns.variables[1].period == 180)
    cells.item(3, 3).setText("2pi")
    assert form.value().columns.variables[1].period == pytest.approx(2 * np.pi)
    cells.item(3, 3).setText("round")  # no length: taken back
    assert cells.item(3, 3).text() == ""
    assert form.value().columns.variables[1].period is None


def test_all_and_none(shown) -> None:
    form, _ = shown
    QTest.mouseClick(form.columns._none, LEFT)
    assert form.value().columns.variables == ()
    QTest.mouseClick(form.columns._all, LEFT)
    assert len(form.value().columns.variables) == 5


def test_another_part_is_read_and_choices_stay_with_the_same_columns(shown) -> None:
    form, asked = shown
    QTest.mouseClick(form.columns._none, LEFT)
    form._part.setCurrentIndex(1)
    form._part.activated.emit(1)
    assert asked[-1].part == "b"
    again = table(part="b")
    form.set_table(again, summarise(again))
    assert form.value().columns.variables == ()
    assert not form._likelihood.isVisible()


def test_settings_of_poses_are_shown_for_poses(shown) -> None:
    form, asked = shown
    poses = table(measured={"heading": np.ones(T, bool)}, parts=())
    form.set_table(poses, summarise(poses))
    assert form._likelihood.isVisible() and not form._part.isVisible()
    form._gap.setValue(25)
    assert asked[-1].longest_gap == 25
    assert BehaviourForm()._gap.value() == 25  # the next time as well


def test_a_table_of_another_length_is_to_be_aligned(shown) -> None:
    form, _ = shown
    form.set_n_frames(T + 7)
    assert form.table_message.level() == "warning"
    assert "200 rows for 207 frames: align them" in form.table_message.text()


def test_a_thousand_columns_do_not_hold_the_window_up(shown) -> None:
    form, _ = shown
    many = Table("t", {f"p{k}_x": np.arange(50.0) for k in range(1000)})
    form.set_table(many, summarise(many))
    assert form.value().columns.variables == ()  # too many to be meant
    assert form.columns._table.rowCount() == 1000
    form.grab()  # paints the small drawings
