"""A file is known again where it moved, and known for what it is."""

from __future__ import annotations

import json
import sys
import time

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_cebra.io import Sniffed, SourceFile, open_stack, sniff
from napari_cebra.io.numbered import numbered_series
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(4)


def test_a_moved_file_is_found_and_a_changed_one_is_not(tmp_path) -> None:
    data = RNG.integers(0, 255, 3_000_000).astype(np.uint8)
    old = tmp_path / "raw" / "s.bin"
    old.parent.mkdir()
    old.write_bytes(data.tobytes())
    source = SourceFile.of(old)
    restored = SourceFile.from_json(json.loads(json.dumps(source.to_json())))
    assert restored == source and restored.matches(old)
    project = tmp_path / "p.cebra"
    project.mkdir()
    hint = source.hint_from(project)
    assert hint == "../raw/s.bin"
    moved = tmp_path / "disk"
    moved.mkdir()
    (tmp_path / "raw").rename(moved / "raw")
    project = project.rename(moved / "p.cebra")
    assert source.find(project) is None or source.find(project).exists()
    assert source.find(project, hint).samefile(moved / "raw" / "s.bin")
    changed = moved / "changed.bin"
    for place in (0, 1_500_000, data.size - 1):
        # One byte in every block: whatever is sampled, it is seen.
        other = data.copy()
        other[place % 65536 :: 65536] += 1
        changed.write_bytes(other.tobytes())
        assert not source.matches(changed)
    changed.write_bytes(data.tobytes() + b"x")
    assert not source.matches(changed)
    assert not source.matches(moved / "none.bin")
    with pytest.raises(InvalidInput, match="Cannot read"):
        SourceFile.of(moved / "none.bin")


@pytest.mark.skipif(sys.platform == "win32", reason="needs sparse files")
def test_a_file_of_50_gb_is_described_at_once(tmp_path) -> None:
    path = tmp_path / "big.bin"
    with open(path, "wb") as file:
        file.truncate(50_000_000_000)
    begun = time.perf_counter()
    assert SourceFile.of(path).matches(path)
    assert time.perf_counter() - begun < 1


def test_a_series_is_one_source(tmp_path) -> None:
    for k in range(1, 5):
        tifffile.imwrite(tmp_path / f"s_{k:03}.tif", RNG.random((6, 8, 8)))
    (tmp_path / "notes.txt").write_text("not part of it")
    with open_stack(tmp_path) as stack:
        source = stack.source
    assert source.series and source.name == "s_001.tif"
    (tmp_path / "notes.txt").write_text("changed afterwards")
    assert source.matches(tmp_path / "s_001.tif")
    tifffile.imwrite(tmp_path / "s_003.tif", RNG.random((6, 8, 8)))
    assert not source.matches(tmp_path / "s_001.tif")
    (tmp_path / "s_003.tif").unlink()
    assert not source.matches(tmp_path / "s_001.tif")


def test_numbers_are_ordered_as_numbers(tmp_path) -> None:
    names = [f"m12_run3_{k}.tif" for k in (2, 9, 10, 11)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"misses 6 of its files \(first: number 3"):
        numbered_series(tmp_path)
    for k in range(3, 9):
        (tmp_path / f"m12_run3_{k}.tif").write_bytes(b"")
    found = [path.name for path in numbered_series(tmp_path)]
    assert found == [f"m12_run3_{k}.tif" for k in range(2, 12)]
    # A file inside the series stands for itself.
    assert list(numbered_series(tmp_path / names[1])) == [tmp_path / names[1]]


def test_dates_in_names_are_not_counted_through(tmp_path) -> None:
    for name in ("m_20240101120000.tif", "m_20250101120000.tif"):
        tifffile.imwrite(tmp_path / name, RNG.random((6, 8, 8)))
    with open_stack(tmp_path / "m_20240101120000.tif") as stack:
        assert stack.shape == (6, 8, 8)
    with pytest.raises(InvalidInput, match=r"first: number 20240101120001\)"):
        open_stack(tmp_path)


def test_one_picture_is_labels_and_many_numbered_ones_are_a_stack(tmp_path) -> None:
    picture = RNG.integers(0, 9, (8, 8)).astype(np.uint16)
    for k in (1, 2):
        tifffile.imwrite(tmp_path / f"rois{k}.tif", picture)
    assert sniff(tmp_path / "rois1.tif").kind == "labels"
    tifffile.imwrite(tmp_path / "rois3.tif", picture)
    assert sniff(tmp_path / "rois1.tif") == Sniffed("stack", ("labels",))
    assert sniff(tmp_path / "rois2.tif").kind == "labels"
    (tmp_path / "rois2.tif").rename(tmp_path / "rois9.tif")
    assert sniff(tmp_path / "rois1.tif").kind == "labels"


def test_every_kind_is_told(tmp_path) -> None:
    movie = RNG.integers(0, 255, (5, 8, 9)).astype(np.uint8)
    np.save(tmp_path / "stack.npy", movie.astype(np.int16))
    np.save(tmp_path / "movie.npy", movie)
    np.save(tmp_path / "traces.npy", RNG.random((20, 3)))
    np.save(tmp_path / "labels.npy", movie[0])
    np.savez(tmp_path / "traces.npz", traces=RNG.random((20, 3)))
    np.savez(tmp_path / "spikes.npz", spike_times=[1.0], spike_units=[1])
    tifffile.imwrite(tmp_path / "stack.tif", movie)
    tifffile.imwrite(tmp_path / "labels.tif", movie[0])
    tifffile.imwrite(
        tmp_path / "movie.tif", np.stack([movie] * 3, -1), photometric="rgb"
    )
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["m"] = movie
    with h5py.File(tmp_path / "traces.h5", "w") as file:
        file["m"] = movie[0]
    with h5py.File(tmp_path / "spikes.h5", "w") as file:
        file["processing/a/UnitTimes/0/times"] = np.zeros((1, 3))
    zarr.create_array(tmp_path / "stack.zarr", data=movie)
    (tmp_path / "table.csv").write_text("a\n1\n")
    (tmp_path / "project.cebra").mkdir()
    (tmp_path / "project.cebra" / "project.cebra.json").write_text("{}")
    (tmp_path / "suite2p" / "plane0").mkdir(parents=True)
    np.save(tmp_path / "suite2p" / "plane0" / "F.npy", movie[0])
    (tmp_path / "movie.mp4").write_bytes(b"")
    for path in tmp_path.iterdir():
        assert sniff(path).kind == path.stem, path.name
    assert sniff(tmp_path / "project.cebra" / "project.cebra.json").kind == "project"
    assert sniff(tmp_path / "suite2p" / "plane0" / "F.npy").kind == "suite2p"
    (tmp_path / "x.docx").write_bytes(b"")
    (tmp_path / "x").mkdir()
    for name in ("x.docx", "x", "none.tif"):
        with pytest.raises(InvalidInput):
            sniff(tmp_path / name)


@pytest.mark.real_data
def test_real_recordings_are_told(real_data) -> None:
    kinds = {
        "thunder_mouse_s1/mouse_s1_2p_500x64x64_int16.tif": "stack",
        "thunder_mouse_s1/covariates.csv": "table",
        "pynapple_suite2p": "suite2p",
        "worm_wholebrain/worm_wholebrain_2022-08-02-01.npz": "traces",
        "alme_ca3/17724_fambegin2.h5": "spikes",
    }
    assert {name: sniff(real_data / name).kind for name in kinds} == kinds
