"""A person asks which ROIs and which variables the latents come from."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline import (
    DecodingConfig,
    PipelineConfig,
    TargetConfig,
    compare_hypotheses,
    exhaust,
    fit,
)
from napari_cebra.pipeline.summary import schema
from napari_cebra.viewer.adapters.shares import SHARES
from napari_cebra.widgets import docks
from napari_cebra.widgets.training_form import TrainingChoice

if TYPE_CHECKING:
    from napari_cebra.pipeline import Embedding
    from napari_cebra.recording import Recording
    from napari_cebra.widgets import CebraDock

pytestmark = pytest.mark.gui
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONFIG = PipelineConfig(
    target=TargetConfig("position"),
    training=TrainConfig(
        model_architecture="offset1-model",
        output_dimension=3,
        num_hidden_units=8,
        batch_size=64,
        max_iterations=20,
        time_offsets=2,
        evaluations=2,
        device="cpu",
        threads=1,
    ),
    decoding=DecodingConfig(ks=(1, 9), n_blocks=3, calcium_decay_s=0.1),
)


@dataclass
class Person:
    """Looks at one recording and its embedding; clicks, and waits."""

    viewer: object
    dock: CebraDock
    qtbot: object

    @property
    def workspace(self):
        return self.dock.session.workspace

    def clicks(self, widget, at: QPoint | None = None, keys=NONE) -> None:
        assert widget.isVisible() and widget.isEnabled()
        at = widget.rect().center() if at is None else at
        QTest.mouseClick(widget, LEFT, keys, at)

    def ticks(self, box) -> None:
        self.clicks(box, QPoint(8, box.height() // 2))

    def ticks_variable(self, row: int) -> None:
        listed = self.dock.hypotheses.form._variables
        place = listed.visualItemRect(listed.item(row))
        self.clicks(listed.viewport(), QPoint(place.x() + 9, place.center().y()))

    def clicks_row(self, table, row: int, column: int = 1, keys=NONE) -> None:
        place = table.visualRect(table.model().index(row, column)).center()
        self.clicks(table.viewport(), place, keys)

    def sorts_by(self, table, column: int) -> None:
        header = table.horizontalHeader()
        x = header.sectionViewportPosition(column) + header.sectionSize(column) // 2
        self.clicks(header.viewport(), QPoint(x, header.height() // 2))

    def waits(self, condition=None) -> None:
        jobs = self.dock.session.jobs
        if condition is not None:
            self.qtbot.waitUntil(condition, timeout=60_000)
        self.qtbot.waitUntil(lambda: not jobs.under_way, timeout=60_000)

    def sees(self, *parts) -> None:
        """Without scrolling."""

        def in_sight() -> bool:
            shown = [part.visibleRegion().boundingRect().height() for part in parts]
            return shown == [part.height() for part in parts]

        self.qtbot.waitUntil(in_sight, timeout=20_000)

    def computes_shares(self) -> None:
        self.dock.show_step(self.dock.shares)
        self.clicks(self.dock.shares.button)
        self.waits(lambda: self.workspace.shares is not None)
        self.sees(self.dock.shares.table, self.dock.shares.message)


@pytest.fixture
def fitted(made) -> tuple[Recording, Embedding]:
    recording = made.recording()
    return recording, exhaust(fit(recording, CONFIG))


@pytest.fixture
def person(make_napari_viewer, qtbot, fitted) -> Person:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    dock = docks.open_dock(viewer, docks.CEBRA)
    someone = Person(viewer, dock, qtbot)
    someone.waits()  # the device is being looked for
    recording, embedding = fitted
    dock.session.config = CONFIG
    someone.workspace.set_recording(recording)
    someone.workspace.set_embedding(embedding)
    yield someone
    dock.session.jobs.stop_all()
    someone.waits()


def test_the_steps_say_what_they_need(make_napari_viewer, qtbot):
    dock = docks.open_dock(make_napari_viewer(show=True), docks.CEBRA)
    qtbot.waitUntil(lambda: not dock.session.jobs.under_way, timeout=60_000)
    for step, needs in ((dock.shares, "step 3"), (dock.hypotheses, "step 1")):
        page = dock.page_of(step)
        assert page.state() == "locked" and needs in page._reason.text()
    assert dock.shares.table.isHidden() and dock.hypotheses.table.isHidden()


def test_shares_are_listed_and_coloured(person):
    step, view = person.dock.shares, person.dock.session.main_view
    person.computes_shares()
    shares = person.workspace.shares
    assert (shares.rows, shares.config.method) == ("training", "feature-ablation")
    assert "Largest share" in step.message.text()
    percent = np.array([float(step.table.text(row, 1)) for row in range(12)])
    np.testing.assert_allclose(percent, np.sort(100 * shares.share())[::-1], atol=0.005)
    assert percent.sum() == pytest.approx(100, abs=0.1)
    assert view.shares.is_shown and SHARES in person.viewer.layers
    training = f"{shares.n_rows} training rows"
    assert step.made.text() == f"Made with Ablation, over {training}, in all latents."
    assert step.legend.text().startswith(
        f"Ablation, over {training}: share in all latents (%): 0 to "
    )
    largest = f"{percent[0]:.2f} % in all latents"
    assert largest in step.message.text() and "× even" in step.message.text()
    assert largest in person.dock.page_of(step).header.toolTip()
    assert step.colours.isChecked()
    person.ticks(step.colours)
    assert not view.shares.is_shown, "the ROIs have their own colours again"
    person.ticks(step.colours)
    assert view.shares.is_shown
    person.viewer.layers.remove(SHARES)
    assert not step.colours.isChecked()


def test_shares_of_an_embedding_that_learnt_nothing_are_doubted(person, fitted):
    for bits, level in ((-0.1, "warning"), (0.5, "info")):
        log = fitted[1].log
        learnt = replace(log, bits_heldout=np.full_like(log.bits_heldout, bits))
        person.workspace.set_embedding(replace(fitted[1], log=learnt))
        person.computes_shares()
        assert person.dock.shares.message.level() == level


def test_a_row_selects_its_roi_everywhere_and_is_selected_from_anywhere(person):
    table, selection = person.dock.shares.table, person.workspace.selection
    person.computes_shares()
    order = np.argsort(-person.workspace.shares.share(), kind="stable")
    ids = person.workspace.recording.roi_ids[order]
    person.clicks_row(table, 2)
    assert selection.rois == (ids[2],)
    assert person.dock.session.main_view.rois.layer.selected_label == ids[2]
    person.clicks_row(table, 4, keys=Qt.KeyboardModifier.ShiftModifier)
    assert set(selection.rois) == set(ids[2:5]) and selection.roi == ids[4]
    selection.set_rois([int(ids[7])])
    assert [i.row() for i in table.selectionModel().selectedRows()] == [7]
    person.sorts_by(table, 0)
    assert [table.text(row, 0) for row in range(3)] == ["1", "2", "3"]
    assert [i.row() for i in table.selectionModel().selectedRows()] == [ids[7] - 1]
    assert selection.rois == (ids[7],), "sorting selects nothing"


def test_a_latent_is_looked_at_without_computing_again(person):
    step = person.dock.shares
    person.computes_shares()
    shares, layer = person.workspace.shares, person.dock.session.main_view.shares.layer
    step.form._latent.setValue(1)
    assert person.workspace.shares is shares
    expected = 100 * shares.share(1)
    assert float(step.table.text(0, 1)) == pytest.approx(expected.max(), abs=0.005)
    assert np.nanmax(layer.data) == pytest.approx(expected.max())
    for text in (step.legend.text(), step.made.text(), step.message.text()):
        assert "in latent 1" in text


def test_shares_say_of_what_they_are_whatever_the_form_shows(person):
    step = person.dock.shares
    person.computes_shares()
    assert step.outdated.isHidden()
    step.form._method.setValue("integrated-gradients")
    assert "Ablation" in step.made.text() and step.outdated.isVisible()
    person.clicks(step.button)
    person.dock.session.jobs.running("shares").stop()
    person.waits()
    assert step.message.text() == "Cancelled; the shares computed before are kept."
    assert "Ablation" in step.made.text() and "Ablation" in step.legend.text()
    step.form._method.setValue("feature-ablation")
    assert step.outdated.isHidden()


def test_rows_are_those_selected_in_the_latent_view(person):
    step, selection = person.dock.shares, person.workspace.selection
    person.dock.show_step(step)
    step.form._rows.setValue("selected")
    person.clicks(step.button)
    assert step.message.level() == "error" and "box" in step.message.text()
    assert person.workspace.shares is None
    selection.set_frames(range(100, 140))
    assert "40" in step.form._rows.currentText()
    assert step.form.value().rows == "selected", "the choice is kept"
    person.computes_shares()
    assert person.workspace.shares.n_rows == 40


def test_shares_go_with_the_embedding(person, fitted):
    person.computes_shares()
    person.workspace.set_embedding(replace(fitted[1]))
    step = person.dock.shares
    assert step.table.isHidden() and step.legend.isHidden() and step.colours.isHidden()
    assert step.message.level() == "none" and SHARES not in person.viewer.layers
    assert person.dock.page_of(step).state() == "todo"


def test_shares_of_an_embedding_that_went_are_not_shown(person, fitted):
    step = person.dock.shares
    person.dock.show_step(step)
    person.clicks(step.button)
    person.workspace.set_embedding(replace(fitted[1]))  # trained again meanwhile
    person.waits()
    assert person.workspace.shares is None and step.table.isHidden()


def test_variables_are_compared_and_their_cost_is_told(person, fitted):
    step = person.dock.hypotheses
    person.dock.show_step(step)
    names = [item.text() for item in step.form._items()]
    assert names == ["stimulus frame", "angle", "side", "position"]
    for row in (0, 1, 2):  # ticked to begin with
        person.ticks_variable(row)
    assert step.form.value().candidates == ()
    person.clicks(step.button)
    assert step.message.level() == "error" and "tick one" in step.message.text()
    person.ticks_variable(3)
    step.form._seeds.setValue(2)
    step.form._controls.setValue(1)
    assert step.cost.text().startswith("About 15 trainings, about ")
    training = fitted[1].config.training
    person.dock.train.setValue(TrainingChoice(CONFIG.target, training))
    assert "1 frame), 20 steps, temperature 0.2, 3 latents" in step.cost.text()
    person.viewer.window.resize(1280, 640)
    person.clicks(step.button)
    person.waits(lambda: person.workspace.comparison is not None)
    person.sees(step.verdicts, step.message)

    found = person.workspace.comparison
    config = replace(CONFIG, training=fitted[1].config.training)
    scripted = exhaust(compare_hypotheses(fitted[0], ["position"], config, 2, 1))
    assert found.table() == scripted.table(), "the window's numbers are the script's"
    for _ in range(2):  # whichever way it is sorted
        person.sorts_by(step.table, 1)
        assert step.table.text(0, 0) == "position"
        assert step.table.text(1, 0) == "time alone"
        assert step.table.text(1, 3) == "not comparable"
    error = scripted.hypotheses[0].score("position").interval.mean
    assert step.table.text(0, 3).startswith(f"{error:.3g} cm\n")
    assert "position: " in step.verdicts.text()
    assert person.dock.page_of(step).state() == "done"
    assert "20 steps" in step.made.text() and step.outdated.isHidden()
    person.dock.train.form._steps.setValue(40)
    assert "20 steps" in step.made.text() and "40 steps" in step.cost.text()
    assert step.outdated.isVisible() and "(steps)" in step.outdated.text()


def test_a_comparison_uses_what_step_3_shows(person):
    """Not what was trained with on the recording before."""
    step, train = person.dock.hypotheses, person.dock.train
    step.setValue(replace(step.value(), candidates=("angle",)))
    person.workspace.set_recording(replace(person.workspace.recording))
    assert person.dock.session.config.training == CONFIG.training, "as it was trained"
    shown = train.form.value().config
    assert step._config().training == shown != CONFIG.training
    train.form._steps.setValue(7)
    assert step._config().training == replace(shown, max_iterations=7)


def test_a_comparison_ends_with_its_recording(person):
    step = person.dock.hypotheses
    person.dock.show_step(step)
    step.setValue(replace(step.value(), candidates=("angle", "position")))
    person.clicks(step.button)
    person.qtbot.waitUntil(lambda: "block" in step.bar.text(), timeout=60_000)
    job = person.dock.session.jobs.running("comparison")
    person.workspace.set_recording(replace(person.workspace.recording))
    assert job.state == "stopping" and step.bar.isHidden()
    person.waits()
    assert person.workspace.comparison is None and step.message.text() == ""
    assert person.dock.page_of(step).state() == "todo"


def test_a_comparison_can_be_cancelled(person):
    step = person.dock.hypotheses
    person.dock.show_step(step)
    step.setValue(replace(step.value(), candidates=("angle", "position")))
    person.clicks(step.button)
    person.qtbot.waitUntil(lambda: "block" in step.bar.text(), timeout=60_000)
    person.clicks(step.bar.stop_button)
    person.waits()
    assert person.workspace.comparison is None
    assert step.message.text() == "The comparison was cancelled."


def test_what_cannot_be_compared_is_said_beforehand(person):
    step = person.dock.hypotheses
    recording = person.workspace.recording
    once = replace(recording.stimulus, repeat=np.zeros(recording.n_frames, int))
    person.workspace.set_recording(replace(recording, stimulus=once))
    person.dock.show_step(step)
    step.setValue(replace(step.value(), candidates=("stimulus frame",)))
    assert "at least 4 repeats" in step.cost.text()
    person.clicks(step.button)
    person.waits()
    assert "at least 4 repeats" in step.message.text()
    assert person.dock.page_of(step).state() == "todo"


def test_how_long_it_takes_needs_a_training_to_go_by(person):
    step = person.dock.hypotheses
    person.workspace.set_embedding(None)
    person.dock.show_step(step)
    assert "known after a training in step 3" in step.cost.text()
    assert person.dock.page_of(step).state() == "todo", "no embedding is needed"


def test_both_are_exported_saved_and_opened_again(person, tmp_path):
    dock, workspace = person.dock, person.workspace
    person.computes_shares()
    found = exhaust(compare_hypotheses(workspace.recording, ["position"], CONFIG, 2, 1))
    workspace.set_comparison(found)
    dock.show_step(dock.export)
    dock.export.setValue(("shares_csv", "comparison_csv", "summary"))
    dock.export.folder.setValue(tmp_path)
    person.clicks(dock.export.button)
    person.waits()
    name = workspace.recording.name
    with open(tmp_path / f"{name}_shares.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shares = workspace.shares
    assert [int(row["roi"]) for row in rows] == shares.ids.tolist()
    percent = [float(row["share_latent_2_percent"]) for row in rows]
    np.testing.assert_array_equal(percent, 100 * shares.share(2))
    with open(tmp_path / f"{name}_comparison.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["kind"] for line in lines] == ["hypothesis", "shuffled", "time"]
    assert float(lines[0]["bits"]) == found.rows[0].goodness_of_fit.mean
    assert lines[1]["gain"] == ""
    made = [lines[2][key] for key in ("n_blocks", "n_seeds", "n_controls", "steps")]
    assert made == ["3", "2", "1", "20"]
    assert (rows[0]["method"], rows[0]["rows"]) == ("feature-ablation", "training")
    summary = json.loads((tmp_path / f"{name}_summary.json").read_text("utf-8"))
    jsonschema.validate(summary, schema())
    assert summary["shares"]["n_rows"] == shares.n_rows
    assert summary["comparison"]["candidates"] == ["position"]
    assert summary["comparison"]["config"] == found.config.to_dict()
    assert set(summary["comparison"]["units"]) <= set(lines[0])

    dock.export.save(tmp_path / "it.cebra")
    person.waits(lambda: not workspace.unsaved)
    workspace.set_stack(None)
    assert workspace.shares is None and workspace.comparison is None
    dock.export.open_project(tmp_path / "it.cebra")
    person.waits(lambda: workspace.comparison is not None)
    np.testing.assert_array_equal(workspace.shares.by_latent, shares.by_latent)
    assert repr(workspace.comparison.rows) == repr(found.rows)  # NaN and all
    assert dock.shares.table.text(0, 1) == f"{100 * shares.share().max():.2f}"
    assert not dock.session.main_view.shares.is_shown
