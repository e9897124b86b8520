"""The built-in recording in the window, all the way by itself.

`open_demo` is what ``napari-cebra demo`` runs. It presses the same buttons a
person would, one after the other, and waits for each step to end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_cebra.pipeline.config import PipelineConfig
from napari_cebra.pipeline.results import writable_folder, write_results
from napari_cebra.recording import Progress
from napari_cebra.widgets import docks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from napari_cebra.widgets.cebra_dock import CebraDock
    from napari_cebra.widgets.step import Step

_TICK_MS = 100
# Long enough for docks to settle and the canvas to be drawn.
_SETTLE_TICKS = 8
_SIZE = (1600, 1000)


def open_demo(
    seed: int = 0,
    out: str | Path | None = None,
    screenshots: bool = False,
    viewer: Any = None,
    block: bool = True,
) -> int:
    """Open napari on the built-in recording and run everything on it.

    Parameters
    ----------
    seed : int
        Of the recording and of everything random after it.
    out : path, optional
        Folder for results (and screenshots).
    screenshots : bool
        Take a picture of each state and quit at the end; else the window stays.
    viewer : napari.Viewer, optional
        Where to; a new one by default.
    block : bool
        Run the event loop until the window is closed.

    Returns
    -------
    int
        0, or 1 where a step failed.

    Raises
    ------
    InvalidInput
        If `out` cannot be written to.
    """
    import napari

    folder = None if out is None else writable_folder(out)
    viewer = napari.Viewer() if viewer is None else viewer
    viewer.window.resize(*_SIZE)
    dock = docks.open_dock(viewer, docks.CEBRA)
    tour = Tour(dock, seed, folder, screenshots)
    tour.start()
    if block:
        napari.run()
    return int(tour.failed)


class Tour(QObject):
    """Goes through the steps from a stack to a decoded movie by their buttons.

    Parameters
    ----------
    dock : CebraDock
        Whose buttons are pressed.
    seed : int
        Of the recording and of the training.
    folder : path, optional
        For results and pictures.
    screenshots : bool
        Whether to take pictures, and to close the window at the end.
    """

    def __init__(
        self, dock: CebraDock, seed: int, folder: Path | None, screenshots: bool
    ) -> None:
        super().__init__(dock)
        self.failed = False
        self.is_over = False
        self._dock = dock
        self._seed = seed
        self._folder = folder
        self._pictures = folder if screenshots else None
        self._quits = screenshots
        self._steps = self._go()
        self._until: Callable[[], bool] = lambda: True
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin; everything happens from the event loop."""
        self._clock.start()

    def _tick(self) -> None:
        if not self._until():
            return
        try:
            self._until = next(self._steps)
        except StopIteration:
            self._clock.stop()
            self.is_over = True
            if self._quits:
                self._dock.session.viewer.close()

    def _go(self) -> Generator[Callable[[], bool], None, None]:
        dock, workspace = self._dock, self._dock.session.workspace
        # Not what was chosen for other recordings: its figures are to be those told.
        dock.session.config = PipelineConfig(seed=self._seed)
        dock.session.configChanged.emit()
        yield from self._picture("1_empty")
        dock.load.v1_button.click()
        yield self._idle
        if not (yield from self._worked(dock.load, workspace.stack)):
            return
        yield from self._picture("2_loaded")
        dock.traces.button.click()
        yield self._idle
        if not (yield from self._worked(dock.traces, workspace.recording)):
            return
        yield from self._picture("3_rois")
        dock.train.button.click()
        yield self._half_trained
        yield from self._picture("4_training")
        yield self._idle
        if not (yield from self._worked(dock.train, workspace.embedding)):
            return
        yield from self._picture("5_trained")
        dock.decode.button.click()
        yield self._idle
        if not (yield from self._worked(dock.decode, workspace.decoding)):
            return
        self._show_a_decoded_frame()
        yield from self._picture("6_decoded")
        if self._folder is not None:
            self._write(self._folder)
            yield self._idle
            yield from self._picture("7_exported")
        if self._pictures is not None:
            dock.show_step(dock.load)
            dock.load.path.setValue(self._folder / "not-there.tif")
            yield lambda: dock.load.message.level() == "error"
            yield from self._picture("8_error")

    def _worked(
        self, step: Step, result: object
    ) -> Generator[Callable[[], bool], None, bool]:
        """Stop the tour where a step left nothing; its message says why."""
        if result is not None:
            return True
        self.failed = True
        print(f"{step.title}: {step.message.text() or 'stopped'}", flush=True)
        yield from self._picture("failed")
        return False

    def _idle(self) -> bool:
        return not self._dock.session.jobs.under_way

    def _half_trained(self) -> bool:
        job = self._dock.session.jobs.running("training")
        return job is None or (job.fraction or 0) > 0.4

    def _show_a_decoded_frame(self) -> None:
        workspace = self._dock.session.workspace
        rows = workspace.decoding.rows.nonzero()[0]
        if rows.size:
            workspace.timeline.set(int(rows[rows.size // 2]))

    def _write(self, folder: Path) -> None:
        """Write what the command line writes, and the files of the last step."""
        workspace, seed = self._dock.session.workspace, self._seed

        def write() -> Generator[Progress, None, object]:
            from napari_cebra.simulate import V1Movie, v1_files

            yield Progress(0, 0, "", "Reading the truth")
            files = v1_files(V1Movie(seed=seed))
            return (
                yield from write_results(
                    folder,
                    workspace.recording,
                    workspace.embedding,
                    workspace.decoding,
                    true_dff=None if files is None else files.true_dff(),
                )
            )

        self._dock.export.start_job(
            "export",
            "Writing results",
            write,
            lambda _: self._dock.export.message.info(f"Results are in {folder}."),
        )

    def _picture(self, name: str) -> Generator[Callable[[], bool], None, None]:
        if self._pictures is None:
            return
        ticks = iter(range(_SETTLE_TICKS))
        yield lambda: next(ticks, None) is None
        path = self._pictures / f"{name}.png"
        self._dock.window().grab().save(str(path))
        print(path, flush=True)
