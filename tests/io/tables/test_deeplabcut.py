"""Poses of DeepLabCut: likelihood, gaps, several animals, both files."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra.io import read_table
from napari_cebra.recording import InvalidInput

ANIMALS = ("m1", "m2")


def written(files, tmp_path, how, individuals=()):
    labels, values = files.poses(individuals)
    return {
        "csv": lambda: files.deeplabcut_csv(tmp_path / "d.csv", individuals),
        "table": lambda: files.pandas_table(tmp_path / "d.h5", labels, values),
        "axes": lambda: files.pandas_table(
            tmp_path / "d.h5", labels, values, beside=False
        ),
        "label": lambda: files.pandas_fixed(tmp_path / "d.h5", labels, values),
        "codes": lambda: files.pandas_fixed(tmp_path / "d.h5", labels, values, "codes"),
    }[how]()


@pytest.mark.parametrize("how", ["csv", "table", "axes", "label", "codes"])
@pytest.mark.parametrize("individuals", [(), ANIMALS])
def test_same_poses_from_every_file(tmp_path, files, how, individuals) -> None:
    read = read_table(written(files, tmp_path, how, individuals))
    assert read.n_rows == files.T
    first = "m1_snout" if individuals else "snout"
    assert read.names[:3] == (f"{first}_x", f"{first}_y", f"{first}_seen")
    assert len(read.names) == (12 if individuals else 6)
    x, seen = read.column(f"{first}_x"), read.column(f"{first}_seen")
    lost = np.zeros(files.T, bool)
    lost[5:8] = lost[20:35] = True
    np.testing.assert_array_equal(seen == 0, lost)
    np.testing.assert_array_equal(read.measured[f"{first}_x"], ~lost)
    # A line across three rows, which is where it was; fifteen rows stay empty.
    np.testing.assert_allclose(x[:20], np.arange(20))
    assert np.isnan(x[20:35]).all()
    assert read.variable(f"{first}_x").units == "px"
    assert read.guess_kind(f"{first}_seen") == "discrete"
    assert "likelihood below 0.6" in read.notes[0]


def test_likelihood_and_gap_can_be_set(tmp_path, files) -> None:
    path = files.deeplabcut_csv(tmp_path / "d.csv")
    assert not np.isnan(read_table(path, longest_gap=15).column("snout_x")).any()
    assert np.isnan(read_table(path, longest_gap=0).column("snout_x")).sum() == 18
    everything = read_table(path, likelihood=0.15)
    assert everything.column("snout_x")[5] == 1e4  # believed at 0.2
    with pytest.raises(InvalidInput, match="between 0 and 1, not 60"):
        read_table(path, likelihood=60)
    with pytest.raises(InvalidInput, match="0 rows or more, not -1"):
        read_table(path, longest_gap=-1)


def test_gaps_at_the_ends_are_not_made_up(tmp_path, files) -> None:
    labels, values = files.poses()
    values[:2, 2] = values[-2:, 2] = 0.0
    read = read_table(files.pandas_table(tmp_path / "d.h5", labels, values))
    assert np.isnan(read.column("snout_x")[[0, 1, -2, -1]]).all()


def test_rows_that_were_taken_out_are_empty(tmp_path, files) -> None:
    labels, values = files.poses()
    kept = np.delete(np.arange(files.T), [2, 3])
    path = files.pandas_table(tmp_path / "d.h5", labels, values[kept], index=kept)
    read = read_table(path, longest_gap=0)
    assert read.n_rows == files.T
    assert np.isnan(read.column("tail_base_x")[[2, 3]]).all()
    assert read.column("tail_base_x")[4] == 14


@pytest.mark.parametrize(
    "evil",
    [b"cos\nsystem\n(S'touch gone'\ntR.", b"cbuiltins\neval\n(S'1'\ntR."],
)
def test_a_hostile_pickle_in_the_labels_is_not_run(tmp_path, files, evil) -> None:
    labels, values = files.poses()
    path = files.pandas_table(tmp_path / "d.h5", labels, values, evil=evil)
    with pytest.raises(InvalidInput, match="was not opened: it asks to run"):
        read_table(path)


def test_ragged_or_worded_poses_are_named(tmp_path, files) -> None:
    path = files.deeplabcut_csv(tmp_path / "d.csv")
    text = path.read_text()
    path.write_text(text + "41,1,2\n")
    with pytest.raises(InvalidInput, match=r"Row 44 of d\.csv has 3 cells"):
        read_table(path)
    path.write_text(text.replace("12.0", "here"))
    with pytest.raises(InvalidInput, match="not all numbers"):
        read_table(path)


def test_another_data_frame_of_pandas_is_a_table(tmp_path, files) -> None:
    values = np.random.default_rng(0).normal(size=(30, 2))
    path = files.pandas_table(tmp_path / "t.h5", ["speed_cm/s", "pupil"], values)
    read = read_table(path)
    np.testing.assert_array_equal(read.column("pupil"), values[:, 1])
    assert read.variable("speed_cm/s").units == "cm/s"
