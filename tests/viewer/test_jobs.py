"""Every ending of a job is told, and nothing is held afterwards."""

from __future__ import annotations

import gc
import time
import weakref

import pytest

pytest.importorskip("qtpy")

from napari.qt.threading import GeneratorWorker
from napari.utils import progress
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.viewer.jobs import Job, Jobs, duration


class Heard:
    """What a job told, in order."""

    def __init__(self, job: Job) -> None:
        self.told: list[tuple[str, object]] = []
        job.returned.connect(lambda value: self.told.append(("returned", value)))
        job.errored.connect(lambda text: self.told.append(("errored", text)))
        job.stopped.connect(lambda: self.told.append(("stopped", None)))
        job.finished.connect(lambda: self.told.append(("finished", None)))
        self.reports: list[object] = []
        job.progressed.connect(self.reports.append)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


@pytest.fixture
def jobs(qapp):
    before = len(progress._all_instances)
    jobs = Jobs()
    yield jobs
    assert not jobs.under_way
    assert len(progress._all_instances) == before, "a progress bar was left open"
    assert not [w for w in GeneratorWorker._worker_set if w.is_running]


def steps(n=5, wait=0.0):
    for i in range(n):
        time.sleep(wait)
        yield Progress(i + 1, n, "steps")
    return "result"


def run(qtbot, job, timeout=5000):
    with qtbot.waitSignal(job.finished, timeout=timeout):
        pass


def test_result_and_reports_arrive_in_order(qtbot, jobs):
    job = jobs.job("training", "Training", steps)
    heard = Heard(job)
    run(qtbot, job)
    assert heard.told == [("returned", "result"), ("finished", None)]
    assert [r.done for r in heard.reports] == [1, 2, 3, 4, 5]
    assert job.state == "done"
    assert job.fraction == 1.0


def test_reports_stay_in_order_though_the_bar_lets_events_happen(
    qtbot, jobs, monkeypatch
):
    """napari's progress bar calls processEvents inside its update."""
    update = progress.update

    def update_and_process(self, n=1):
        update(self, n)
        QApplication.processEvents()

    monkeypatch.setattr(progress, "update", update_and_process)
    monkeypatch.setattr("napari_cebra.viewer.jobs._BAR_MS", 0)
    job = jobs.job("training", "Training", lambda: steps(200))
    heard = Heard(job)
    run(qtbot, job)
    assert [r.done for r in heard.reports] == list(range(1, 201))
    assert heard.names == ["returned", "finished"]


def test_out_of_memory_is_told_in_one_sentence(qtbot, jobs):
    """Trap 1: torch's OutOfMemoryError is a RuntimeError."""
    torch = pytest.importorskip("torch")

    def train():
        yield Progress(1, 10, "steps")
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    shown = len(notification_manager.records)
    job = jobs.job("training", "Training", train)
    heard = Heard(job)
    run(qtbot, job)
    assert heard.names == ["errored", "finished"]
    assert "out of memory" in job.sentence and job.sentence.count(".") == 1
    assert len(notification_manager.records) == shown


def test_unexpected_errors_are_shown_in_full_too(qtbot, jobs, monkeypatch, caplog):
    received = []
    monkeypatch.setattr(
        notification_manager, "receive_error", lambda *error: received.append(error)
    )

    def broken():
        yield Progress(1, 10)
        raise RuntimeError("shape mismatch")

    job = jobs.job("training", "Training", broken)
    heard = Heard(job)
    run(qtbot, job)
    assert heard.names == ["errored", "finished"]
    assert "shape mismatch" in job.sentence
    [(kind, error, trace)] = received
    assert kind is RuntimeError and str(error) == "shape mismatch" and trace
    assert "in broken" in caplog.text


def test_a_known_error_is_not_notified(qtbot, jobs):
    def refuse():
        raise InvalidInput("The stack is empty; choose another file.")
        yield

    shown = len(notification_manager.records)
    job = jobs.job("load", "Loading", refuse)
    heard = Heard(job)
    run(qtbot, job)
    assert heard.told[0] == ("errored", "The stack is empty; choose another file.")
    assert len(notification_manager.records) == shown


def test_stop_runs_the_clean_up_in_the_worker(qtbot, jobs):
    cleaned = []

    def endless():
        try:
            for i in range(10**9):
                time.sleep(0.005)
                yield Progress(i, 10**9)
        finally:
            cleaned.append(True)

    job = jobs.job("training", "Training", endless)
    heard = Heard(job)
    with qtbot.waitSignal(job.progressed, timeout=5000):
        pass
    job.stop()
    job.stop()
    run(qtbot, job)
    assert heard.names == ["stopped", "finished"]
    assert cleaned == [True]


def test_pause_holds_and_resume_goes_on(qtbot, jobs):
    job = jobs.job("training", "Training", lambda: steps(40, 0.01))
    heard = Heard(job)
    with qtbot.waitSignal(job.progressed, timeout=5000):
        pass
    job.pause()
    qtbot.waitUntil(lambda: job.state == "paused", timeout=5000)
    held = len(heard.reports)
    qtbot.wait(100)
    assert len(heard.reports) == held
    assert "paused" in job.status
    job.resume()
    run(qtbot, job)
    assert heard.names == ["returned", "finished"]
    assert len(heard.reports) == 40


def test_a_paused_job_can_be_stopped(qtbot, jobs):
    job = jobs.job("training", "Training", lambda: steps(1000, 0.005))
    heard = Heard(job)
    with qtbot.waitSignal(job.progressed, timeout=5000):
        pass
    job.pause()
    qtbot.waitUntil(lambda: job.state == "paused", timeout=5000)
    job.stop()
    run(qtbot, job)
    assert heard.names == ["stopped", "finished"]


def test_one_job_of_a_kind(qtbot, jobs):
    first = jobs.job("training", "Training", lambda: steps(50, 0.005))
    with pytest.raises(InvalidInput, match="Training is still under way"):
        jobs.job("training", "Training", steps)
    other = jobs.job("export", "Export", steps)
    heard = Heard(other)
    qtbot.waitUntil(lambda: first.is_over and other.is_over, timeout=5000)
    assert heard.names == ["returned", "finished"]
    again = jobs.job("training", "Training", steps)
    run(qtbot, again)


def test_a_job_started_from_an_ending_of_its_kind_is_allowed(qtbot, jobs):
    second = []
    first = jobs.job("fit", "Fit", steps)
    first.returned.connect(lambda _: second.append(jobs.job("fit", "Fit", steps)))
    qtbot.waitUntil(lambda: bool(second) and second[0].is_over, timeout=5000)
    assert second[0].state == "done"


class Heavy:
    """Stands for tensors."""


def test_a_job_stopped_before_it_began(qtbot, jobs):
    job = jobs.job("fit", "Fit", steps)
    heard = Heard(job)
    job.stop()
    qtbot.wait(50)
    assert heard.names == ["stopped", "finished"]
    assert not heard.reports


@pytest.mark.parametrize("ending", ["returned", "errored", "stopped"])
def test_what_the_generator_held_is_freed(qtbot, jobs, ending):
    heavy = Heavy()
    seen = weakref.ref(heavy)

    def make(heavy=heavy):
        def train():
            mine = heavy
            for i in range(20 if ending == "returned" else 10**6):
                time.sleep(0.002)
                yield Progress(i, 20)
                if ending == "errored" and i == 3:
                    raise InvalidInput("Out of luck.")
            del mine

        return train()

    job = jobs.job("training", "Training", make)
    del heavy, make
    with qtbot.waitSignal(job.progressed, timeout=5000):
        pass
    if ending == "stopped":
        job.stop()
    run(qtbot, job)

    def is_freed() -> bool:
        gc.collect()
        return seen() is None

    # The worker's thread lets go of its frames a moment after it has told.
    qtbot.waitUntil(is_freed, timeout=5000)


def test_no_full_garbage_collection_while_a_job_is_under_way(qtbot, jobs):
    assert gc.get_freeze_count() == 0
    job = jobs.job("training", "Training", lambda: steps(5, 0.01))
    with qtbot.waitSignal(job.progressed, timeout=5000):
        pass
    assert gc.get_freeze_count() > 10_000
    run(qtbot, job)
    assert gc.get_freeze_count() == 0


def test_time_left_follows_the_speed():
    job = Job("Training", steps)
    assert job.seconds_left is None
    clock = job._clock
    clock.run()
    clock.note(Progress(0, 100))
    clock._since -= 10
    clock.note(Progress(25, 100))
    assert clock.seconds_left() == pytest.approx(30, rel=0.05)
    clock.rest()
    held = clock.seconds_left()
    time.sleep(0.05)
    assert clock.seconds_left() == held


def test_duration():
    assert [duration(s) for s in (0.4, 59, 61, 7500)] == [
        "0 s",
        "59 s",
        "1 min 1 s",
        "2 h 5 min",
    ]
