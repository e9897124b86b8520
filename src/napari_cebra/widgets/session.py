"""What the docks of one viewer share."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_cebra.pipeline.config import PipelineConfig
from napari_cebra.recording import Progress
from napari_cebra.viewer import _compat
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.registry import jobs_of, workspace_of
from napari_cebra.widgets import preferences
from napari_cebra.widgets.extraction import reporting
from napari_cebra.widgets.main_view import MainView
from napari_cebra.widgets.opening import Accompaniment
from napari_cebra.widgets.unsaved import may_discard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from qtpy.QtWidgets import QWidget

    from napari_cebra.io import SourceFile
    from napari_cebra.pipeline import Embedding
    from napari_cebra.pipeline.fit import Fit
    from napari_cebra.pipeline.project import StackReference
    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.viewer.jobs import Jobs
    from napari_cebra.workspace import Workspace

_SETTLE_MS = 100  # in which opened docks have taken their room

_of_viewer: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


class Session(QObject):
    """Workspace, jobs and settings of one viewer, made when its first dock opens.

    Attributes
    ----------
    config : PipelineConfig
        What was chosen in the steps; what a script would need to repeat it.
    accompaniment : Accompaniment
        Table and movie that wait for the traces of the open stack.
    select : dict
        Channel or plane that was loaded.
    movie_source : SourceFile or None
        File of the movie of a reopened project.
    missing_stack : StackReference or None
        Stack of a reopened project that was not found.
    pictures : dict of str to (Y, X) array
        Of the open stack, from the pass that gave its traces.
    main_view : MainView
        Layers of the main viewer.
    fit : Fit or None
        The training under way, or just stopped.
    """

    autosaveWanted = Signal()
    # Another recording is open, other than by a project: what was chosen for the
    # last one may not fit it. Comes before its traces, where it brings any.
    loaded = Signal()
    docksChanged = Signal()
    configChanged = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self.workspace: Workspace = workspace_of(viewer)
        self.jobs: Jobs = jobs_of(viewer)
        self._waiting: list[Callable[[], object]] = []
        self.config = PipelineConfig()
        self.accompaniment = Accompaniment()
        self.select: dict[str, int] = {}
        self.pictures: dict[str, np.ndarray] = {}
        self.movie_source: SourceFile | None = None
        self.missing_stack: StackReference | None = None
        self.main_view = MainView(viewer, self.workspace)
        self.fit: Fit | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._refit)
        self._connections = Connections()
        self._connections.add(self.workspace.stack_changed, self._on_stack)
        self._connections.add(self.workspace.recording_changed, self._on_recording)

    @classmethod
    def of(cls, viewer: Any) -> Session:
        """Return the session of this viewer (or of the proxy napari hands out)."""
        viewer = _compat.unwrap(viewer)
        if viewer not in _of_viewer:
            _of_viewer[viewer] = cls(viewer)
        return _of_viewer[viewer]

    @property
    def viewer(self) -> Any:
        """The napari viewer."""
        return self._viewer()

    @property
    def n_frames(self) -> int | None:
        """Imaging frames of what is open; None if nothing is."""
        recording, stack = self.workspace.recording, self.workspace.stack
        if recording is not None:
            return recording.n_frames
        return None if stack is None else stack.shape[0]

    def show_traces(self) -> None:
        """Open the dock of the traces, with one ROI selected: empty it says nothing."""
        from napari_cebra.widgets import docks

        docks.open_dock(self.viewer, docks.TRACES)
        recording, selection = self.workspace.recording, self.workspace.selection
        if recording is not None and not selection.rois:
            selection.set_rois([int(recording.roi_ids[0])])

    def _on_stack(self) -> None:
        self.pictures = {}

    def _on_recording(self) -> None:
        self.later(self._judge)

    def _judge(self) -> None:
        """Find out how far the traces can be trusted, unless that is known."""
        recording = self.workspace.recording
        state, running = self.workspace.trace_state, self.jobs.running("report")
        if recording is None or state.report is not None:
            return
        if running is not None:  # of another recording
            running.stop()
            running.finished.connect(self._on_recording)
            return

        def keep(report: TraceReport) -> None:
            if self.workspace.recording is recording:
                state.set_report(report)

        job = self.jobs.job(
            "report", "Judging the traces", lambda: reporting(recording)
        )
        job.returned.connect(keep)

    def refit_soon(self) -> None:
        """Show the whole movie again once the docks have settled."""
        self._settle.start()

    def _refit(self) -> None:
        if _compat.window_is_open(self.viewer):
            self.main_view.refit()

    def later(self, action: Callable[[], object]) -> None:
        """Do something when the event under way is over."""
        self._waiting.append(action)
        QTimer.singleShot(0, self._do_next)

    def _do_next(self) -> None:
        self._waiting.pop(0)()

    def what_was_learnt(self) -> Callable[[], Generator[Progress, None, Embedding]]:
        """Return the work of embedding all frames with a training that was stopped."""
        fit, self.fit = self.fit, None

        def embed() -> Generator[Progress, None, Embedding]:
            yield Progress(0, 0, "", "Embedding all frames with what was learnt")
            return fit.embedding()

        return embed

    def end_jobs(self) -> None:
        """Stop what the closed dock had begun; a training keeps what it learnt."""
        training = self.jobs.running("training")
        if training is not None:
            training.stopped.connect(self._keep_what_was_learnt)
        self.jobs.stop_all()

    def _keep_what_was_learnt(self) -> None:
        if self.fit is None or not _compat.window_is_open(self.viewer):
            return
        embed = self.what_was_learnt()

        def begin() -> None:
            job = self.jobs.job("training", "Embedding", embed)
            job.returned.connect(self.workspace.set_embedding)

        self.later(begin)  # the training's job ends in this very event

    def autosave(self) -> None:
        """Ask for the project to be saved, if it has a folder and that is wanted."""
        workspace = self.workspace
        if workspace.project_folder is None or workspace.would_lose:
            return  # other traces have outdated an embedding: saving is for a person
        # Asked last: napari may look through all plugins for it, in a quarter second.
        if preferences.plugin_setting("projects", "autosave", True):
            self.autosaveWanted.emit()

    def may_replace(self, parent: QWidget) -> bool:
        """Ask before results that were never saved make room for something else."""
        workspace = self.workspace
        made = {
            "embedding": workspace.embedding,
            "decoding": workspace.decoding,
            "shares of the ROIs": workspace.shares,
            "comparison of variables": workspace.comparison,
        }
        results = [what for what, result in made.items() if result is not None]
        if not results or not workspace.unsaved:
            return True
        return may_discard(parent, workspace.recording.name, results)
