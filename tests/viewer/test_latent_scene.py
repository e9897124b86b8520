"""The latents as layers, without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

pytest.importorskip("napari")

from napari_cebra.viewer.latent_view.scene import LatentScene
from napari_cebra.workspace import Workspace


@pytest.fixture
def workspace(made):
    workspace = Workspace()
    workspace.set_recording(made.recording())
    return workspace


@pytest.fixture
def scene(workspace, made):
    scene = LatentScene(workspace)
    assert scene.is_empty and scene.status() == ""
    workspace.set_embedding(made.embedding(workspace.recording))
    return scene


def test_layers_are_there_and_cannot_be_edited(scene):
    names = [layer.name for layer in scene.model.layers]
    assert names == ["cloud", "trail", "picked", "now"]
    assert not any(layer.editable for layer in scene.model.layers)
    assert not scene.model.layers.selection
    assert scene.model.dims.ndisplay == 3


def test_every_valid_frame_is_drawn_where_its_latent_is(scene, workspace):
    latents = workspace.embedding.latents
    valid = np.flatnonzero(workspace.recording.valid)
    assert scene.frames.tolist() == valid.tolist()
    assert np.allclose(scene.cloud.data, latents[valid][:, ::-1])


def test_now_follows_and_hides_where_there_is_no_latent(scene, workspace):
    workspace.timeline.set(200)
    assert np.allclose(scene.now.data[0], workspace.embedding.latents[200, ::-1])
    assert scene.model.dims.point[0] == 200
    workspace.timeline.set(55)
    assert not scene.now.visible
    assert "no latent at this frame (excluded)" in scene.status()
    workspace.timeline.set(61)
    assert scene.now.visible


def test_the_trail_is_broken_at_trials_and_gaps(scene, workspace):
    recording = workspace.recording
    table = scene.trail.data
    breaks = set(table[1:, 1][np.diff(table[:, 0]) != 0].astype(int))
    assert breaks == {60, 200, 400}
    assert set(table[:, 1].astype(int)) == set(np.flatnonzero(recording.valid))


def test_rows_can_be_shown_apart(scene, workspace):
    part = workspace.embedding.part
    scene.set_look(show="test")
    assert scene.frames.tolist() == np.flatnonzero(part == "test").tolist()
    assert "200 of 590 latents drawn" in scene.status()
    scene.set_look(show="train")
    refit = workspace.embedding.split.refit
    assert scene.frames.tolist() == np.flatnonzero(refit).tolist()
    scene.set_look(show="all")
    assert len(scene.cloud.data) == 590


def test_the_cloud_is_thinned_out_and_says_so(made):
    workspace = Workspace()
    recording = made.recording(n_frames=24_000)
    workspace.set_recording(recording)
    scene = LatentScene(workspace)
    workspace.set_embedding(made.embedding(recording))
    assert len(scene.cloud.data) == 20_000
    assert "20\u202f000 of 23\u202f990 latents drawn" in scene.status()


@pytest.mark.parametrize("dimensions", [1, 2, 3, 8])
def test_any_number_of_dimensions(made, dimensions):
    workspace = Workspace()
    recording = made.recording()
    workspace.set_recording(recording)
    scene = LatentScene(workspace)
    embedding = made.embedding(recording, max(dimensions, 2))
    embedding = replace(embedding, latents=embedding.latents[:, :dimensions])
    workspace.set_embedding(embedding)
    assert np.isfinite(scene.cloud.data).all()
    if dimensions < 3:
        assert np.all(scene.cloud.data[:, : 3 - dimensions] == 0)
    if dimensions == 8:
        rows = embedding.split.refit
        pca = PCA(3).fit(embedding.latents[rows])
        drawn = pca.transform(embedding.latents[scene.frames])[:, ::-1]
        assert np.allclose(np.abs(scene.cloud.data), np.abs(drawn), atol=1e-4)
        share = 100 * pca.explained_variance_ratio_.sum()
        assert f"PCA of training rows, {share:.0f} % of" in scene.status()


@pytest.mark.parametrize("dimensions", [2, 3, 5])
def test_a_snapshot_is_turned_towards_the_last(made, workspace, dimensions):
    scene = LatentScene(workspace)
    latents = made.latents(workspace.recording, dimensions)
    workspace.show_live(latents)
    scene.show(latents)
    before = scene.cloud.data.copy()
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=[dimensions] * 2))
    scene.show((latents @ turn).astype(np.float32))
    assert np.allclose(scene.cloud.data, before, atol=1e-4)


def test_live_latents_keep_the_layers(made, workspace):
    scene = LatentScene(workspace)
    latents = made.latents(workspace.recording)
    workspace.show_live(latents)
    for part in scene.showing(latents):
        part()
    cloud, trail = scene.cloud, scene.trail
    for part in scene.showing(latents + np.float32(0.1)):
        part()
    assert scene.cloud is cloud and scene.trail is trail


def test_selected_frames_are_marked(scene, workspace):
    workspace.selection.set_frames([10, 11, 55])
    places = workspace.embedding.latents[[10, 11], ::-1]
    assert np.allclose(scene.picked.data, places)
    assert "3 frames selected" in scene.status()
    workspace.selection.set_frames([])
    assert len(scene.picked.data) == 0


def test_the_selected_roi_recolours_only_when_it_is_the_colour(scene, workspace):
    before = scene.colouring
    workspace.selection.set_rois([3])
    assert scene.colouring is before
    scene.set_look(colour_by="roi")
    assert scene.colouring.title == "ROI 3 dF/F"
    workspace.selection.set_rois([4])
    assert scene.colouring.title == "ROI 4 dF/F"
    assert np.allclose(scene.cloud.face_color, scene.colouring.rgba)


def test_the_look_survives_a_new_scene(scene, workspace):
    scene.set_look(colour_by="variable:angle", point_size=20.0, trail_frames=0)
    again = LatentScene(workspace)
    assert again.look == scene.look
    assert not again.trail.visible


def test_a_look_saved_with_a_project_is_taken_over(scene, workspace, made):
    workspace.view_state["latents"] = {"colour_by": "repeat", "trail_frames": 7}
    workspace.set_embedding(made.embedding(workspace.recording))
    assert scene.look.colour_by == "repeat" and scene.trail.tail_length == 7
    assert scene.colouring.title == "Repeat"


def test_keys_on_the_latents_move_the_timeline(scene, workspace):
    workspace.timeline.set(300)
    scene.model.dims._increment_dims_right(0)
    assert workspace.timeline.frame == 301
    scene.set_look(show="test")  # its axis begins at frame 400
    assert workspace.timeline.frame == 301
    workspace.timeline.set(10)
    assert workspace.timeline.frame == 10


def test_latents_without_neighbours(made):
    """Every second row is invalid, so that each track is one vertex."""
    recording = made.recording()
    recording = recording.exclude(np.arange(600) % 2 == 1, "odd")
    workspace = Workspace()
    workspace.set_recording(recording)
    scene = LatentScene(workspace)
    scene.show(made.latents(recording))
    assert scene.is_empty, "no embedding has announced these axes"
    workspace.show_live(made.latents(recording))
    scene.show(made.latents(recording))
    assert len(scene.cloud.data) == recording.valid.sum()
    workspace.timeline.set(100)
    assert scene.now.visible


def test_showing_rows_that_do_not_exist_shows_all(workspace, made):
    """An embedding made to be looked at has no test rows."""
    embedding = made.embedding(workspace.recording)
    part = np.where(embedding.part == "test", "train", embedding.part)
    workspace.view_state["latents"] = {"show": "test"}
    scene = LatentScene(workspace)
    workspace.set_embedding(replace(embedding, part=part))
    assert scene.frames.size == 590
    assert scene.rows("test") is None


def test_it_empties_with_the_recording(scene, workspace, made):
    workspace.set_recording(made.recording(300))
    assert scene.is_empty and not scene.model.layers
    scene.close()
    workspace.set_embedding(made.embedding(workspace.recording))
    assert scene.is_empty


def test_a_live_snapshot_has_no_trail_until_a_result_is_drawn(scene, workspace, made):
    latents = made.latents(workspace.recording) ** 3  # no rotation undoes that
    before = scene.trail.data.copy()
    for part in scene.showing(latents, live=True):
        part()
    assert not scene.trail.visible
    assert np.array_equal(scene.trail.data, before)
    scene.show(latents)
    assert scene.trail.visible
    assert not np.array_equal(scene.trail.data, before)
