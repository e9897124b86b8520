"""The optional step between loading and ROIs: undo the motion of the stack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QPushButton
from superqt.utils import signals_blocked

from napari_cebra.pipeline.motion import corrected_stack, write_shifts
from napari_cebra.pipeline.motion_words import (
    is_worthwhile,
    motion_lines,
    short_text,
)
from napari_cebra.traces.motion import Motion, MotionSettings, register
from napari_cebra.viewer.motion_plot import MotionPlot
from napari_cebra.widgets import preferences
from napari_cebra.widgets.motion_form import MotionForm
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from napari_cebra.io import Stack
    from napari_cebra.recording import Progress
    from napari_cebra.widgets.session import Session

_MOVIES = "TIFF (*.tif *.tiff);;zarr (*.zarr)"
_SHIFTS = "CSV (*.csv);;NumPy (*.npz)"


class MotionStep(Step):
    """Settings, shifts over time, quality before and after, the corrected movie."""

    title = "Motion"
    is_optional = True

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Estimate motion")
        self._found: Motion | None = None
        self.form = MotionForm()
        self.form.setValue(MotionSettings())
        self.fields.addWidget(self.form)
        self.button.setToolTip("Find the shift of every frame (Ctrl+Return)")

        self.plot = MotionPlot(session.viewer)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setToolTip(
            "Measured on up to 64 frames spread over the stack. Crisp: the gradient "
            "of their mean, which motion blurs"
        )
        self.show_box = QCheckBox("Show the corrected movie")
        self.show_box.setToolTip(
            "Show the stack with its motion undone, computed frame by frame as it is "
            "looked at; without it, as recorded"
        )
        self.use_box = QCheckBox("Take traces from the corrected movie")
        self.use_box.setToolTip(
            "Undo the motion when traces are extracted; frames that could not be "
            "registered are then not used"
        )
        self.movie_button = QPushButton("Write corrected movie…")
        self.movie_button.setToolTip(
            "Write the corrected movie into a new TIFF or zarr; nothing needs it here"
        )
        self.shifts_button = QPushButton("Write shifts…")
        self.shifts_button.setToolTip("Write the shift of every frame as CSV or npz")
        row = QHBoxLayout()
        row.addWidget(self.movie_button)
        row.addWidget(self.shifts_button)
        layout = self.layout()
        for part in (self.words, self.plot, self.show_box, self.use_box):
            layout.addWidget(part)
        layout.addLayout(row)

        workspace = session.workspace
        self.show_box.toggled.connect(self._show_movie)
        self.use_box.toggled.connect(self._on_use)
        self.movie_button.clicked.connect(self._choose_movie)
        self.shifts_button.clicked.connect(self._choose_shifts)
        connect = self.connections.add
        connect(workspace.stack_changed, self._on_stack)
        connect(workspace.motion_changed, self._on_motion)
        connect(session.main_view.frames_changed, self._on_frames)
        session.configChanged.connect(self._show_config)
        self._show_config()
        self._on_motion()
        self._on_frames()
        self._show_found()

    def value(self) -> MotionSettings:
        """Return what is chosen."""
        return self.form.value()

    def setValue(self, value: MotionSettings) -> None:
        """Choose."""
        self.form.setValue(value)

    def main_action(self) -> None:
        """Estimate the motion in the background."""
        settings, stack = self.form.value(), self.session.workspace.stack
        if stack is None:
            return
        self.start_job(
            "motion",
            "Estimating motion",
            lambda: register(stack, settings),
            lambda motion: self._on_estimated(motion, stack),
            stopped_text="Cancelled; nothing was changed.",
        )

    def refresh(self, *_: object) -> None:
        """Show whether there is a stack, and what was found."""
        found = self._found
        if self.session.workspace.stack is None:
            self.announce(
                "locked",
                reason="No stack is open: motion is found in the frames of a stack, "
                "which step 1 loads.",
            )
        elif found is None:
            self.announce("todo")
        else:
            self.announce("done", short_text(found))
        self.button.setText("Estimate motion" if found is None else "Estimate again")
        for button in (self.movie_button, self.shifts_button):
            button.setEnabled(not self.is_busy)

    def write_movie(self, path: Path) -> None:
        """Write the corrected movie in the background."""
        from napari_cebra.io.stack_writer import check_new_stack, write_stack

        stack, found = self.session.workspace.stack, self._found
        if stack is None or found is None:
            return
        check_new_stack(path)

        def make() -> Generator[Progress, None, Path]:
            return write_stack(path, corrected_stack(stack, found))

        self.start_job(
            "motion",
            "Writing the corrected movie",
            make,
            lambda written: self.message.info(f"Written: {written}"),
            stopped_text=f"Cancelled; there is no {path.name}.",
        )

    def write_shifts(self, path: Path) -> None:
        """Write the shift of every frame."""
        stack = self.session.workspace.stack
        if stack is not None and self._found is not None:
            write_shifts(path, self._found, stack.rate)
            self.message.info(f"Written: {path}")

    # What was found.

    def _on_estimated(self, motion: Motion, stack: Stack) -> None:
        if self.session.workspace.stack is not stack:
            return  # another was loaded meanwhile
        is_used = is_worthwhile(motion)
        self.session.workspace.set_motion(motion)  # every dock shows it
        if not is_used:
            self.session.workspace.set_motion(None)
        self._show_movie(is_used)
        self.session.autosave()
        if is_used and self.session.workspace.recording is not None:
            self.message.warning(
                "The traces are still those of the movie as it was: extract them "
                "again to use the correction."
            )
        self.bring_into_view(self.words)
        self.completed.emit()

    def _on_motion(self) -> None:
        """Follow the workspace: what is to be undone when traces are taken."""
        workspace = self.session.workspace
        if workspace.motion is not None and workspace.motion is not self._found:
            self._found = workspace.motion
            self._show_found()
        used = workspace.motion
        settings = None if used is None else used.settings
        self.session.config = replace(self.session.config, motion=settings)
        with signals_blocked(self.use_box):
            self.use_box.setChecked(used is not None)
        self.refresh()

    def _on_use(self, is_used: bool) -> None:
        self.session.workspace.set_motion(self._found if is_used else None)
        self.session.autosave()

    def _on_stack(self) -> None:
        self.abandon_job()
        self._found = None
        self._on_frames()
        self.message.clear()
        self._show_found()
        self.refresh()

    def _show_found(self) -> None:
        found, stack = self._found, self.session.workspace.stack
        for part in (
            *(self.words, self.plot, self.show_box, self.use_box),
            *(self.movie_button, self.shifts_button),
        ):
            part.setVisible(found is not None)
        if found is None:
            return
        self.words.setText("\n".join(motion_lines(found)))
        self.plot.show_motion(found, None if stack is None else stack.rate)

    def _show_config(self) -> None:
        if self.session.config.motion is not None:
            self.form.setValue(self.session.config.motion)

    def _show_movie(self, is_corrected: bool) -> None:
        """Put the corrected frames into the layer of the stack, or take them out."""
        stack, found = self.session.workspace.stack, self._found
        if stack is not None and found is not None:
            frames = corrected_stack(stack, found).lazy if is_corrected else None
            self.session.main_view.show_frames(frames)

    def _on_frames(self) -> None:
        """Tick the box where the corrected movie is seen, whichever dock showed it."""
        with signals_blocked(self.show_box):
            self.show_box.setChecked(self.session.main_view.shows_other_frames)

    # Files.

    def _choose_movie(self) -> None:
        self._choose("corrected", _MOVIES, ".tif", self.write_movie)

    def _choose_shifts(self) -> None:
        self._choose("shifts", _SHIFTS, ".csv", self.write_shifts)

    def _choose(self, what: str, kinds: str, ending: str, write: Any) -> None:
        stack = self.session.workspace.stack
        if stack is None:
            return
        folder = Path(preferences.recall("last_folder", ""))
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Write", str(folder / f"{stack.name}_{what}{ending}"), kinds
        )
        if chosen:
            path = Path(chosen)
            self.try_to(lambda: write(path if path.suffix else Path(chosen + ending)))
