from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cebra.recording import Recording, RoiSet, Stimulus, Traces
from napari_cebra.workspace import Workspace


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    return Recording(
        Traces(rng.random((30, 4)), rate=10.0),
        rois=RoiSet.grid((8, 8), 4),
        stimulus=Stimulus(np.tile(np.arange(10), 3)),
    )


def result(n_frames, missing=0):
    latents = np.zeros((n_frames, 3), np.float32)
    latents[:missing] = np.nan
    return SimpleNamespace(latents=latents)


def count(signal):
    heard = []
    signal.connect(lambda *_: heard.append(1))
    return heard


def test_a_new_recording_drops_what_was_made_from_the_old(recording):
    workspace = Workspace()
    workspace.set_recording(recording)
    assert workspace.rois is recording.rois
    assert workspace.timeline.n_frames == 30
    workspace.set_embedding(result(30, missing=3))
    workspace.set_decoding(SimpleNamespace())
    assert workspace.index_map.n_points == 27
    heard = count(workspace.embedding_changed), count(workspace.decoding_changed)
    workspace.set_recording(recording.exclude(np.arange(30) < 5, "still"))
    assert workspace.embedding is None and workspace.decoding is None
    assert [len(h) for h in heard] == [1, 1]
    assert workspace.index_map.n_points == 0


def test_results_survive_a_change_they_do_not_depend_on(recording):
    workspace = Workspace()
    workspace.set_recording(recording)
    workspace.set_embedding(result(30))
    embedding = workspace.embedding
    workspace.set_recording(recording.with_step("renamed"), keep_results=True)
    assert workspace.embedding is embedding
    assert workspace.index_map.n_points == 30


def test_a_new_embedding_drops_the_decoding(recording):
    workspace = Workspace()
    workspace.set_recording(recording)
    workspace.set_embedding(result(30))
    workspace.set_decoding(SimpleNamespace())
    workspace.set_embedding(result(30))
    assert workspace.decoding is None


def test_live_latents_rebuild_the_axes_only_when_their_rows_change(recording):
    workspace = Workspace()
    workspace.set_recording(recording)
    rebuilt, live = count(workspace.index_map_changed), count(workspace.live_latents)
    for _ in range(3):
        workspace.show_live(result(30, missing=2).latents)
    assert (len(rebuilt), len(live)) == (1, 3)
    workspace.show_live(np.zeros((7, 3)))
    assert len(live) == 3


def test_roi_changes_can_be_taken_back_and_made_again(recording):
    workspace = Workspace()
    workspace.set_recording(recording)
    first = workspace.rois
    second = first.with_mask(99, [0], [0])
    workspace.set_rois(second)
    assert workspace.can_undo_rois
    workspace.undo_rois()
    assert workspace.rois is first
    assert not workspace.can_undo_rois
    workspace.redo_rois()
    assert workspace.rois is second
    workspace.undo_rois()
    workspace.set_rois(first.with_mask(98, [0], [0]))
    assert not workspace.can_redo_rois


def test_unsaved_follows_changes_and_saves(recording):
    workspace = Workspace()
    assert not workspace.unsaved
    workspace.set_recording(recording)
    assert workspace.unsaved
    workspace.mark_saved(Path("a.cebra"))
    assert not workspace.unsaved
    workspace.set_embedding(result(30))
    assert workspace.unsaved
    workspace.clear()
    assert workspace.recording is None and workspace.project_folder is None
    assert workspace.timeline.n_frames == 0 and not workspace.unsaved
