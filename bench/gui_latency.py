"""How long the window's slots take, and how late its event loop is, while training.

Run: ``python bench/gui_latency.py [--points N] [--seconds S] [--json FILE]``
(needs a display; Xvfb is one, and then the cloud is drawn by the processor).

A recording of N frames and 200 ROIs is trained on in napari's worker, with the
latents, the traces and the training curve docked and live snapshots on. Every
method of ours that a signal calls is timed; what is drawn by OpenGL afterwards
is reported apart. Rows: nothing under way, training, training while the time
slider is moved at 30 Hz, a finished training's latents shown every second. The
first seconds of each are warm-up.
"""

from __future__ import annotations

import argparse
import functools
import gc
import threading
import time
from collections import defaultdict
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from rows import row, write

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline.config import PipelineConfig, TargetConfig
from napari_cebra.pipeline.fit import Fit
from napari_cebra.recording import Recording, RoiSet, Traces, Variable
from napari_cebra.viewer.adapters import MovieAdapter, RoiAdapter
from napari_cebra.viewer.jobs import Job
from napari_cebra.viewer.latent_view import LatentScene, LatentView
from napari_cebra.viewer.registry import jobs_of, workspace_of
from napari_cebra.viewer.trace_plot import TracePlot
from napari_cebra.viewer.training_plot import TrainingPlot

CASES = "idle", "training", "training and scrubbing", "results drawn"
WARM_UP = 3.0
SLOTS = {
    Job: ("_on_yielded",),  # napari's own progress bar is moved apart from it
    LatentScene: ("_follow", "_on_embedding", "_on_rois"),
    LatentView: ("_on_live", "_show_live", "_do_part", "_refresh", "_show_status"),
    TracePlot: ("refresh", "_on_frame"),
    TrainingPlot: ("add",),
    MovieAdapter: ("_on_slider", "_on_timeline"),
    RoiAdapter: ("_on_selection",),
}


class Stopwatch:
    """Durations by name, in milliseconds, while `on`: by the clock, and of work.

    Work is the processor time of the GUI thread: what the slot would take where
    no other program, and no training that holds Python's lock, is in its way.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.on = False
        self._collecting = (0.0, 0.0)
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        """Time Python's garbage collector, which runs inside any slot."""
        if threading.current_thread() is not threading.main_thread():
            return
        now = time.perf_counter(), time.thread_time()
        if phase == "start":
            self._collecting = now
        elif self.on:
            took, work = np.subtract(now, self._collecting)
            self.found[f"(garbage collector {info['generation']})"].append((took, work))

    def time(self, cls: type, name: str) -> None:
        """Time a method wherever it is called from."""
        method = getattr(cls, name)

        @functools.wraps(method)
        def timed(*args, **options):
            began, worked = time.perf_counter(), time.thread_time()
            try:
                return method(*args, **options)
            finally:
                if self.on:
                    took = time.perf_counter() - began
                    work = time.thread_time() - worked
                    self.found[f"{cls.__name__}.{name}"].append((took, work))

        setattr(cls, name, timed)


class LoopDelay:
    """How much later than asked a 5 ms timer fires."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(5)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.late.append(max(0.0, 1000 * (now - self._last) - 5))
        self._last = now


def made_recording(points: int) -> Recording:
    rng = np.random.default_rng(0)
    angle = np.cumsum(rng.normal(0.05, 0.02, points))
    preferred = rng.uniform(0, 2 * np.pi, 200)
    values = np.exp(2 * np.cos(angle[:, None] - preferred) - 2)
    values += 0.2 * rng.normal(size=values.shape)
    return Recording(
        Traces(values, rate=30.0),
        RoiSet.grid((200, 100), 10),
        variables=(Variable("angle", np.mod(angle, 2 * np.pi), "circular"),),
    )


def measure(watch: Stopwatch, seconds: float, scrub=None) -> dict[str, object]:
    QTest.qWait(int(1000 * WARM_UP))
    watch.found.clear()
    delay = LoopDelay()
    watch.on = True
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if scrub is not None:
            scrub()
        QTest.qWait(33)
    watch.on = False
    slots = {name: 1000 * np.array(pairs) for name, pairs in watch.found.items()}
    longest = [
        max(slots, key=lambda name: slots[name][:, of].max(), default="")
        for of in (0, 1)
    ]
    late = np.array(delay.late[1:])
    return {
        "slots": {
            name: {
                "calls": len(times),
                "p50": round(float(np.median(times[:, 0])), 2),
                "max": round(float(times[:, 0].max()), 2),
                "work_p50": round(float(np.median(times[:, 1])), 2),
                "work_max": round(float(times[:, 1].max()), 2),
            }
            for name, times in sorted(slots.items())
        },
        "longest_slot": longest[0],
        "most_work_in": longest[1],
        "late_p50_ms": round(float(np.median(late)), 1),
        "late_p99_ms": round(float(np.percentile(late, 99)), 1),
        "late_max_ms": round(float(late.max()), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--latents", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    watch = Stopwatch()
    for cls, names in SLOTS.items():
        for name in names:
            watch.time(cls, name)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    workspace = workspace_of(viewer)
    recording = made_recording(options.points)
    workspace.set_recording(recording)
    stack = viewer.add_image(
        np.broadcast_to(np.zeros((1, 256, 256), np.uint8), (options.points, 256, 256)),
        contrast_limits=(0, 1),
    )
    slider = MovieAdapter(viewer, workspace.timeline, stack)
    docks = [LatentView(viewer), TracePlot(viewer), TrainingPlot(viewer)]
    for dock, area in zip(docks, ("right", "bottom", "right"), strict=True):
        viewer.window.add_dock_widget(dock, name=type(dock).__name__, area=area)
    workspace.selection.set_rois([1])

    found = {"idle": measure(watch, options.seconds)}
    config = PipelineConfig(
        target=TargetConfig("angle"),
        training=TrainConfig(
            output_dimension=options.latents,
            max_iterations=10**6,
            threads=options.threads,
        ),
    )
    fit = Fit(recording, config)
    job = jobs_of(viewer).job("training", "Training", lambda: fit.run(0.5))
    job.errored.connect(print)
    snapshots = []

    def on_report(report) -> None:
        workspace.training_report.emit(report)
        if report.latents is not None:
            snapshots.append(time.monotonic())
            workspace.show_live(report.latents)

    job.progressed.connect(on_report)
    found["training"] = measure(watch, options.seconds)
    found["training and scrubbing"] = measure(
        watch, options.seconds, lambda: workspace.timeline.step(1)
    )
    job.stop()
    QTest.qWait(1000)
    results = [fit.embedding() for _ in range(2)]
    workspace.set_embedding(results[0])

    def next_result() -> None:
        results.reverse()
        workspace.set_embedding(results[0])
        QTest.qWait(1000)

    found["results drawn"] = measure(watch, options.seconds, next_result)
    found["points"] = docks[0].scene.frames.size
    found["snapshots"] = len(snapshots)
    slider.close()
    viewer.close()
    write(
        options.json,
        [
            row(f"{slot}, {name}", times["max"], "ms")
            for name in CASES
            for slot, times in found[name]["slots"].items()
        ],
    )
    for name in CASES:
        case = found[name]
        late = ", ".join(f"{q} {case[f'late_{q}_ms']}" for q in ("p50", "p99", "max"))
        print(f"{name}: event loop late by {late} ms; slots (ms):")
        print(f"    {'':28s}  calls  median  longest  (work: median  longest)")
        for slot, times in case["slots"].items():
            clock = f"{times['p50']:7.1f} {times['max']:8.1f}"
            work = f"{times['work_p50']:15.1f} {times['work_max']:8.1f}"
            print(f"    {slot:28s} {times['calls']:6d} {clock} {work}")
    print(f"{found['points']} points, {found['snapshots']} snapshots")


if __name__ == "__main__":
    main()
