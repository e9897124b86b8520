"""suite2p folders: values, curation, what is missing, and nothing that runs."""

from __future__ import annotations

import datetime
import os
import pickle
import shutil

import numpy as np
import pytest

from napari_cebra.io import read_suite2p
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(2)
SHAPE = (60, 84)


def ring(y, x, radius):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    far = np.hypot(yy - y, xx - x)
    return np.flatnonzero(((far > radius) & (far < radius + 6)).ravel())


def folder(path, ops=True, **changed):
    """Write what suite2p 0.14 writes, for 9 ROIs and 50 frames."""
    path.mkdir(parents=True, exist_ok=True)
    stat = []
    centres = [(8 + 20 * r, 10 + 30 * c) for r in range(3) for c in range(3)]
    centres[-1] = (SHAPE[0] - 4, SHAPE[1] - 6)
    for y, x in centres:
        yy, xx = np.mgrid[y - 3 : y + 3, x - 3 : x + 3]
        order = RNG.permutation(36)
        stat.append(
            {
                "ypix": yy.ravel()[order],
                "xpix": xx.ravel()[order],
                "lam": RNG.uniform(0.1, 1, 36).astype(np.float32),
                "med": [y, x],
                "npix": 36,
                "overlap": RNG.random(36) < 0.2,
                "neuropil_mask": ring(y, x, 5),
                "skew": np.float32(1.2),
                "footprint": np.float64(2),
            }
        )
    fluorescence = RNG.uniform(10, 90, (9, 50)).astype(np.float32)
    fluorescence[4] = 0
    files = {
        "F.npy": fluorescence,
        "Fneu.npy": fluorescence / 2,
        "spks.npy": RNG.random((9, 50), np.float32),
        "iscell.npy": np.stack([np.arange(9) % 2 == 0, RNG.random(9)], 1).astype(float),
        "stat.npy": np.array(stat, object),
    }
    if ops:
        files["ops.npy"] = np.array(
            {
                "fs": 7.5,
                "Ly": SHAPE[0],
                "Lx": SHAPE[1],
                "meanImg": np.ones(SHAPE, np.float32),
                "date_proc": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
                "nonrigid": True,
                "data_path": ["/a"],
            },
            dtype=object,
        )
    for name, values in (files | changed).items():
        if values is not None:
            np.save(path / name, values, allow_pickle=True)
    return files


@pytest.mark.parametrize("ops", [True, False])
@pytest.mark.parametrize("place", ["plane0", ".", ".."])
def test_folder_is_read_as_suite2p_wrote_it(tmp_path, ops, place) -> None:
    plane = tmp_path / "run" / "suite2p" / "plane0"
    files = folder(plane, ops)
    start = {"plane0": plane, ".": plane.parent, "..": plane.parent.parent}[place]
    read = read_suite2p(start)
    assert read.shape == SHAPE
    assert read.rate == (7.5 if ops else None)
    np.testing.assert_array_equal(read.raw.values, files["F.npy"].T)
    np.testing.assert_array_equal(read.neuropil.values, files["Fneu.npy"].T)
    np.testing.assert_array_equal(read.events.values, files["spks.npy"].T)
    assert (read.raw.kind, read.neuropil.kind) == ("raw", "neuropil")
    assert read.events.kind == "events"
    np.testing.assert_array_equal(read.rois.ids, np.arange(1, 10))
    np.testing.assert_array_equal(read.rois.source_ids, np.arange(9))
    np.testing.assert_array_equal(read.probability, files["iscell.npy"][:, 1])
    # Row 4 has no signal, although suite2p's classifier accepted it.
    np.testing.assert_array_equal(np.flatnonzero(read.silent), [4])
    np.testing.assert_array_equal(np.flatnonzero(read.rois.accepted), [0, 2, 6, 8])
    for row, roi in enumerate(files["stat.npy"]):
        y, x, weight = read.rois.mask(row + 1)
        order = np.argsort(roi["ypix"] * SHAPE[1] + roi["xpix"])
        np.testing.assert_array_equal(y, roi["ypix"][order])
        np.testing.assert_array_equal(x, roi["xpix"][order])
        np.testing.assert_array_equal(weight, roi["lam"][order])
        span = slice(read.rois.indptr[row], read.rois.indptr[row + 1])
        np.testing.assert_array_equal(read.overlap[span], roi["overlap"][order])
    assert (read.mean_image is not None) == ops
    said = " ".join(read.notes)
    assert ("60×84 pixels was inferred from the neuropil rings" in said) != ops
    assert "1 ROIs have no signal" in said and "1 of them accepted" in said


def test_rate_and_shape_can_be_given(tmp_path) -> None:
    folder(tmp_path, ops=False)
    read = read_suite2p(tmp_path, rate=30, shape=(64, 90))
    assert (read.rate, read.shape) == (30, (64, 90))
    with pytest.raises(InvalidInput, match="outside the 20×20 field of view"):
        read_suite2p(tmp_path, shape=(20, 20))


@pytest.mark.parametrize("name", ["F.npy", "stat.npy"])
def test_missing_files_are_named(tmp_path, name) -> None:
    folder(tmp_path, **{name: None})
    with pytest.raises(InvalidInput, match=f"lacks {name}"):
        read_suite2p(tmp_path)


def test_not_a_suite2p_folder(tmp_path) -> None:
    with pytest.raises(InvalidInput, match="is not a suite2p folder"):
        read_suite2p(tmp_path)


def test_files_that_can_be_missed_are_said(tmp_path) -> None:
    folder(tmp_path, **{"iscell.npy": None, "Fneu.npy": None, "spks.npy": None})
    read = read_suite2p(tmp_path)
    assert read.neuropil is None and read.events is None
    assert read.rois.accepted.sum() == 8  # all but the one without signal
    for name in ("iscell.npy", "Fneu.npy", "spks.npy"):
        assert any(name in note for note in read.notes)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"F.npy": np.zeros((8, 50), np.float32)}, "F.npy has the shape (8, 50)"),
        ({"Fneu.npy": np.zeros((9, 49), np.float32)}, "Fneu.npy has 49 frames"),
        ({"iscell.npy": np.zeros((7, 2))}, "iscell.npy has 7 rows"),
        ({"F.npy": np.full((9, 50), np.nan, np.float32)}, "hold NaN"),
        ({"stat.npy": np.array([{"a": 1}] * 9, object)}, "no pixel lists"),
        ({"stat.npy": np.zeros(9)}, "does not hold one entry per ROI"),
    ],
)
def test_files_that_disagree(tmp_path, changed, says) -> None:
    folder(tmp_path, **changed)
    with pytest.raises(InvalidInput) as caught:
        read_suite2p(tmp_path)
    assert says in str(caught.value)


class Runs:
    """What a malicious file would carry."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize("name", ["stat.npy", "ops.npy"])
def test_a_file_that_asks_to_run_something_is_refused(tmp_path, name) -> None:
    target = tmp_path / "was-run"
    folder(tmp_path / "plane0", **{name: np.array([Runs(target)] * 9, object)})
    with pytest.raises(InvalidInput, match=r"asks to run (posix|nt)\.mkdir"):
        read_suite2p(tmp_path)
    assert not target.exists()


def test_arrays_of_addresses_are_refused(tmp_path) -> None:
    """A pickled array may claim that its raw bytes are Python objects."""
    folder(tmp_path)
    state = (1, (1,), np.dtype("O"), False, b"\x10" * 8)
    body = _Forged(state)
    content = pickle.dumps(body, protocol=4)
    with open(tmp_path / "stat.npy", "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": (9,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(content)
    with pytest.raises(InvalidInput, match="array of addresses"):
        read_suite2p(tmp_path)


class _Forged:
    def __init__(self, state) -> None:
        self.state = state

    def __reduce__(self):
        rebuild = np.zeros(0).__reduce__()[0]
        return rebuild, (np.ndarray, (0,), b"b"), self.state


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_numpy_has_used(tmp_path, protocol) -> None:
    files = folder(tmp_path)
    with open(tmp_path / "stat.npy", "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": (9,)}
        np.lib.format.write_array_header_1_0(file, header)
        pickle.dump(files["stat.npy"], file, protocol=protocol)
    read = read_suite2p(tmp_path)
    np.testing.assert_array_equal(
        np.sort(read.rois.weights), np.sort(np.concatenate([
            roi["lam"] for roi in files["stat.npy"]]))
    )  # fmt: skip


@pytest.mark.real_data
def test_real_folder_without_ops(real_data) -> None:
    place = real_data / "pynapple_suite2p"
    read = read_suite2p(place)
    assert read.shape == (608, 608) and read.rate is None
    assert read.raw.values.shape == (2000, 219)
    assert read.silent.sum() == 47 and read.rois.accepted.sum() == 20
    stat = np.load(place / "plane0" / "stat.npy", allow_pickle=True)
    for row in (0, 100, 218):
        _, x, weight = read.rois.mask(row + 1)
        order = np.argsort(stat[row]["ypix"] * 608 + stat[row]["xpix"])
        np.testing.assert_array_equal(x, stat[row]["xpix"][order])
        np.testing.assert_array_equal(weight, stat[row]["lam"][order])
    # Every ROI without signal consists of shared pixels only.
    shared = np.array([
        read.overlap[a:b].all()
        for a, b in zip(read.rois.indptr[:-1], read.rois.indptr[1:], strict=True)
    ])  # fmt: skip
    assert shared[read.silent].all()


@pytest.mark.real_data
def test_copy_of_the_real_folder_with_a_file_gone(real_data, tmp_path) -> None:
    shutil.copytree(real_data / "pynapple_suite2p" / "plane0", tmp_path / "plane0")
    (tmp_path / "plane0").chmod(0o755)
    (tmp_path / "plane0" / "F.npy").unlink()
    with pytest.raises(InvalidInput, match=r"lacks F\.npy"):
        read_suite2p(tmp_path)
