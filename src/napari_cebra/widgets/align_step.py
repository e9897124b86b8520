"""Stimulus and behaviour, each on its own clock, brought onto the imaging clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel

from napari_cebra.pipeline.align import ALIGNED, BEHAVIOUR, FRAMES, ROWS, STIMULUS_LOG
from napari_cebra.pipeline.align_config import AlignConfig
from napari_cebra.pipeline.align_times import likely_time_column
from napari_cebra.pipeline.align_words import to_align
from napari_cebra.recording import InvalidInput, NapariCebraError
from napari_cebra.viewer.numbers import count
from napari_cebra.widgets.align_forms import FramesForm, StimulusForm
from napari_cebra.widgets.align_result import AlignResult
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.log_form import LogForm
from napari_cebra.widgets.realign import Realigned, reading, realigning
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.io import Table
    from napari_cebra.pipeline import PipelineConfig
    from napari_cebra.recording import Recording
    from napari_cebra.widgets.message_line import MessageLine
    from napari_cebra.widgets.session import Session
    from napari_cebra.widgets.times_form import TimesForm

_NOTHING = (
    "Nothing has a clock of its own yet: choose a table in step 1 under Stimulus and "
    "behaviour, or a stimulus log or the times of the imaging frames above."
)
_STAGES = {FRAMES: "frames", STIMULUS_LOG: "stimulus"}
_STAGES |= dict.fromkeys((BEHAVIOUR, ROWS), "behaviour")


class AlignStep(Step):
    """Method, files and columns of each log; what was found; its acceptance."""

    title = "Align"
    is_optional = True

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Align")
        self._found: Realigned | None = None
        self._table: Table | None = None  # whose columns the behaviour offers
        self.frames, self.stimulus = FramesForm(), StimulusForm()
        self.behaviour = LogForm("behaviour")
        self.folds = {
            name: Fold(title, form)
            for name, title, form in (
                ("frames", "Imaging frames", self.frames),
                ("behaviour", "Behaviour", self.behaviour),
                ("stimulus", "Stimulus log", self.stimulus),
            )
        }
        for name, tip in (
            ("frames", "When each imaging frame was taken"),
            ("behaviour", "The table of step 1, and how its rows come to the frames"),
            ("stimulus", "A log with a row for each stimulus frame as it came on"),
        ):
            self.folds[name].setToolTip(tip)
            self.fields.addWidget(self.folds[name])
        self.messages = {
            "frames": self.frames.message,
            "behaviour": self.behaviour.message,
            "stimulus": self.stimulus.log.message,
        }
        self.folds["behaviour"].setValue(True)
        self.empty = _note(_NOTHING)
        self.fields.addWidget(self.empty)
        self.button.setToolTip(
            "Find how the clocks run, without changing anything yet (Ctrl+Return)"
        )
        self.result = AlignResult(session.viewer)
        self.layout().addWidget(self.result)

        for form in (self.frames, self.behaviour, self.stimulus):
            form.valueChanged.connect(self._on_form)
        for times, message in (
            (self.frames.times, self.frames.message),
            *((times, self.behaviour.message) for times in self.behaviour.files),
            *((times, self.stimulus.log.message) for times in self.stimulus.log.files),
        ):
            times.fileChosen.connect(self._reader(times, message))
        self.stimulus.fileChosen.connect(self._on_stimulus_file)
        self.result.accepted.connect(lambda: self.try_to(self.accept))
        session.loaded.connect(self._on_loaded)
        session.configChanged.connect(self._show_config)
        connect, workspace = self.connections.add, session.workspace
        connect(workspace.stack_changed, self.refresh)
        connect(workspace.recording_changed, self._on_recording)
        self._show_config()

    def value(self) -> PipelineConfig:
        """Return the settings with what is chosen here.

        Raises
        ------
        InvalidInput
            If something is missing; it is told at its form too.
        """
        config = self.session.config
        align = AlignConfig(
            self.frames.value(),
            self.frames.skip(),
            self.behaviour.value(),
            self.stimulus.log.value(),
        )
        log = self.stimulus.path.value()
        source = replace(config.source, **self.stimulus.columns())
        if log is None and config.source.stimulus_log is not None:
            shown = self.session.accompaniment.columns
            source = replace(
                source, shown_column=shown.shown, repeat_column=shown.repeat
            )
        if self._table is not None:
            source = replace(source, time_column=self.behaviour.time_column())
        return replace(config, source=source, align=align)

    def setValue(self, config: PipelineConfig) -> None:
        """Choose what settings say."""
        align, source = config.align, config.source
        self.frames.setValue(align.frames, align.skip)
        self.behaviour.setValue(align.behaviour)
        self.stimulus.setValue(source, align.stimulus)

    def main_action(self) -> None:
        """Align in the background; what is found is shown, not used yet."""
        session, workspace = self.session, self.session.workspace
        for message in self.messages.values():
            message.clear()
        try:
            config = self.value()
        except InvalidInput:
            self._open_blamed()
            raise
        recording, stack = workspace.recording, workspace.stack
        company = session.accompaniment
        self._forget()
        self.start_job(
            "aligning",
            "Aligning",
            lambda: realigning(recording, stack, company, config),
            self._on_found,
            stopped_text="Cancelled; nothing was changed.",
        )

    def accept(self) -> None:
        """Use what was found: variables and stimulus are made again."""
        session, found = self.session, self._found
        if found is None or not session.may_replace(self):
            return
        session.config = replace(
            session.config, source=found.config.source, align=found.config.align
        )
        session.accompaniment = found.accompaniment
        self.result.accept_button.hide()
        if found.made_of is not None:
            self._found = None  # for the recording that is now replaced
            picked = session.workspace.selection.rois
            session.workspace.set_recording(found.aligned.recording)
            session.workspace.selection.set_rois(picked)  # the traces are the same
            session.autosave()
            self.message.info(
                "In use: variables and stimulus are on the imaging clock."
            )
        else:
            self.message.info("In use from the extraction of the traces on.")
        self.refresh()
        self.completed.emit()

    def refresh(self, *_: object) -> None:
        """Show what there is to align, and whether it is."""
        session = self.session
        n, company, table = session.n_frames, session.accompaniment, self._table
        title = "Behaviour"
        if table is not None:
            title = f"Behaviour: {table.name}, {count(table.n_rows)} rows"
            title += "" if n is None else f" for {count(n)} frames"
        self.folds["behaviour"].setTitle(title)
        self.folds["behaviour"].setVisible(table is not None)
        something = (
            table is not None
            or self.stimulus.path.value() is not None
            or self.frames.is_from_file()
        )
        self.empty.setVisible(not something)
        if n is None:
            self.announce(
                "locked", reason="Nothing is open: load a recording in step 1 first."
            )
            return
        in_use = _in_use(session.workspace.recording, session.config)
        if in_use:
            self.announce("done", in_use)
        elif table is not None and company.is_waiting(n):
            self.announce("todo", f"{table.n_rows} rows for {n} frames")
        else:
            self.announce("todo")
        self.button.setEnabled(something and not self.is_busy)

    # Files.

    def _reader(
        self, times: TimesForm, message: MessageLine
    ) -> Callable[[Path | None], None]:
        def read(path: Path | None) -> None:
            message.clear()
            if path is not None:
                self._read(times, path, lambda t: _offer(times, path, t), message)
            elif times in (self.behaviour.pulses, self.stimulus.log.pulses):
                self._offer_own_columns()

        return read

    def _read(
        self,
        form: object,
        path: Path,
        on_table: Callable[[Any], None],
        message: MessageLine,
    ) -> None:
        """Read a table in the background, without the step's progress bar."""
        kind = f"columns of {path} for {id(form)}"
        try:
            job = self.session.jobs.job(kind, "Looking at files", lambda: reading(path))
        except NapariCebraError:
            return  # this file is being looked at already
        job.returned.connect(on_table)
        job.errored.connect(message.error)

    def _on_stimulus_file(self, path: Path | None) -> None:
        message = self.stimulus.log.message
        message.clear()
        if path is not None:
            self._read(
                self.stimulus, path, lambda t: self.stimulus.set_table(path, t), message
            )
        self.refresh()

    def _offer_own_columns(self) -> None:
        table = self._table
        if table is None:
            self.behaviour.set_columns((), None)
            return
        chosen = self.session.config.source.time_column or likely_time_column(table)
        has_clock = table.row_times is not None
        self.behaviour.set_columns(table.names, chosen, has_clock)

    # What is open, and what was found.

    def _on_loaded(self) -> None:
        """Another recording: what was chosen for the last one may not fit."""
        self.abandon_job()
        self._show_config()

    def _show_config(self) -> None:
        config = self.session.config
        self._forget()
        self.message.clear()
        named, self._table = config.source.variables, self.session.accompaniment.table
        self.setValue(config)
        self._offer_own_columns()
        if named is not None and self._table is None:
            message = self.behaviour.message
            self._read(self.behaviour, Path(named), self._on_own_table, message)
        self.refresh()

    def _on_own_table(self, table: Table) -> None:
        self._table = table
        self._offer_own_columns()
        self.refresh()

    def _on_recording(self) -> None:
        found = self._found
        if found is not None and found.made_of is not self.session.workspace.recording:
            self._forget()
        self.refresh()

    def _on_form(self) -> None:
        self._forget()  # it was made with other settings
        self.refresh()

    def _forget(self) -> None:
        self._found = None
        self.result.hide()

    def _on_found(self, found: Realigned) -> None:
        if found.made_of is not self.session.workspace.recording:
            return  # another was opened meanwhile
        self._found = found
        company, n = found.accompaniment, self.session.n_frames
        waits = n is not None and company.is_waiting(n)
        self.result.show_found(found.aligned, can_be_used=not waits)
        if waits:
            text = to_align(company.table.name, company.table.n_rows, n)
            self.behaviour.message.error(
                text.replace("align them in the Align step", "choose how it is aligned")
            )
            self._open_blamed()
        elif found.aligned.notes:
            self.message.warning(" ".join(found.aligned.notes))
        if not waits:
            self.bring_into_view(self.result.accept_button, self.result)

    def _on_job_errored(self, text: str) -> None:
        """Say it at the form that is to blame."""
        stage = getattr(self._job.last_report, "text", "") if self._job else ""
        at = _STAGES.get(stage)
        (self.message if at is None else self.messages[at]).error(text)
        self._open_blamed()

    def _open_blamed(self) -> None:
        """Unfold the forms that tell of an error, and show the first."""
        for name, message in self.messages.items():
            if message.level() == "error":
                self.folds[name].setValue(True)
                self.bring_into_view(message)


def _offer(times: TimesForm, path: Path, table: Table) -> None:
    """Offer the columns of a file that is still the one chosen."""
    if times.path.value() == path:
        times.set_columns(table.names)


def _in_use(recording: Recording | None, config: PipelineConfig) -> str:
    """Return how the logs of a recording were aligned; empty where none was."""
    steps = () if recording is None else recording.provenance
    used = [step.parameters for step in steps if step.name == ALIGNED]
    if not used:
        return ""
    logs = {"behaviour": config.align.behaviour, "stimulus": config.align.stimulus}
    said = [f"{name} by {logs[name].method}" for name in logs if name in used[-1]]
    return ", ".join(said) or "frames by their times"


def _note(text: str) -> QLabel:
    note = QLabel(text)
    note.setWordWrap(True)
    note.setStyleSheet("color: #909090; font-style: italic;")
    return note
