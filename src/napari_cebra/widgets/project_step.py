"""The last step: export what was decoded and embedded; save and reopen the project."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_cebra.recording import InvalidInput
from napari_cebra.widgets import preferences
from napari_cebra.widgets.exporting import LACKS, WHAT, exporting
from napari_cebra.widgets.path_field import PathField
from napari_cebra.widgets.project_state import (
    missing_text,
    relinking,
    reopening,
    restore,
    saving,
    snapshot,
)
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from napari_cebra.pipeline.project import Project
    from napari_cebra.widgets.project_state import Reopened
    from napari_cebra.widgets.session import Session


class ExportStep(Step):
    """Tick what to write, choose a folder; save, reopen and relink projects."""

    title = "Export & project"

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Export")
        self._boxes: dict[str, QCheckBox] = {}
        # Also what cannot be written yet, which is not shown as ticked.
        self._wanted = set(preferences.recall("export", ["mp4", "csv"]))
        self._missing: tuple[Project, Path] | None = None
        self._save_again = False
        grid_widget = QWidget()
        grid = QGridLayout(grid_widget)
        grid.setContentsMargins(0, 0, 0, 0)
        for at, (key, text, tip, _) in enumerate(WHAT):
            box = QCheckBox(text.replace("&", "&&"))  # a sign, not a shortcut
            box.setToolTip(tip)
            self._boxes[key] = box
            grid.addWidget(box, at // 2, at % 2)
        self.folder = PathField("Folder for the exported files", "folder")
        self.fields.addWidget(grid_widget)
        self.fields.addWidget(self.folder)
        self.button.setToolTip("Write the ticked files (Ctrl+Return)")

        self.project_title = QLabel("<b>Project</b>")
        self.project_label = QLabel()
        self.project_label.setWordWrap(True)
        self.save_button = QPushButton("Save")
        self.save_as_button = QPushButton("Save as…")
        self.open_button = QPushButton("Open…")
        self.relink_button = QPushButton("Relink…")
        self.recent_button = QPushButton("Recent")
        self.recent_button.setMenu(QMenu(self))
        for button, tip in (
            (self.save_button, "Save everything made here into the project folder"),
            (self.save_as_button, "Save into another folder, NAME.cebra"),
            (self.open_button, "Open a project folder, NAME.cebra"),
            (self.relink_button, "Say where a raw file that was moved is now"),
            (self.recent_button, "Projects opened last"),
        ):
            button.setToolTip(tip)
        row = QHBoxLayout()
        for button in (
            self.save_button,
            self.save_as_button,
            self.open_button,
            self.recent_button,
            self.relink_button,
        ):
            row.addWidget(button)
        column = self.layout()
        # Above progress and message, which both halves of the step share.
        column.insertWidget(2, self.project_title)
        column.insertWidget(3, self.project_label)
        column.insertLayout(4, row)

        self.save_button.clicked.connect(lambda: self.try_to(self.save))
        self.save_as_button.clicked.connect(self._choose_where_to_save)
        self.open_button.clicked.connect(self._choose_project)
        self.recent_button.menu().aboutToShow.connect(self._fill_recent)
        self.relink_button.clicked.connect(self._relink)
        session.autosaveWanted.connect(self._autosave)
        for key, box in self._boxes.items():
            box.toggled.connect(partial(self._on_box, key))
        self.folder.valueChanged.connect(self.refresh)
        connect = self.connections.add
        workspace = session.workspace
        for signal in (
            workspace.stack_changed,
            workspace.recording_changed,
            workspace.embedding_changed,
            workspace.decoding_changed,
            workspace.shares_changed,
            workspace.comparison_changed,
            workspace.project_changed,
        ):
            connect(signal, self.refresh)
        connect(workspace.stack_changed, self.message.clear)
        connect(workspace.embedding_changed, self.message.clear)
        self.refresh()

    def value(self) -> tuple[str, ...]:
        """Return what is chosen for export, once it is there."""
        return tuple(key for key in self._boxes if key in self._wanted)

    def setValue(self, value: tuple[str, ...]) -> None:
        """Choose these for export."""
        self._wanted = set(value)
        preferences.remember("export", list(self.value()))
        self.refresh()

    def main_action(self) -> None:
        """Write the ticked files."""
        workspace = self.session.workspace
        folder, recording = self.folder.value(), workspace.recording
        if recording is None:
            return
        if folder is None:
            raise InvalidInput("No folder is chosen; choose where to write above.")
        what = [key for key in self.value() if self._boxes[key].isEnabled()]
        if not what:
            raise InvalidInput("Nothing is ticked; tick at least one file to write.")
        results = (
            *(workspace.embedding, workspace.decoding),
            *(workspace.shares, workspace.comparison),
        )
        self.start_job(
            "export",
            "Exporting",
            lambda: exporting(what, folder, recording, *results),
            self._on_exported,
            stopped_text="Export was cancelled; files that were complete are kept.",
        )

    def refresh(self, *_: object) -> None:
        """Show what can be exported and where the project is."""
        workspace = self.session.workspace
        recording, decoding = workspace.recording, workspace.decoding
        stimulus = None if recording is None else recording.stimulus
        has_movie = (
            decoding is not None
            and decoding.looked_up
            and stimulus is not None
            and stimulus.movie is not None
        )
        has = {
            "movie": has_movie,
            "video": has_movie and recording.rate is not None,
            "recording": recording is not None,
            "decoding": decoding is not None,
            "embedding": workspace.embedding is not None,
            "shares": workspace.shares is not None,
            "comparison": workspace.comparison is not None,
        }
        for key, _, tip, needs in WHAT:
            box = self._boxes[key]
            box.setEnabled(has[needs])
            box.setToolTip(tip if has[needs] else f"{tip}. {LACKS[needs]}")
            blocked = box.blockSignals(True)  # the choice itself is kept
            box.setChecked(has[needs] and key in self._wanted)
            box.blockSignals(blocked)
        folder = workspace.project_folder
        something = workspace.stack is not None or recording is not None
        state = "done" if folder is not None and not workspace.unsaved else "todo"
        self.announce(state, "" if folder is None else folder.name)
        self.button.setEnabled(any(has.values()) and not self.is_busy)
        self.save_button.setEnabled(something and not self.is_busy)
        self.save_as_button.setEnabled(something and not self.is_busy)
        if folder is None:
            self.project_label.setText(
                "Not saved yet. Once it has a folder it is saved after each step."
            )
        else:
            unsaved = " · unsaved changes" if workspace.unsaved else " · saved"
            self.project_label.setText(f"{folder.name}{unsaved}")
            self.project_label.setToolTip(str(folder))
        self.relink_button.setVisible(self._missing is not None)

    # Projects.

    def open_project(self, path: Path) -> None:
        """Open a project folder, or the file inside it."""
        folder = path if path.is_dir() else path.parent

        def on_result(reopened: Reopened) -> None:
            self._on_reopened(reopened, folder)

        self.start_job("project", "Opening", lambda: reopening(path), on_result)

    def save(self, folder: Path | None = None) -> None:
        """Save into a folder; None takes the one it was saved in before."""
        folder = self.session.workspace.project_folder if folder is None else folder
        if folder is None:
            self._choose_where_to_save()
            return
        project, loaded = snapshot(self.session), self.session.accompaniment

        def on_result(saved: Path) -> None:
            # Another recording may have been loaded while this one was written:
            # then the folder is not its folder.
            if self.session.accompaniment is loaded:
                self._on_saved(saved)

        self.start_job("project", "Saving", lambda: saving(project, folder), on_result)

    def _autosave(self) -> None:
        if self.is_busy:  # an export or another save is under way: once more then
            self._save_again = True
            return
        self._save_again = False
        self.save()

    def _on_saved(self, folder: Path) -> None:
        self.session.workspace.mark_saved(folder)
        preferences.add_recent_project(str(folder))

    def _on_job_finished(self) -> None:
        super()._on_job_finished()
        if self._save_again:
            self.session.later(self.session.autosave)

    def _on_reopened(self, reopened: Reopened, folder: Path) -> None:
        project = reopened[0]
        restore(self.session, reopened, folder)
        preferences.add_recent_project(str(folder))
        self._missing = (project, folder) if project.missing else None
        if self._missing is not None:
            self.message.warning(missing_text(project))
        else:
            self.message.info(f"{folder.name} is open.")
        self.refresh()

    def _relink(self) -> None:
        if self._missing is None:
            return
        project, _ = self._missing
        source = project.missing[0]
        name, _ = QFileDialog.getOpenFileName(
            self,
            f"Where is {source.name} now?",
            preferences.recall("last_folder", ""),
            f"{source.name} ({source.name});;All files (*)",
        )
        if name:
            self.relink_to(Path(name))

    def relink_to(self, place: Path) -> None:
        """Take the file at `place` for the raw file that is missed."""
        if self._missing is None:
            return
        project, folder = self._missing
        self.start_job(
            "project",
            "Relinking",
            lambda: relinking(project, project.missing[0], place),
            lambda reopened: self._on_reopened(reopened, folder),
        )

    def _choose_where_to_save(self) -> None:
        start = Path(preferences.recall("last_folder", ""))
        recording = self.session.workspace.recording
        name = "recording" if recording is None else recording.name
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Save the project as", str(start / f"{name}.cebra"), "CEBRA (*.cebra)"
        )
        if chosen:
            path = Path(chosen)
            self.save(path if path.suffix == ".cebra" else Path(f"{chosen}.cebra"))

    def _choose_project(self) -> None:
        start = preferences.recall("last_folder", "")
        chosen = QFileDialog.getExistingDirectory(self, "Open NAME.cebra", start)
        if chosen:
            self.open_project(Path(chosen))

    def _fill_recent(self) -> None:
        menu = self.recent_button.menu()
        menu.clear()
        for path in preferences.recent_projects():
            action = menu.addAction(Path(path).name)
            action.setToolTip(path)
            action.triggered.connect(partial(self.open_project, Path(path)))
        if menu.isEmpty():
            menu.addAction("No project was opened yet").setEnabled(False)

    def _on_exported(self, written: list[Path]) -> None:
        names = ", ".join(path.name for path in written)
        self.message.info(f"Written to {written[0].parent}: {names}.")

    def _on_box(self, key: str, ticked: bool) -> None:
        (self._wanted.add if ticked else self._wanted.discard)(key)
        preferences.remember("export", list(self.value()))
