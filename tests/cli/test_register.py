"""Motion on the command line: shifts, the corrected movie, and a run with it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

from napari_cebra.cli import main
from napari_cebra.io import open_stack
from napari_cebra.pipeline import PipelineConfig, exhaust, load_recording
from napari_cebra.pipeline.motion import corrected_stack
from napari_cebra.traces.motion import FAILED, MotionSettings, register


@pytest.fixture
def shaken(v1, tmp_path):
    """The small recording, displaced by known whole pixels, two frames lost."""
    frames = tifffile.imread(v1.stack)[:120]
    rng = np.random.default_rng(0)
    true = rng.integers(-3, 4, (120, 2))
    moved = [np.roll(f, s, (0, 1)) for f, s in zip(frames, true, strict=True)]
    stack = np.stack(moved)
    stack[[40, 41]] = 100
    tifffile.imwrite(tmp_path / "shaken.tif", stack)
    return tmp_path / "shaken.tif", true


def test_register_writes_what_a_script_gets(shaken, tmp_path, capsys) -> None:
    path, true = shaken
    shifts, movie = tmp_path / "shifts.csv", tmp_path / "corrected.tif"
    asked = ["register", "--stack", str(path), "--rate", "30", "--motion", "rigid"]
    asked += ["--shifts", str(shifts), "--movie", str(movie)]
    assert main(asked) == 0
    said = capsys.readouterr()
    assert "2 of 120 frames could not be registered" in said.out
    assert "Estimating motion" in said.err and "Writing corrected.tif" in said.err
    with open_stack(path) as stack:
        found = exhaust(register(stack, MotionSettings()))
        expected = corrected_stack(stack, found).read(0, 120)
    rows = list(csv.DictReader(shifts.open()))
    assert [float(row["shift_y_px"]) for row in rows] == found.shifts[:, 0].tolist()
    assert [row["failed"] for row in rows].count("1") == 2
    off = found.shifts - true
    off -= np.median(off, axis=0)
    assert np.median(np.abs(off[~found.failed])) < 0.3  # it moves by itself too
    with open_stack(movie) as written:
        assert written.dtype == np.int16 and written.rate == 30
        np.testing.assert_array_equal(written.read(0, 120), expected)

    before = shifts.read_bytes(), movie.read_bytes()
    for options, text in (
        (("--movie", str(movie)), "no movie is ever written over"),
        (("--shifts", str(shifts)), "no table is written over"),
    ):
        assert main(["register", "--stack", str(path), *options]) == 2
        assert text in capsys.readouterr().err
    assert (shifts.read_bytes(), movie.read_bytes()) == before


def test_npz_and_zarr_hold_the_blocks_and_the_same_movie(shaken, tmp_path) -> None:
    path, _ = shaken
    shifts, movie = tmp_path / "shifts.npz", tmp_path / "corrected.zarr"
    asked = ["register", "--stack", str(path), "--motion", "piecewise", "--block", "32"]
    assert main([*asked, "--shifts", str(shifts), "--movie", str(movie)]) == 0
    with np.load(shifts, allow_pickle=False) as stored:
        settings = MotionSettings.from_json(json.loads(str(stored["settings"])))
        assert stored["blocks_px"].shape == (120, 3, 3, 2)
    assert settings == MotionSettings("piecewise", block_px=32)
    with open_stack(path) as stack, open_stack(movie) as written:
        found = exhaust(register(stack, settings))
        np.testing.assert_array_equal(
            written.read(0, 120), corrected_stack(stack, found).read(0, 120)
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "corrected.zarr",
        "shaken.tif",
        "shifts.npz",
    ]


def test_rows_of_frames_that_failed_are_not_used(shaken) -> None:
    path, _ = shaken
    config = PipelineConfig.from_dict(
        {"source": {"stack": str(path), "rois": "grid:16"}, "motion": {"kind": "rigid"}}
    )
    recording = exhaust(load_recording(config))
    unused = recording.reasons.index(FAILED)
    assert np.flatnonzero(recording.invalid_because == unused).tolist() == [40, 41]
    step = next(s for s in recording.provenance if s.name == "motion")
    assert step.parameters["failed_frames"] == 2
    assert PipelineConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "nothing to write"),
        (["--shifts", "here.txt"], "written as .csv or .npz"),
        (["--movie", "here.avi"], "must end in .tif"),
        (["--movie", "nowhere/here.tif"], "no folder"),
        (["--shifts", "a.csv", "--motion", "piecewise"], "do not fit frames"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(
    shaken, options, text, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["register", "--stack", str(shaken[0]), *options]) == 2
    assert text in capsys.readouterr().err
