"""Damage anywhere in a file is said in one sentence, and costs no memory."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

from napari_cebra.io import (
    open_movie,
    open_stack,
    read_label_image,
    read_roi_file,
    read_spikes,
    read_suite2p,
    read_table,
    read_trace_matrix,
    sniff,
    write_imagej_rois,
)
from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(5)
FRAMES = RNG.integers(0, 4000, (6, 12, 14)).astype(np.uint16)


def stack(path):
    sniff(path)
    with open_stack(path) as opened:
        opened.read(0, 1)
        np.asarray(opened.lazy[-1])
        opened.read(0, min(opened.n_frames, 40))


def movie(path):
    opened = open_movie(path)
    np.asarray(opened.array[0])
    opened.close()


def traces(path):
    sniff(path)
    read_trace_matrix(path)


def tiff(**options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, FRAMES, **options)
    return file.getvalue()


def paged(**options) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tif:
        for frame in FRAMES:
            tif.write(frame, contiguous=False, metadata=None, **options)
    return file.getvalue()


def npy(values) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def hdf5(**content) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        for name, values in content.items():
            store.create_dataset(name, data=values, chunks=True, compression=1)
    return file.getvalue()


def npz(**content) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


def suite2p_stat() -> bytes:
    roi = {"ypix": np.arange(4), "xpix": np.arange(4), "lam": np.ones(4, np.float32)}
    file = io.BytesIO()
    np.save(file, np.array([roi, roi | {"med": [1, 2.5]}], object), allow_pickle=True)
    return file.getvalue()


def plane(path):
    np.save(path.parent / "F.npy", np.ones((2, 5), np.float32))
    read_suite2p(path.parent)


def labels() -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, FRAMES[0], compression="zlib")
    return file.getvalue()


CASES = {
    "contiguous tif": ("s.tif", tiff(), stack),
    "imagej tif": ("s.tif", tiff(imagej=True, metadata={"axes": "TYX"}), stack),
    "ome tif": ("s.tif", tiff(ome=True, metadata={"axes": "TYX"}), stack),
    "big tif": ("s.tif", tiff(bigtiff=True), stack),
    "paged tif": ("s.tif", paged(), stack),
    "zlib tif": ("s.tif", paged(compression="zlib", predictor=True), stack),
    "lzw tif": ("s.tif", paged(compression="lzw"), stack),
    "zstd tif": ("s.tif", tiff(compression="zstd"), stack),
    "tiled tif": ("s.tif", paged(tile=(16, 16), compression="zlib"), stack),
    "colour tif": ("s.tif", tiff(photometric="minisblack"), movie),
    "npy": ("s.npy", npy(FRAMES), stack),
    "h5": ("s.h5", hdf5(movie=FRAMES), stack),
    "label tif": ("l.tif", labels(), read_label_image),
    "stat.npy": ("stat.npy", suite2p_stat(), plane),
    "csv": ("t.csv", b"a,b,c\n1,2.5,left\n3,,right\n4,1e5,left\n", read_table),
    "traces npy": ("t.npy", npy(RNG.normal(size=(9, 3))), traces),
    "traces npz": ("t.npz", npz(traces=np.ones((9, 3)), time=np.arange(9)), traces),
    "traces h5": ("t.h5", hdf5(traces=RNG.random((9, 3))), traces),
    "spikes npz": (
        "t.npz", npz(spike_times=np.arange(5.0), spike_units=np.arange(5)), read_spikes,
    ),
    "spikes h5": (
        "t.h5", hdf5(**{"a/UnitTimes/0/times": np.ones((1, 4))}), read_spikes,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_damage_is_said_and_costs_no_memory(tmp_path, damage_and_read, case) -> None:
    name, content, read = CASES[case]
    path = tmp_path / name
    path.write_bytes(content)
    damage_and_read(path, lambda: read(path))


ROIS = {
    "caiman": lambda samples, path: samples.caiman(path / "c.hdf5"),
    "minian.nc": lambda samples, path: samples.minian_file(path / "m.nc"),
    "nwb pixels": lambda samples, path: samples.nwb(path / "n.nwb"),
    "nwb images": lambda samples, path: samples.nwb(path / "n.nwb", "image"),
    "RoiSet.zip": lambda samples, path: roiset(samples, path / "r.zip"),
    "roi": lambda samples, path: roiset(samples, path / "r.zip", single=True),
}


def roiset(samples, path, single=False):
    rois = read_roi_file(samples.caiman(path.with_suffix(".h5"))).rois
    write_imagej_rois(path, rois)
    if not single:
        return path
    with zipfile.ZipFile(path) as archive:
        content = archive.read("3.roi")
    path.with_suffix(".roi").write_bytes(content)
    return path.with_suffix(".roi")


@pytest.mark.parametrize("case", ROIS)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_damaged_rois(tmp_path, samples, damage_and_read, case, known) -> None:
    path = ROIS[case](samples, tmp_path)
    shape = samples.shape if known else None
    damage_and_read(path, lambda: read_roi_file(path, shape))


@pytest.mark.parametrize(
    "part",
    ["A/A/.zarray", "A/A/.zattrs", "A/A/0.0.0", "C/C/.zarray", "C/C/0.0", "S/.zgroup",
     "A/height/.zarray", "A/unit_id/0"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_damaged_minian(tmp_path, samples, damage_and_read, part) -> None:
    folder = samples.minian(tmp_path / "m")
    store, _, rest = part.partition("/")
    path = folder / f"{store}.zarr" / rest
    damage_and_read(path, lambda: read_roi_file(folder, samples.shape))


def test_shapes_that_lie_are_not_believed(tmp_path) -> None:
    content = bytearray(npy(FRAMES))
    at = content.index(b"(6, 12, 14)")
    content[at : at + 11] = b"(6,129,999)"
    (tmp_path / "s.npy").write_bytes(content)
    with pytest.raises(InvalidInput):
        open_stack(tmp_path / "s.npy")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("m", (10, 10**6, 10**6), "u2", chunks=(1, 64, 64))
        file.create_dataset("t", (10**6, 10**6), "u2", chunks=(64, 64))
    with pytest.raises(InvalidInput, match="no numeric data set"):
        open_stack(tmp_path / "s.h5")
    with pytest.raises(InvalidInput, match="no numeric matrix"):
        read_trace_matrix(tmp_path / "s.h5")
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 90000), }"
    text = text.ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("traces.npy", header + len(text).to_bytes(2, "little") + text)
    with pytest.raises(InvalidInput, match="does not hold what it announces"):
        read_trace_matrix(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("options", "old", "new"),
    [
        ({"imagej": True, "truncate": True}, b"images=6\nframes=6\n", b"images=9e8\n"),
        ({"truncate": True}, b"[6, 12, 14]", b"[9" + b"9" * 9 + b", 12, 14]"),
        ({"ome": True}, b'SizeT="6"', b'SizeT="900000000"'),
        ({"ome": True}, b'SizeT="6"', b'SizeT="20000000"'),
    ],
)
def test_planes_that_are_only_announced_cost_no_memory(
    tmp_path, options, old, new
) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, FRAMES, metadata={"axes": "TYX"}, **options)
    with tifffile.TiffFile(path) as tif:
        text = tif.pages.first.tags["ImageDescription"].value.encode()
    assert old in text
    tifffile.tiffcomment(path, text.replace(old, new))
    tracemalloc.start()
    with pytest.raises(InvalidInput, match=r"announces|damaged"):
        open_stack(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_frames_larger_than_what_is_there(tmp_path, compression) -> None:
    path = tmp_path / "s.tif"
    path.write_bytes(paged(compression=compression))
    with tifffile.TiffFile(path, mode="r+") as tif:
        for page in tif.pages:
            page.tags["ImageWidth"].overwrite(60_000)
            page.tags["ImageLength"].overwrite(60_000)
            page.tags["RowsPerStrip"].overwrite(60_000)
    with pytest.raises(InvalidInput, match="holds less than that"):
        open_stack(path)


def test_a_pickle_that_announces_a_huge_length_is_refused(tmp_path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    long = pickle.BYTEARRAY8 + (1 << 40).to_bytes(8, "little") + b"."
    memo = pickle.NONE + pickle.LONG_BINPUT + (1 << 31).to_bytes(4, "little") + b"."
    for body in (long, memo):
        (tmp_path / "stat.npy").write_bytes(header.getvalue() + b"\x80\x05" + body)
        with pytest.raises(InvalidInput, match="is damaged"):
            plane(tmp_path / "stat.npy")
