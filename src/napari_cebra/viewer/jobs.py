"""Long work in napari's worker: progress, pause, stop, and every ending told."""

from __future__ import annotations

import gc
import logging
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils import progress as progress_bar
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication

from napari_cebra.recording import InvalidInput, NapariCebraError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

log = logging.getLogger(__name__)
_BAR_MS = 250

# A job keeps itself alive until its worker has ended, whoever dropped it.
_under_way: set[Job] = set()


def _keep(job: Job) -> None:
    """Hold a job, and spare the window full garbage collections meanwhile.

    A full one takes a third of a second with napari and PyTorch loaded, in whatever
    slot it happens to fall. What is there when the first job begins, and when
    a job first reports, is left out of them until the last has ended.
    """
    if not _under_way:
        gc.freeze()
    _under_way.add(job)


def _let_go(job: Job) -> None:
    _under_way.discard(job)
    if not _under_way:
        gc.unfreeze()


class JobFailed(Exception):
    """What went wrong in a job, in one sentence.

    Never a RuntimeError: superqt takes one from a generator for a deleted
    worker, and neither ``errored`` nor ``finished`` would follow.
    """


class Job(QObject):
    """One generator running in napari's worker.

    Parameters
    ----------
    name : str
        What is being done, for the status line: "Training".
    make : callable
        Returns the generator; called in the worker, and let go of there, so
        that what it holds is free when the job has ended.
    parent : QObject, optional
        As in Qt.

    Notes
    -----
    Signals, all on the GUI thread: ``progressed(report)`` for each report,
    then exactly one of ``returned(result)``, ``errored(sentence)`` and
    ``stopped()``, then ``finished()``. ``changed()`` follows `state`.
    """

    progressed = Signal(object)
    returned = Signal(object)
    errored = Signal(str)
    stopped = Signal()
    finished = Signal()
    changed = Signal()

    def __init__(
        self,
        name: str,
        make: Callable[[], Generator[Any, None, Any]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.state = "waiting"
        self.last_report: Any = None
        self.sentence = ""
        self._task = _Task(name, make)
        self._clock = _Clock()
        self._worker: GeneratorWorker | None = None
        self._bar: progress_bar | None = None
        # napari's bar lets all pending events happen inside its update, so it
        # is moved in an event of its own, never between a report and its slots.
        self._bar_timer = QTimer(self)
        self._bar_timer.setSingleShot(True)
        self._bar_timer.setInterval(_BAR_MS)
        self._bar_timer.timeout.connect(self._move_bar)

    def start(self) -> None:
        """Begin; the first report comes from the event loop."""
        if self.is_over:  # stopped before it began
            return
        bar = progress_bar(total=0, desc=self.name)
        if self.is_over:  # stopped by an event the bar let happen
            bar.close()
            return
        self._bar = bar
        _keep(self)
        worker = create_worker(
            _Readable(_drive, self._task),
            _start_thread=False,
            _worker_class=_JobWorker,
            _ignore_errors=True,
        )
        worker.task = self._task
        worker.started.connect(self._on_started)
        worker.yielded.connect(self._on_yielded)
        worker.paused.connect(self._on_paused)
        worker.resumed.connect(self._on_resumed)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        worker.start()

    def pause(self) -> None:
        """Wait after the report under way."""
        if self._worker is not None and self.state == "running":
            self._worker.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._worker is not None and self.state == "paused":
            self._worker.resume()

    def stop(self) -> None:
        """End after the report under way; its clean-up still runs."""
        if self.is_over or self.state == "stopping":
            return
        if self._worker is None:
            self._on_finished()
        else:
            self._worker.quit()
            self._set_state("stopping")

    @property
    def is_over(self) -> bool:
        """Whether an ending has been told."""
        return self.state in ("done", "failed", "stopped")

    @property
    def fraction(self) -> float | None:
        """Share of the work done, 0 to 1; None where it is not known."""
        return self._clock.fraction

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the speed so far, without the pauses."""
        told = getattr(self.last_report, "seconds_left", None)
        return self._clock.seconds_left() if told is None else float(told)

    @property
    def status(self) -> str:
        """One line: what, how far, how long to go."""
        parts = [getattr(self.last_report, "text", "") or self.name]
        if self.state in ("paused", "stopping"):
            parts.append(self.state)
        if self.fraction is not None and not self.is_over:
            parts.append(f"{100 * self.fraction:.0f} %")
            if self.state == "running" and self.seconds_left is not None:
                parts.append(f"{duration(self.seconds_left)} left")
        if self.is_over:
            parts.append(self.sentence or self.state)
        return ", ".join(parts)

    def _set_state(self, state: str) -> None:
        self.state = state
        self.changed.emit()

    def _on_started(self) -> None:
        self._clock.run()
        if self.state == "waiting":
            self._set_state("running")

    def _on_yielded(self, report: object) -> None:
        if self.last_report is None:
            gc.freeze()  # once more: with what the job has imported
        self.last_report = report
        self._clock.note(report)
        if not self._bar_timer.isActive():
            self._bar_timer.start()
        self.progressed.emit(report)

    def _move_bar(self) -> None:
        bar = self._bar
        if bar is None or not self._clock.total:
            return
        if bar.total != self._clock.total:
            bar.total = self._clock.total
        bar.update(self._clock.done - bar.n)

    def _on_paused(self) -> None:
        self._clock.rest()
        self._set_state("paused")

    def _on_resumed(self) -> None:
        self._clock.run()
        self._set_state("running")

    def _on_finished(self) -> None:
        task, self._task = self._task, _Task(self.name, None)
        self._worker = None
        self._bar_timer.stop()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
        try:
            self._tell(task)
        finally:
            self.finished.emit()
            _let_go(self)

    def _tell(self, task: _Task) -> None:
        if task.error is not None:
            self.sentence, unexpected = explain(self.name, task.error)
            if unexpected:
                log.error("%s", "".join(traceback.format_exception(task.error)))
                notification_manager.receive_error(
                    type(task.error), task.error, task.error.__traceback__
                )
            self._set_state("failed")
            self.errored.emit(self.sentence)
        elif task.is_done:
            self._set_state("done")
            self.returned.emit(task.result)
        else:
            self._set_state("stopped")
            self.stopped.emit()


class Jobs(QObject):
    """The jobs of one viewer: at most one of a kind at a time."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: dict[str, Job] = {}
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.stop_all)

    def job(
        self, kind: str, name: str, make: Callable[[], Generator[Any, None, Any]]
    ) -> Job:
        """Return a new job; connect to it, it starts from the event loop.

        Parameters
        ----------
        kind : str
            "training", "extraction" ...
        name : str
            What is being done, for the status line.
        make : callable
            Returns the generator.

        Raises
        ------
        InvalidInput
            If one of the same kind is under way.
        """
        if self.running(kind) is not None:
            raise InvalidInput(
                f"{self._running[kind].name} is still under way; wait for it or stop "
                "it, then start again."
            )
        job = self._running[kind] = Job(name, make)
        job.changed.connect(self.changed)
        job.finished.connect(self._forget)
        QTimer.singleShot(0, job.start)
        return job

    def running(self, kind: str) -> Job | None:
        """Return the job of this kind that has not ended, or None."""
        job = self._running.get(kind)
        return None if job is None or job.is_over else job

    @property
    def under_way(self) -> tuple[Job, ...]:
        """All jobs that have not ended."""
        return tuple(job for job in self._running.values() if not job.is_over)

    def stop_all(self) -> None:
        """Ask every job to end."""
        for job in self.under_way:
            job.stop()

    def _forget(self) -> None:
        for kind, job in list(self._running.items()):
            if job.is_over:
                del self._running[kind]
        self.changed.emit()


def explain(name: str, error: BaseException) -> tuple[str, bool]:
    """Return one sentence about an error, and whether it was unexpected."""
    text = " ".join(str(error).split())
    if isinstance(error, NapariCebraError):
        return text, False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            f"{name} ran out of memory; use a smaller batch, fewer hidden units or "
            "the CPU, and start again.",
            False,
        )
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"{name} failed: {error.strerror}{where}.", False
    return (
        f"{name} failed unexpectedly: {type(error).__name__}: {text or 'no text'}; "
        "nothing loaded before is lost, and napari's notification has the details.",
        True,
    )


def duration(seconds: float) -> str:
    """Return seconds as a person says them: "12 s", "3 min 20 s", "2 h 5 min"."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


class _Task:
    """What passes between the worker's thread and the job."""

    def __init__(
        self, name: str, make: Callable[[], Generator[Any, None, Any]] | None
    ) -> None:
        self.name = name
        self.make = make
        self.generator: Generator[Any, None, Any] | None = None
        self.result: Any = None
        self.is_done = False
        self.error: BaseException | None = None

    def begin(self) -> Generator[Any, None, Any]:
        assert self.make is not None
        make, self.make = self.make, None
        self.generator = make()
        return self.generator

    def end(self) -> None:
        """Run the generator's clean-up; in the worker's thread, on every ending."""
        generator, self.generator, self.make = self.generator, None, None
        if generator is None:
            return
        try:
            generator.close()
        except Exception as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Keep an error, and nothing of what its frames held (tensors, stacks)."""
        link: BaseException | None = error
        while link is not None:
            traceback.clear_frames(link.__traceback__)
            link = link.__cause__ or link.__context__
        self.error = error


class _JobWorker(GeneratorWorker):
    """A worker that closes its generator; superqt leaves it suspended."""

    task: _Task

    def work(self) -> Any:
        try:
            return super().work()
        finally:
            self.task.end()


class _Readable(partial):
    """A function whose repr, which napari shows as the task, is the job's name."""

    def __repr__(self) -> str:
        return f"“{self.args[0].name}”"


def _drive(task: _Task) -> Generator[Any, None, None]:
    """Run the task's generator; let only JobFailed out."""
    try:
        task.result = yield from task.begin()
        task.is_done = True
    except Exception as error:
        task.fail(error)
        sentence = explain(task.name, error)[0]
    if task.error is not None:
        raise JobFailed(sentence)  # outside the handler: no chain, no frames


class _Clock:
    """How far, and how fast without the pauses."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self._first = 0
        self._phase: tuple[int, str] = (0, "")
        self._spent = 0.0
        self._since: float | None = None

    def run(self) -> None:
        self._since = time.monotonic()

    def rest(self) -> None:
        self._spent = self._elapsed()
        self._since = None

    def note(self, report: object) -> None:
        done = getattr(report, "done", getattr(report, "step", None))
        total = getattr(report, "total", getattr(report, "max_steps", None))
        if done is None or not total:
            return
        phase = (int(total), getattr(report, "text", ""))
        if phase != self._phase:  # a new phase has a speed of its own
            self._phase, self._spent = phase, 0.0
            self._since = time.monotonic()
            self._first = int(done)
        self.done, self.total = int(done), int(total)

    @property
    def fraction(self) -> float | None:
        return min(self.done / self.total, 1.0) if self.total else None

    def seconds_left(self) -> float | None:
        elapsed, done = self._elapsed(), self.done - self._first
        if not self.total or done <= 0 or elapsed < 0.5:
            return None
        return elapsed * (self.total - self.done) / done

    def _elapsed(self) -> float:
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._spent + running
