import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_cebra.recording import InvalidInput, Progress, RoiSet
from napari_cebra.simulate import (
    V1Files,
    V1Movie,
    cache_folder,
    make_v1_files,
    simulate_v1,
    v1_files,
    write_v1_recording,
)

from .conftest import finish


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Reports and files of the small recording."""
    folder = tmp_path_factory.mktemp("simulated") / "small"
    return finish(write_v1_recording(folder, V1Movie.small()))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CEBRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_all_files_are_there_and_agree(written, small):
    _, files = written
    stack = tifffile.imread(files.stack)
    assert stack.shape == (600, 64, 64)
    assert stack.dtype == np.int16
    with tifffile.TiffFile(files.stack) as tiff:
        assert tiff.series[0].axes == "TYX"
    labels = tifffile.imread(files.rois)
    np.testing.assert_array_equal(np.unique(labels), np.arange(41))
    np.testing.assert_array_equal(np.load(files.movie), small.movie)
    table = np.genfromtxt(files.frames, delimiter=",", names=True)
    assert table.dtype.names == ("frame", "time_s", "shown", "repeat")
    np.testing.assert_array_equal(table["shown"], small.shown)
    np.testing.assert_array_equal(table["repeat"], small.repeat)
    np.testing.assert_allclose(table["time_s"], np.arange(600) / 30, atol=1e-6)
    np.testing.assert_array_equal(files.true_dff(), small.true_dff)
    assert files.config == small.config
    assert files.rate == 30.0


def test_truth_opens_without_pickle(written):
    _, files = written
    with np.load(files.truth, allow_pickle=False) as truth:
        assert truth["spikes"].shape == (600, 40)
        assert truth["motion"].shape == (600, 2)
        assert np.abs(truth["motion"]).max() < 1
        assert 0.85 < truth["bleaching"].min() < truth["bleaching"].max() <= 1.0


def test_progress_counts_frames(written):
    reports, _ = written
    assert all(isinstance(r, Progress) for r in reports)
    done = [r.done for r in reports]
    assert done == sorted(done)
    assert (done[-1], reports[-1].total) == (600, 600)


def test_pixels_hold_the_activity(written):
    """Plain numpy, true masks: the mean of a cell's pixels follows the truth."""
    _, files = written
    stack = tifffile.imread(files.stack).reshape(600, -1).astype(float)
    labels = tifffile.imread(files.rois).ravel()
    cells = np.stack([stack[:, labels == k].mean(1) for k in range(1, 41)], 1)
    around = stack[:, labels == 0].mean(1)
    corrected = cells - 0.7 * around[:, None]
    truth = files.true_dff()
    own = np.array([np.corrcoef(corrected[:, k], truth[:, k])[0, 1] for k in range(40)])
    assert np.median(own) > 0.85
    # And each follows its own truth, not another's.
    cross = np.corrcoef(corrected.T, truth.T)[:40, 40:]
    assert (cross.argmax(1) == np.arange(40)).mean() > 0.9


def test_same_seed_same_bytes_whatever_the_threads(written, tmp_path):
    _, files = written
    _, again = finish(write_v1_recording(tmp_path / "x", V1Movie.small(), threads=1))
    for name in ("stack.tif", "rois.tif", "movie.npy", "frames.csv"):
        one, two = files.folder / name, again.folder / name
        assert one.read_bytes() == two.read_bytes(), name


def test_seeds_differ(written, tmp_path):
    _, files = written
    _, other = finish(write_v1_recording(tmp_path / "x", V1Movie.small(seed=1)))
    here, there = tifffile.imread(files.rois), tifffile.imread(other.rois)
    assert (here != there).mean() > 0.2


def test_stopping_leaves_nothing(tmp_path):
    work = write_v1_recording(tmp_path / "x", V1Movie.small(n_repeats=40))
    for _ in range(3):
        report = next(work)
    assert report.done > 0, "the frames had not been begun"
    assert len(list(tmp_path.iterdir())) == 1
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_cache_is_used_and_keyed_by_settings(cache):
    config = V1Movie.small()
    assert cache_folder() == cache
    assert v1_files(config) is None
    _, files = finish(make_v1_files(config))
    assert files.folder.parent == cache
    assert v1_files(config) == files
    assert v1_files(replace(config, seed=1)) is None
    assert v1_files(replace(config, photons=50.0)) is None
    reports, again = finish(make_v1_files(config))
    assert reports == []
    assert again == files
    assert [p.name for p in cache.iterdir()] == [files.folder.name]


def test_a_damaged_recording_is_made_again(cache):
    config = V1Movie.small()
    _, files = finish(make_v1_files(config))
    whole = files.stack.stat().st_size
    os.truncate(files.stack, whole // 2)
    assert v1_files(config) is None
    _, mended = finish(make_v1_files(config))
    assert mended.stack.stat().st_size == whole
    info = json.loads(mended.info.read_text())
    mended.info.write_text(json.dumps(info | {"version": -1}))
    assert v1_files(config) is None


def test_what_a_killed_run_left_is_swept_away_when_old(cache, tmp_path):
    cache.mkdir()
    old, young = cache / ".a-1.partial", cache / ".b-2.partial"
    for left in (old, young):
        left.mkdir()
        (left / "stack.tif").write_bytes(b"0")
    for path in (old / "stack.tif", old):
        os.utime(path, (0, 0))
    finish(make_v1_files(V1Movie.small()))
    assert not old.exists()
    assert young.exists()


def test_a_folder_with_other_things_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InvalidInput, match="not a simulated recording"):
        next(write_v1_recording(tmp_path / "mine", V1Movie.small()))
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_older_recording_is_replaced(tmp_path):
    finish(write_v1_recording(tmp_path / "x", V1Movie.small(seed=1)))
    _, files = finish(write_v1_recording(tmp_path / "x", V1Movie.small(seed=2)))
    assert files.config.seed == 2


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InvalidInput, match=r"GB free; make room"):
        next(write_v1_recording(tmp_path / "x", V1Movie.small()))
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written to"):
        next(write_v1_recording(tmp_path / "file" / "x", V1Movie.small()))


def test_a_failing_write_is_said_and_cleaned_up(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        finish(write_v1_recording(tmp_path / "x", V1Movie.small()))
    assert list(tmp_path.iterdir()) == []


def test_cells_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="do not fit a field of 64×64"):
        finish(write_v1_recording(tmp_path / "x", V1Movie.small(n_cells=200)))
    assert list(tmp_path.iterdir()) == []


_MEASURE = """
import sys
from napari_cebra.simulate import V1Movie, write_v1_recording

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(l.split()[1]) for l in status if l.startswith("RssAnon"))

start = most = anonymous()
for report in write_v1_recording(sys.argv[1], V1Movie(n_repeats=1)):
    most = max(most, anonymous())
print((most - start) / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_rendering_at_full_size_takes_little_memory(tmp_path):
    # One of the ten repeats: what grows with the rest is (T, N) arrays, at most
    # four of float32 and the spikes at a time.
    out = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        check=True,
    )
    full = 8100 * 300 * (4 * 4 + 1) / 2**20
    assert float(out.stdout) + full < 300


def test_labels_are_whole_cells_of_the_right_size(tmp_path):
    from napari_cebra.simulate.field_of_view import draw_field_of_view

    config = V1Movie()
    field = draw_field_of_view(np.random.default_rng(0), config)
    rois = RoiSet.from_labels(field.rois.to_labels())
    assert len(rois) == config.n_cells
    diameter = np.sqrt(4 / np.pi * np.diff(rois.indptr))
    assert 9 < np.median(diameter) < 14
    assert diameter.min() > 6
    np.testing.assert_allclose(
        np.median(np.hypot(*(rois.centroids() - field.centres).T)), 0, atol=0.5
    )
    # Neuropil is left between the cells.
    assert (field.rois.to_labels() == 0).mean() > 0.4


def test_small_recording_answers_to_the_movie():
    """What other rooms' tests rest on: the small recording can be decoded."""
    made = simulate_v1(V1Movie.small())
    z = made.recording.traces.values.reshape(4, 150, -1)
    template, test = z[:3].mean(0), z[3]
    template = (template - template.mean(0)) / template.std(0)
    test = (test - test.mean(0)) / test.std(0)
    decoded = (test @ template.T).argmax(1)
    assert (np.abs(decoded - np.arange(150)) < 30).mean() > 0.7


def test_v1_files_name_the_parts(tmp_path):
    names = {V1Files(tmp_path).stack.name, V1Files(tmp_path).info.name}
    assert names == {"stack.tif", "recording.json"}
