"""Jobs in a real window: errors, and quitting while one is under way."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("napari")

from napari.utils import progress

from napari_cebra.recording import Progress
from napari_cebra.viewer.latent_view import LatentView
from napari_cebra.viewer.registry import jobs_of, workspace_of

pytestmark = pytest.mark.gui


def test_out_of_memory_leaves_no_task_behind(make_napari_viewer, qtbot):
    torch = pytest.importorskip("torch")
    viewer = make_napari_viewer()

    def train():
        yield Progress(1, 10, "steps")
        raise torch.OutOfMemoryError("CUDA out of memory.")

    before = len(progress._all_instances)
    job = jobs_of(viewer).job("training", "Training", train)
    told = []
    job.errored.connect(told.append)
    with qtbot.waitSignal(job.finished, timeout=10_000):
        pass
    assert len(told) == 1 and "out of memory" in told[0]
    tasks = viewer.window._task_status_manager
    assert not tasks.is_busy()
    assert "“Training”" in next(iter(tasks._tasks.values())).state()[3]
    assert len(progress._all_instances) == before


def test_a_whole_training_touches_layers_on_the_gui_thread_alone(
    make_napari_viewer_proxy, made, qtbot
):
    """The proxy raises when anything is set on the viewer off the GUI thread."""
    viewer = make_napari_viewer_proxy(ensure_main_thread=True, show=True)
    workspace = workspace_of(viewer)
    recording = made.recording()
    workspace.set_recording(recording)
    view = LatentView(viewer)
    viewer.window.add_dock_widget(view, name="Latents")
    latents = made.latents(recording)

    def train():
        for step in range(8):
            yield latents + 0.01 * step
        return made.embedding(recording)

    job = jobs_of(viewer).job("training", "Training", train)
    job.progressed.connect(workspace.show_live)
    job.returned.connect(workspace.set_embedding)
    failed = []
    job.errored.connect(failed.append)
    with qtbot.waitSignal(job.finished, timeout=20_000):
        pass
    assert not failed and job.state == "done"
    qtbot.waitUntil(lambda: not view._parts, timeout=10_000)
    assert len(view.scene.cloud.data) == 590


QUIT = """
import sys, time
import napari
from qtpy.QtCore import QTimer
from napari_cebra.recording import Progress
from napari_cebra.viewer.registry import jobs_of

ended = []

def endless():
    try:
        for step in range(10**9):
            time.sleep(0.01)
            yield Progress(step, 10**9, "steps")
    finally:
        print("cleaned up", flush=True)

viewer = napari.Viewer()
job = jobs_of(viewer).job("training", "Training", endless)
if {pause}:
    job.progressed.connect(lambda _: job.pause())
QTimer.singleShot(1500, viewer.close)
QTimer.singleShot(1600, napari._qt.qt_event_loop.quit_app)
napari.run()
print("left the event loop", flush=True)
"""


@pytest.mark.parametrize("pause", [False, True], ids=["training", "paused"])
def test_quitting_ends_the_job_and_the_program(pause):
    program = textwrap.dedent(QUIT.replace("{pause}", str(pause)))
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "cleaned up" in ended.stdout
    assert "Traceback" not in ended.stderr
