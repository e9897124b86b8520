"""What napari gets from us: docks, menus, samples, readers, the demo."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

pytest.importorskip("napari")

from npe2 import PluginManager, PluginManifest

from napari_cebra.pipeline import Project, save_project
from napari_cebra.traces import DffSettings
from napari_cebra.widgets import (
    AlignDock,
    CebraDock,
    LatentsDock,
    LoadDock,
    RoisDock,
    TracesDock,
    docks,
    launch,
)
from napari_cebra.widgets.reader import get_reader

NAME = "napari-cebra"


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    yield viewer
    from napari_cebra.widgets.session import Session

    jobs = Session.of(viewer).jobs
    jobs.stop_all()
    qtbot.waitUntil(lambda: not jobs.under_way, timeout=30_000)


def test_the_manifest_is_valid_and_its_commands_can_be_imported():
    manifest = PluginManifest.from_distribution(NAME)
    manifest.validate_imports()
    patterns = [p for r in manifest.contributions.readers for p in r.filename_patterns]
    assert {"*.cebra.json", "*.cebra", "*.nwb", "*.h5", "*.bin"} <= set(patterns)
    taken = {"*.tif", "*.tiff", "*.npy", "*.csv", "*.avi", "*.mp4", "*"}
    assert not taken & set(patterns), "napari would ask which plugin to use"
    assert {w.display_name for w in manifest.contributions.widgets} == {
        "CEBRA",
        "Load",
        "ROIs and traces",
        "Align",
        "Latents",
        "Traces",
    }


@pytest.mark.gui
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CEBRA", CebraDock),
        ("Load", LoadDock),
        ("ROIs and traces", RoisDock),
        ("Align", AlignDock),
        ("Latents", LatentsDock),
        ("Traces", TracesDock),
    ],
)
def test_a_dock_gets_the_viewer_by_name(viewer, qtbot, name, kind):
    _, inner = viewer.window.add_plugin_dock_widget(NAME, name)
    assert isinstance(inner, kind)
    qtbot.waitUntil(lambda: docks.is_open(viewer, name), timeout=10_000)
    assert docks.open_dock(viewer, name) is inner, "one dock, not two"
    docks.hide_dock(viewer, name)
    assert not docks.is_open(viewer, name)
    assert inner.minimumWidth() >= 300, "else a dock comes up 50 px wide"


@pytest.mark.gui
def test_a_dock_opens_from_the_menu(viewer):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command(f"{NAME}.cebra").result()
    dock = docks.dock_of(viewer, docks.CEBRA)
    assert dock is not None
    inner = viewer.window.dock_widgets["CEBRA (napari-cebra)"]
    assert inner.session.viewer is viewer.window._qt_viewer.viewer


@pytest.mark.gui
def test_menu_commands_show_latents_traces_and_export(viewer):
    for command in ("show_latents", "show_traces", "show_export"):
        PluginManager.instance().commands.execute(f"{NAME}.{command}")
    assert docks.is_open(viewer, docks.LATENTS)
    assert docks.is_open(viewer, docks.TRACES)
    dock = docks.open_dock(viewer, docks.CEBRA)
    assert dock.page_of(dock.export).is_open()


@pytest.mark.gui
def test_a_project_opens_with_napari(viewer, qtbot, tmp_path, made):
    folder = tmp_path / "a.cebra"
    save_project(Project(recording=made.recording()), folder)
    for path in (folder, folder / "project.cebra.json"):
        docks.open_dock(viewer, docks.CEBRA).session.workspace.clear()
        viewer.open(str(path), plugin=NAME)
        workspace = docks.open_dock(viewer, docks.CEBRA).session.workspace
        qtbot.waitUntil(lambda w=workspace: w.recording is not None, timeout=20_000)
        assert workspace.project_folder == folder


def test_what_napari_reads_itself_is_not_claimed(tmp_path):
    for name in ("stack.tif", "table.csv", "project.json"):
        (tmp_path / name).write_text(json.dumps({}))
        assert get_reader(str(tmp_path / name)) is None
    (tmp_path / "x.cebra").mkdir()
    assert get_reader(str(tmp_path / "x.cebra")) is None


@pytest.mark.gui
def test_a_recording_that_napari_does_not_read_goes_to_the_first_step(
    viewer, qtbot, tmp_path
):
    frames = np.arange(10 * 12 * 14, dtype=np.int16).reshape(10, 12, 14)
    path = tmp_path / "data.bin"
    frames.tofile(path)
    viewer.open(str(path), plugin=None)
    load = docks.open_dock(viewer, docks.CEBRA).load
    qtbot.waitUntil(lambda: load.source.recognised() is not None, timeout=20_000)
    assert load.path.value() == path
    load.source._layout.rows.setValue(12)
    load.source._layout.columns.setValue(14)
    qtbot.waitUntil(
        lambda: load.source.recognised().lengths == (10, 12, 14), timeout=20_000
    )
    load.button.click()
    stack = load.session.workspace
    qtbot.waitUntil(lambda: stack.stack is not None, timeout=20_000)
    np.testing.assert_array_equal(stack.stack.read(0, 10), frames)


@pytest.mark.gui
def test_a_sample_loads_in_the_background(viewer, qtbot):
    viewer.open_sample(NAME, "ca1-track")
    dock = docks.open_dock(viewer, docks.CEBRA)
    qtbot.waitUntil(
        lambda: dock.session.workspace.recording is not None, timeout=60_000
    )
    qtbot.waitUntil(lambda: not dock.session.jobs.under_way, timeout=20_000)
    assert [layer.name for layer in viewer.layers] == []
    names = {v.name for v in dock.session.workspace.recording.variables}
    assert "position" in names
    assert dock.train.form.value().target.name in names


@pytest.mark.gui
def test_the_demo_goes_through_all_steps_by_itself(
    viewer, qtbot, tmp_path, monkeypatch
):
    from napari_cebra import simulate
    from napari_cebra.widgets import train_step

    small = partial(simulate.V1Movie.small, n_cells=10, n_repeats=4, n_movie_frames=45)
    monkeypatch.setenv("NAPARI_CEBRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(simulate, "V1Movie", small)
    quick = {"max_iterations": 10, "batch_size": 32, "num_hidden_units": 8}
    monkeypatch.setattr(train_step, "recommended", lambda *_: quick)
    dock = docks.open_dock(viewer, docks.CEBRA)
    dock.traces.dff.setValue(DffSettings(deconvolve=True))  # of another recording
    tour = launch.Tour(dock, seed=3, folder=tmp_path, screenshots=True)
    tour._quits = False  # the fixture closes the window
    tour.start()
    qtbot.waitUntil(lambda: tour.is_over, timeout=120_000)
    assert not tour.failed
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert {p[2:] for p in pictures} == {
        "empty",
        "loaded",
        "rois",
        "training",
        "trained",
        "decoded",
        "exported",
        "error",
    }
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert dock.session.workspace.recording.traces.kind == "dff"
    assert summary["n_rois"] == dock.session.workspace.recording.traces.n_rois
    assert np.isfinite(summary["decoding"]["within_1s"])
    assert 0 < summary["traces"]["median_correlation_with_truth"] <= 1


@pytest.mark.gui
def test_on_a_small_screen_latents_and_traces_share_a_place(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    for name in (docks.CEBRA, docks.TRACES, docks.LATENTS):
        docks.open_dock(viewer, name)
    qtbot.wait(300)
    traces, latents = (docks.dock_of(viewer, d) for d in (docks.TRACES, docks.LATENTS))
    assert latents.window().width() <= 1280
    assert latents.window().tabifiedDockWidgets(traces) == [latents]
    assert docks.is_open(viewer, docks.TRACES) and docks.is_open(viewer, docks.LATENTS)
