"""Arrays by name: npz, npy, HDF5 and MAT-files of both kinds."""

from __future__ import annotations

import io
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from napari_cebra.io import EventTable, read_table
from napari_cebra.recording import InvalidInput

T = 40


def mat5(path, **options):
    words = np.array(["run", "rest"], dtype=object)
    content = {
        "beh": {
            "pos": np.arange(T),
            "state": words[np.arange(T) % 2],
            "eye": np.stack([np.arange(T), -np.arange(T)]),
            "meta": {"rate": 30.0, "who": "me"},
        },
        "time": np.arange(T)[:, None] / 20,
        "traces": np.zeros((T, 30)),
        "trials": np.array(
            [(1.0 * k, 2.0, f"t{k % 2}") for k in range(4)],
            dtype=[("start", object), ("dur", object), ("type", object)],
        ),
    }
    savemat(path, content, **options)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_and_cells_of_mat5(tmp_path, compressed) -> None:
    path = mat5(tmp_path / "m.mat", do_compression=compressed)
    read = read_table(path)
    assert read.parts == ("40 rows", "trials: 4 rows")
    assert set(read.names) == {"beh.pos", "beh.state", "beh.eye_0", "beh.eye_1", "time"}
    np.testing.assert_array_equal(read.column("beh.pos"), np.arange(T))
    np.testing.assert_array_equal(read.column("beh.eye_1"), -np.arange(T))
    assert read.column("beh.state")[:3].tolist() == ["run", "rest", "run"]
    np.testing.assert_allclose(read.times, np.arange(T) / 20)
    assert "traces left out" in read.notes[0]
    trials = read_table(path, "trials: 4 rows")
    assert isinstance(trials, EventTable)
    assert trials.names == ("t0", "t1")
    np.testing.assert_array_equal(trials.offset, np.arange(4) + 2)
    with pytest.raises(
        InvalidInput, match="no part 'x'; choose one of 40 rows, trials"
    ):
        read_table(path, "x")


def test_mat73(tmp_path, files) -> None:
    read = read_table(files.mat73(tmp_path / "m.mat"))
    np.testing.assert_array_equal(read.column("beh.pos"), np.arange(T))
    np.testing.assert_array_equal(read.column("beh.eye_1"), -np.arange(T))
    assert read.column("beh.state")[:4].tolist() == ["run", "rest", "", "run"]
    assert read.guess_kind("beh.moving") == "discrete"
    np.testing.assert_allclose(read.times, np.arange(T) / 20)
    assert "trials is a MATLAB table, which only MATLAB reads" in read.notes[0]


def test_npz_and_npy(tmp_path) -> None:
    path = tmp_path / "b.npz"
    x = np.random.default_rng(0).normal(size=(T, 2))
    np.savez(path, x=x, side=np.array(["L", "R"] * 20), one=np.ones(1), few=np.ones(7))
    read = read_table(path)
    assert read.names == ("x_0", "x_1", "side")
    assert read.parts == ("40 rows", "7 rows")
    np.testing.assert_array_equal(read.column("x_1"), x[:, 1])
    when = np.datetime64("2024-05-01T10:00") + np.arange(T) * np.timedelta64(50, "ms")
    np.savez(path, time=when, state=np.array([b"run", b"rest"] * 20))
    read = read_table(path)
    np.testing.assert_allclose(read.times, np.arange(T) / 20)
    assert read.categories("state") == ("rest", "run")
    np.save(tmp_path / "v.npy", x)
    assert read_table(tmp_path / "v.npy").names == ("v_0", "v_1")
    record = np.zeros(5, [("speed", "f4"), ("lap", "i4")])
    np.save(tmp_path / "r.npy", record)
    assert read_table(tmp_path / "r.npy").names == ("speed", "lap")


def test_objects_in_npz_are_not_loaded(tmp_path) -> None:
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "gone"), "w"))

    path = tmp_path / "b.npz"
    np.savez(path, speed=np.arange(9.0), evil=np.array([Evil()] * 4, dtype=object))
    read = read_table(path)
    assert read.names == ("speed",)
    assert "evil left out: objects of Python" in read.notes[0]
    assert not (tmp_path / "gone").exists()


def test_hdf5_without_a_known_layout(tmp_path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["beh/position"] = np.arange(T)
        file["beh/timestamps"] = np.arange(T)[:, None] / 25
        file["beh/side"] = ["L", "R"] * 20
        file["traces"] = np.zeros((T, 30))
    read = read_table(tmp_path / "b.h5")
    assert read.names == ("beh/position", "beh/side", "beh/timestamps")
    np.testing.assert_allclose(read.times, np.arange(T) / 25)
    assert read.part == "beh: 40 rows"


def test_files_that_hold_no_variables(tmp_path) -> None:
    np.savez(tmp_path / "t.npz", traces=np.zeros((T, 30)))
    with pytest.raises(InvalidInput, match="holds no variables"):
        read_table(tmp_path / "t.npz")
    (tmp_path / "old.mat").write_bytes(b"\0\0\0\0" * 20)
    with pytest.raises(InvalidInput, match="not a MAT-file of version 5"):
        read_table(tmp_path / "old.mat")
    (tmp_path / "p.pkl").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(InvalidInput, match="is a pickle of Python"):
        read_table(tmp_path / "p.pkl")
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 90)
    with pytest.raises(InvalidInput, match="without a password"):
        read_table(tmp_path / "old.xls")


def test_mat5_that_lies_about_its_cells(tmp_path) -> None:
    path = tmp_path / "m.mat"
    savemat(path, {"words": np.array(["a", "b", "c"], dtype=object)})
    content = bytearray(path.read_bytes())
    at = content.index((1).to_bytes(4, "little") + (3).to_bytes(4, "little"))
    content[at : at + 8] = b"\xff\xff\xff\x00\xff\xff\x00\x00"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="announces more than the file holds"):
        read_table(path)


def test_mat5_that_unpacks_without_end(tmp_path) -> None:
    path = tmp_path / "m.mat"
    savemat(path, {"x": np.zeros(4)})
    squeezer = zlib.compressobj(9)
    bomb = b"".join(squeezer.compress(bytes(1 << 24)) for _ in range(70))
    bomb += squeezer.flush()
    size = (15).to_bytes(4, "little") + len(bomb).to_bytes(4, "little")
    path.write_bytes(path.read_bytes()[:128] + size + bomb)
    with pytest.raises(InvalidInput, match="unpacks to more than 1 GB"):
        read_table(path)


def test_a_zip_of_something_else(tmp_path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    with pytest.raises(InvalidInput, match="npz"):
        read_table(tmp_path / "a.zip")


@pytest.mark.real_data
def test_real_files_of_arrays(real_data) -> None:
    path = real_data / "cebra_published" / "cebra_fig1_published.npz"
    read = read_table(path)
    assert read.n_rows == 10178
    labels = np.load(path)["label__visualization"]
    np.testing.assert_array_equal(read.column("label__visualization_0"), labels[:, 0])
    assert read.guess_kind("label__visualization_1") == "discrete"
    worm = read_table(
        real_data / "worm_wholebrain" / "worm_wholebrain_2022-08-02-01.npz"
    )
    assert worm.n_rows == 1600 and worm.times[-1] == pytest.approx(961.9052)
    ca3 = read_table(real_data / "alme_ca3" / "17724_fambegin2.h5")
    assert ca3.n_rows == 22129
    with h5py.File(real_data / "alme_ca3" / "17724_fambegin2.h5") as file:
        where = file["processing/matlab_scripts/Position/body/data"][:, 1]
    np.testing.assert_array_equal(
        ca3.column("processing/matlab_scripts/Position/body/data_1"), where
    )
