"""Step 1: choose a recording, see what was recognised, load it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_cebra.pipeline.align_words import to_align
from napari_cebra.pipeline.config import SourceConfig
from napari_cebra.recording import NapariCebraError
from napari_cebra.widgets import opening, preferences
from napari_cebra.widgets.behaviour_form import BehaviourChoice, BehaviourForm
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.form_rows import Choice
from napari_cebra.widgets.path_field import PathField
from napari_cebra.widgets.recognise import recognising
from napari_cebra.widgets.source_form import HAS_RATE, Recognised, SourceForm
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io import Table
    from napari_cebra.io.tables.summary import ColumnSummary
    from napari_cebra.widgets.behaviour_form import TableChoice
    from napari_cebra.widgets.opening import Opened
    from napari_cebra.widgets.session import Session
    from napari_cebra.widgets.source_form import SourceChoice


_MOVIE_WAITS = (
    "The movie waits until it is known which of its frames was shown when: choose the "
    "column of the shown frame and load again, or a stimulus log in the Align step."
)
_NO_RATE = (
    "The file does not say its frame rate; enter it above, or leave it unknown and "
    "work in frames."
)
_NO_NUMBERS = (
    "The first, the middle and the last frame hold no finite number, only NaN; look "
    "whether this is the right file."
)


class LoadStep(Step):
    """A file, a folder, an open layer or a built-in recording."""

    title = "Load"
    projectChosen = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Load")
        self._awaited: object = None  # what the recognition under way is for
        self._loading_layer: Any = None
        self._attached = SourceConfig()  # whose table and movie are in use
        self._stand_in = ""

        built_in = QWidget()
        row = QHBoxLayout(built_in)
        row.setContentsMargins(0, 0, 0, 0)
        self.v1_button = QPushButton("V1 movie")
        self.v1_button.setToolTip(
            "Built-in two-photon recording of V1 watching a movie ten times; it is "
            "simulated, so the truth is known. Made on first use, about a minute"
        )
        self.ca1_button = QPushButton("CA1 track")
        self.ca1_button.setToolTip(
            "Built-in traces of CA1 place cells on a linear track, simulated"
        )
        row.addWidget(QLabel("Built-in recording"), 1)
        row.addWidget(self.v1_button)
        row.addWidget(self.ca1_button)

        self.path = PathField("Choose or drop a file or folder", mode="open_or_folder")
        self.layer = Choice([(None, "or use an open Image layer …")])
        self.layer.setToolTip("Image layers of this viewer with frames over time")
        self.source = SourceForm()
        self.behaviour = BehaviourForm()
        self.fold = Fold("Stimulus and behaviour", self.behaviour)
        self.fold.setToolTip("Movie that was shown, and variables of each frame")
        for part in (built_in, self.path, self.layer, self.source, self.fold):
            self.fields.addWidget(part)
        self.button.setToolTip("Load what was recognised (Ctrl+Return)")

        self.v1_button.clicked.connect(lambda: self.load_built_in("v1"))
        self.ca1_button.clicked.connect(lambda: self.load_built_in("ca1"))
        self.path.valueChanged.connect(self._on_path)
        self.layer.activated.connect(self._on_layer)
        self.source.dataSetChanged.connect(self._look_at)
        self.source.valueChanged.connect(self._show_n_frames)
        self.source.valueChanged.connect(self._on_choice)
        self.behaviour.tableChosen.connect(self._on_table)
        self.behaviour.movieChosen.connect(self._on_movie)
        connect = self.connections.add
        session.configChanged.connect(self._forget_source)
        connect(session.workspace.stack_changed, self.refresh)
        connect(session.workspace.recording_changed, self.refresh)
        connect(session.viewer.layers.events.inserted, self._offer_layers)
        connect(session.viewer.layers.events.removed, self._offer_layers)
        self._offer_layers()
        self.refresh()

    # What is to be loaded.

    def main_action(self) -> None:
        """Load what the fields say."""
        choice = self.source.value()
        if choice is None:
            return
        if choice.kind == "project":
            self.projectChosen.emit(self.path.value())
            return
        if not self.session.may_replace(self):
            return
        layer = self._chosen_layer()
        config = opening.source_config(
            self.path.value(), choice, self.behaviour.value()
        )
        columns = self.behaviour.value().columns
        self._loading_layer = layer
        data = None if layer is None else layer.data
        self.behaviour.table_message.clear()
        self.behaviour.movie_message.clear()
        self.start_job(
            "loading",
            "Loading",
            lambda: opening.opening(
                config, columns, data, choice.select, choice.pixel_um
            ),
            self._on_opened,
            stopped_text="Loading was cancelled; what was open before is still open.",
        )

    def load_built_in(self, which: str) -> None:
        """Load a built-in recording, made first if it is not there yet."""
        if not self.session.may_replace(self):
            return
        self._loading_layer = None
        self.path.setValue(None)
        preferences.use_cache_folder()
        self.start_job(
            "loading",
            "Built-in recording",
            lambda: opening.built_in(which, self.session.config.seed),
            self._on_opened,
            stopped_text="The built-in recording was not made; press again to go on.",
        )

    def take_out_when_loaded(self, name: str) -> None:
        """Remove the stand-in that napari's sample menu asked for."""
        self._stand_in = name

    def refresh(self, *_: object) -> None:
        """Show what is open."""
        workspace = self.session.workspace
        for button in (self.v1_button, self.ca1_button, self.path, self.layer):
            button.setEnabled(not self.is_busy)
        if workspace.stack is not None:
            t, y, x = workspace.stack.shape
            rate = workspace.stack.rate
            self.announce("done", f"{t} × {y} × {x}, {_rate(rate)}")
        elif workspace.recording is not None:
            recording = workspace.recording
            n = recording.traces.n_rois
            self.announce(
                "done", f"{recording.n_frames} × {n} traces, {_rate(recording.rate)}"
            )
        else:
            self.announce("todo")
        self._show_n_frames()
        found = self.source.recognised()
        self.button.setEnabled(found is not None and not self.is_busy)
        is_project = found is not None and found.kind == "project"
        self.button.setText("Open project" if is_project else "Load")

    def _show_n_frames(self, *_: object) -> None:
        self.behaviour.set_n_frames(self.source.n_frames())

    # Looking at files, in the background.

    def _on_path(self, path: Path | None) -> None:
        if path is not None:
            self.layer.setCurrentIndex(0)
        self.source.set_recognised(None)
        self.message.clear()
        self._let_go_of_table()
        self._awaited = path
        if path is not None:
            self._look_at(None)
        self.refresh()

    def _on_choice(self, choice: SourceChoice | None) -> None:
        if choice is not None and choice.rate and self.message.text() == _NO_RATE:
            self.message.clear()

    def _forget_source(self) -> None:
        """Show no file: what is open now comes from a project."""
        self.layer.setCurrentIndex(0)
        self.path.setValue(None)
        self._on_path(None)  # also where a layer was chosen
        self.behaviour.table_message.clear()
        self.behaviour.movie_message.clear()

    def _look_at(self, data_set: str | None) -> None:
        path = self.path.value()
        if path is None:
            return
        self._awaited = asked = path, data_set
        self._background(
            f"looking at {path} {data_set}",
            lambda: recognising(path, data_set),
            lambda found: self._on_recognised(asked, found),
            lambda text: self._on_not_recognised(asked, text),
        )

    def _on_recognised(self, asked: object, found: Recognised) -> None:
        if asked != self._awaited:
            return  # another file, or part of it, was chosen in the meantime
        self.source.set_recognised(found)
        if found.kind in HAS_RATE and found.rate is None:
            self.message.info(_NO_RATE)
        self.refresh()

    def _on_not_recognised(self, asked: object, text: str) -> None:
        if asked == self._awaited:
            self.message.error(text)
            self.refresh()

    def _on_layer(self, _: int) -> None:
        layer = self._chosen_layer()
        self.path.setValue(None)
        self._awaited = layer
        self.source.set_recognised(None)
        self.message.clear()
        self._let_go_of_table()
        if layer is not None:
            self.source.set_recognised(opening.recognise_layer(layer))
        self.refresh()

    def _let_go_of_table(self) -> None:
        """Empty the table and movie of the recording that was loaded last."""
        chosen, attached = self.behaviour.value(), self._attached
        if chosen.table is None or str(chosen.table) != attached.variables:
            return
        movie = chosen.movie if str(chosen.movie) != attached.movie else None
        self.behaviour.setValue(BehaviourChoice(movie=movie))
        self.behaviour.table_message.info(
            f"{chosen.table.name} belongs to the recording loaded before; choose the "
            "table of this one, if there is one."
        )

    def _chosen_layer(self) -> Any:
        name = self.layer.value()
        layers = self.session.viewer.layers
        return layers[name] if name is not None and name in layers else None

    def _offer_layers(self, *_: object) -> None:
        names = [
            layer.name
            for layer in self.session.viewer.layers
            if opening.could_be_stack(layer)
        ]
        first = (
            None,
            "or use an open Image layer …" if names else "no Image layer is open",
        )
        self.layer.set_items([first, *((name, name) for name in names)])
        self.layer.setEnabled(bool(names) and not self.is_busy)

    def _on_table(self, choice: TableChoice | None) -> None:
        if choice is None:
            return
        self._background(
            f"table {choice}",
            lambda: opening.reading_table(choice),
            lambda read: self._on_table_read(choice, *read),
            self.behaviour.table_message.error,
        )

    def _on_table_read(
        self, choice: TableChoice, table: Table, columns: tuple[ColumnSummary, ...]
    ) -> None:
        if choice == self.behaviour.reading():
            self.behaviour.set_table(table, columns)

    def _on_movie(self, path: Path | None) -> None:
        if path is None:
            return
        self._background(
            f"movie {path}",
            lambda: opening.looking_at_movie(path),
            self.behaviour.movie_message.info,
            self.behaviour.movie_message.error,
        )

    def _background(self, kind: str, make: Any, on_result: Any, on_error: Any) -> None:
        """Run something short without the step's progress bar."""
        try:
            job = self.session.jobs.job(kind, "Looking at files", make)
        except NapariCebraError:
            return  # the same file is being looked at already
        job.returned.connect(on_result)
        job.errored.connect(on_error)

    # What was loaded.

    def _on_job_errored(self, text: str) -> None:
        """Say it at the button, and at the file that is to blame."""
        stage = getattr(self._job.last_report, "text", "") if self._job else ""
        at = {
            opening.TABLE: self.behaviour.table_message,
            opening.MOVIE: self.behaviour.movie_message,
        }.get(stage, self.message)
        if at is not self.message:
            self.fold.setValue(True)
            at.error(text)
        self.message.error(text)

    def _on_opened(self, opened: Opened) -> None:
        session = self.session
        workspace = session.workspace
        session.config = replace(
            session.config, source=opened.source, align=opened.accompaniment.align
        )
        if opened.source.variables is not None:
            self._attached = opened.source
        session.accompaniment = opened.accompaniment
        session.select = opened.select
        session.movie_source = session.missing_stack = None
        if opened.stack is not None:
            previous = workspace.stack
            session.main_view.expect(self._loading_layer, opened.limits)
            workspace.set_stack(opened.stack)
            if previous is not None:
                previous.close()
        elif workspace.stack is not None:
            workspace.set_stack(None)
        workspace.set_rois(opened.rois, forget_history=True)
        session.loaded.emit()
        if opened.recording is not None:
            workspace.set_recording(opened.recording)
            session.show_traces()
        if self._stand_in in session.viewer.layers:
            session.viewer.layers.remove(self._stand_in)
        before = workspace.project_folder
        if before is not None:  # it holds another recording, and keeps it
            workspace.leave_project()
            self.message.info(
                f"{before.name} stays as it was saved; this recording is not saved yet."
            )
        self._tell_waiting(opened)
        self.completed.emit()

    def _tell_waiting(self, opened: Opened) -> None:
        """Say what is not attached yet: a table not row by row, a movie without it."""
        company, n = opened.accompaniment, self.session.n_frames
        if company.movie_is_waiting:
            self.behaviour.movie_message.warning(_MOVIE_WAITS)
            self.message.warning(_MOVIE_WAITS)
        if n is not None and company.is_waiting(n):
            text = to_align(company.table.name, company.table.n_rows, n)
            self.behaviour.table_message.warning(text)
            self.message.warning(text)
        if opened.stack is not None and opened.limits is None:
            self.message.warning(_NO_NUMBERS)


def _rate(rate: float | None) -> str:
    return "rate unknown" if rate is None else f"{rate:g} Hz"
