"""Step 6: which variables explain the activity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_cebra.pipeline.config import STIMULUS
from napari_cebra.pipeline.hypotheses import Comparison
from napari_cebra.pipeline.hypothesis_words import verdict
from napari_cebra.recording import InvalidInput, NapariCebraError
from napari_cebra.viewer.jobs import duration
from napari_cebra.viewer.numbers import count
from napari_cebra.widgets.hypotheses_form import HypothesesChoice, HypothesesForm
from napari_cebra.widgets.hypotheses_table import HypothesesTable
from napari_cebra.widgets.step import Step
from napari_cebra.widgets.training_words import differences, settings_text

if TYPE_CHECKING:
    from collections.abc import Generator

    from qtpy.QtGui import QShowEvent

    from napari_cebra.pipeline import (
        ComparisonReport,
        HypothesisComparison,
        PipelineConfig,
    )
    from napari_cebra.recording import Progress, Recording
    from napari_cebra.widgets.session import Session
    from napari_cebra.widgets.training_form import TrainingForm

_CAUTION = (
    "Bits of different variables have different ceilings: compare each with its own "
    "shuffled control, not with the others. Least of all with time alone, which has "
    "none: neighbouring windows overlap, which gains bits even in noise."
)


class HypothesesStep(Step):
    """Candidates, seeds, controls, what they cost; a table with verdicts.

    Parameters
    ----------
    session : Session
    training : TrainingForm
        Of step 3; what it shows is what every encoder is trained with.
    """

    title = "Which variables"
    is_optional = True

    def __init__(self, session: Session, training: TrainingForm) -> None:
        super().__init__(session, "Compare")
        self._training = training
        self.form = HypothesesForm()
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.cost.setToolTip(
            "Each ticked variable and its control are trained on in every held-out "
            "block, and time alone beside them, with the settings that step 3 shows now"
        )
        self.fields.addWidget(self.form)
        self.fields.addWidget(self.cost)
        self.made = QLabel()
        self.made.setWordWrap(True)
        self.made.setTextFormat(Qt.TextFormat.PlainText)
        self.outdated = QLabel()
        self.outdated.setWordWrap(True)
        self.outdated.setStyleSheet("color: #d9a032;")
        self.table = HypothesesTable()
        self.verdicts = QLabel()
        self.verdicts.setWordWrap(True)
        self.verdicts.setTextFormat(Qt.TextFormat.PlainText)  # names are a person's
        self.note = QLabel(_CAUTION)
        self.note.setWordWrap(True)
        self.note.setStyleSheet("color: #909090; font-style: italic;")
        for part in (
            *(self.made, self.outdated),
            *(self.table, self.verdicts, self.note),
        ):
            self.layout().addWidget(part)
        self.button.setToolTip("Compare the ticked variables (Ctrl+Return)")

        self.form.valueChanged.connect(self._show_cost)
        session.configChanged.connect(self._on_settings)
        training.valueChanged.connect(self._on_settings)
        connect, workspace = self.connections.add, session.workspace
        connect(workspace.recording_changed, self._on_recording)
        connect(workspace.embedding_changed, self._show_cost)
        connect(workspace.comparison_changed, self._on_comparison)
        self._on_recording()
        self._on_comparison()

    def value(self) -> HypothesesChoice:
        """Return what is chosen."""
        return self.form.value()

    def setValue(self, value: HypothesesChoice) -> None:
        """Choose."""
        self.form.setValue(value)

    def main_action(self) -> None:
        """Compare the ticked variables in the background."""
        recording, choice = self.session.workspace.recording, self.form.value()
        if recording is None:
            return
        if not choice.candidates:
            raise InvalidInput("No variable is ticked; tick one or more to compare.")
        config = self._config()
        text = "The comparison was cancelled"
        if self.session.workspace.comparison is not None:
            text += "; the earlier one is kept"
        self.start_job(
            "comparison",
            "Comparing",
            lambda: _comparing(recording, choice, config),
            lambda comparison: self._on_compared(comparison, recording),
            stopped_text=f"{text}.",
        )

    def refresh(self, *_: object) -> None:
        """Show what there is to compare, or what was found."""
        workspace = self.session.workspace
        recording, comparison = workspace.recording, workspace.comparison
        if recording is None:
            self.announce(
                "locked",
                reason="There are no traces yet: load a recording with traces in "
                "step 1, or extract them from a stack in step 2.",
            )
        elif not _names(recording):
            self.announce(
                "locked",
                reason="There is no variable to compare: load a table of variables, "
                "or a stimulus, in step 1.",
            )
        elif comparison is None:
            self.announce("todo")
        else:
            clear = [row.name for row in comparison.hypotheses if row.is_supported]
            self.announce("done", ", ".join(clear) or "none is clear")
        self.button.setText("Compare" if comparison is None else "Compare again")

    def showEvent(self, event: QShowEvent) -> None:
        """Count the trainings once they are to be seen."""
        super().showEvent(event)
        self._show_cost()

    def _config(self) -> PipelineConfig:
        """Return the session's settings, with the training that step 3 shows now."""
        training = self._training.value().config
        return replace(self.session.config, training=training, seed=training.seed)

    def _on_recording(self) -> None:
        recording = self.session.workspace.recording
        self.abandon_job()  # it compares variables of another one
        if self.session.workspace.comparison is None:
            self.message.clear()  # it told of another recording
        self.form.set_variables([] if recording is None else _names(recording))
        self.refresh()

    def _on_settings(self, *_: object) -> None:
        self._show_cost()
        self._show_made()

    def _show_made(self) -> None:
        """Say what the table was made with, and whether that is chosen no longer."""
        workspace = self.session.workspace
        recording, found = workspace.recording, workspace.comparison
        used = None if found is None else found.config.training
        self.made.setVisible(used is not None)
        self.outdated.hide()
        if recording is None or found is None or used is None:
            return
        self.made.setText(
            f"Made with {settings_text(used, recording.rate)}; judged on "
            f"{len(found.folds)} held-out blocks. Seeds: {len(found.seeds)}, controls: "
            f"{found.n_controls}."
        )
        now = self._config().resolved(recording).training
        assert now is not None
        changed = differences(used, now)
        if changed:
            self.outdated.setText(
                f"Step 3 shows other settings now ({', '.join(changed)}); this table "
                "is of those above."
            )
            self.outdated.show()

    def _show_cost(self, *_: object) -> None:
        """Say what it would be trained with, how often, and about how long."""
        recording, choice = self.session.workspace.recording, self.form.value()
        if not self.isVisible() or recording is None or not choice.candidates:
            self.cost.setText("")
            return
        try:
            plan = _planned(recording, choice, self._config())
            settings = settings_text(plan.training, recording.rate)
        except NapariCebraError as error:
            self.cost.setText(str(error))
            return
        embedding = self.session.workspace.embedding
        seconds = None if embedding is None else plan.seconds(embedding)
        text = f"About {count(plan.n_trainings)} trainings"
        if embedding is None:
            text += "; how long they take is known after a training in step 3."
        elif seconds is None:
            text += "; the last training was stopped too early to tell how long."
        else:
            text += f", about {_roughly(seconds)} at the speed of the last training."
        self.cost.setText(f"{text} Each with what step 3 shows: {settings}.")

    def _on_compared(
        self, comparison: HypothesisComparison, recording: Recording
    ) -> None:
        if self.session.workspace.recording is not recording:
            return  # another was loaded meanwhile
        self.session.workspace.set_comparison(comparison)
        self.session.autosave()
        self.bring_into_view(self.table, self.verdicts)

    def _on_comparison(self) -> None:
        comparison = self.session.workspace.comparison
        self.table.set_comparison(comparison)
        self._show_made()
        for part in (self.table, self.verdicts, self.note):
            part.setVisible(comparison is not None)
        if comparison is not None:
            self.verdicts.setText(
                "\n".join(f"• {verdict(row)}" for row in comparison.hypotheses)
            )
            self.message.info(f"The comparison took {duration(comparison.seconds)}.")
        self.refresh()


def _names(recording: Recording) -> list[str]:
    names = [] if recording.stimulus is None else [STIMULUS]
    return names + [variable.name for variable in recording.variables]


def _roughly(seconds: float) -> str:
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _planned(
    recording: Recording, choice: HypothesesChoice, config: PipelineConfig
) -> Comparison:
    seeds, controls = choice.n_seeds, choice.n_controls
    return Comparison(recording, choice.candidates, config, seeds, controls)


def _comparing(
    recording: Recording, choice: HypothesesChoice, config: PipelineConfig
) -> Generator[Progress | ComparisonReport, None, HypothesisComparison]:
    return (yield from _planned(recording, choice, config).run())
