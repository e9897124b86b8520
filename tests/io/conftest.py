"""Small files as CaImAn, minian and NWB lay them out, for the tests of ROIs.

The layouts are those documented in the readers' docstrings. The masks overlap, are
weighted, and the field of view is not square, so that swapped axes are seen.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs import Blosc
from scipy import sparse

from napari_cebra.recording import InvalidInput

RNG = np.random.default_rng(11)
EXAMPLES = int(os.environ.get("NAPARI_CEBRA_FUZZ", "25"))
SHAPE = (24, 37)
N, T = 5, 40


def footprints() -> np.ndarray:
    """(N, Y, X) weights; neighbours overlap."""
    images = np.zeros((N, *SHAPE))
    for k in range(N):
        y, x = 2 + 3 * k, 3 + 5 * k
        images[k, y : y + 6, x : x + 8] = RNG.uniform(0.1, 1, (6, 8))
    images[2, 8, 14] = 0  # A hole.
    return images


IMAGES = footprints()
C = RNG.random((N, T))
RESIDUAL = RNG.normal(size=(N, T))
F_DFF = RNG.random((N, T))
S = RNG.random((N, T))


def write_caiman(path, images=IMAGES, **changed):
    """Write the groups of ``cnm.save``; a value of None leaves a name out."""
    n = len(images)
    flat = images.reshape(n, *SHAPE).transpose(0, 2, 1).reshape(n, -1).T  # Fortran
    a = sparse.csc_matrix(flat)
    content = {
        "estimates/A/data": a.data,
        "estimates/A/indices": a.indices,
        "estimates/A/indptr": a.indptr,
        "estimates/A/shape": np.array(a.shape),
        "estimates/C": C,
        "estimates/YrA": RESIDUAL,
        "estimates/F_dff": F_DFF,
        "estimates/S": S,
        "estimates/idx_components": np.array([0, 2, 3]),
        "estimates/cnn_preds": b"NoneType",
        "params/data/dims": np.array(SHAPE),
        "params/data/fr": 15.0,
    } | changed
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if value is not None:
                file[name] = value
    return path


def _variable(folder, name, values, axes, coordinates, version):
    store = zarr.open_group(str(folder / f"{name}.zarr"), mode="w", zarr_format=version)
    for label, data, dims in (
        (name, values, axes),
        *((axis, coordinates[axis], [axis]) for axis in axes),
    ):
        old = {"compressors": Blosc()} if version == 2 else {"dimension_names": dims}
        array = store.create_array(
            label, shape=data.shape, dtype=data.dtype, chunks=data.shape, **old
        )
        array[...] = data
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = list(dims)


def write_minian_file(path, start=(0, 0), turned=False, **changed):
    """Write A, C and S as xarray does in NetCDF 4; None leaves one out."""
    axes = ("height", "width", "unit_id") if turned else ("unit_id", "height", "width")
    content = {"A": (IMAGES.transpose(1, 2, 0) if turned else IMAGES, axes)}
    content |= {"C": (C, ("unit_id", "frame")), "S": (S, ("unit_id", "frame"))}
    scales = {
        "unit_id": np.arange(3, 3 + N),
        "height": start[0] + np.arange(SHAPE[0]),
        "width": start[1] + np.arange(SHAPE[1]),
        "frame": np.arange(T),
    }
    with h5py.File(path, "w") as file:
        for name, values in scales.items():
            file[name] = values
            file[name].make_scale(name)
        for name, (values, dims) in content.items():
            values = changed.get(name, values)
            if values is None:
                continue
            file[name] = values
            for k, axis in enumerate(dims):
                file[name].dims[k].attach_scale(file[axis])
    return path


def write_minian(folder, start=(0, 0), units=None, turned=False, order=None, version=2):
    """Write A, C and S as xarray does; `order` permutes the units of C and S."""
    units = np.arange(3, 3 + N) if units is None else units
    order = np.arange(N) if order is None else order
    folder.mkdir(parents=True, exist_ok=True)
    coordinates = {
        "unit_id": units,
        "height": np.arange(start[0], start[0] + SHAPE[0]),
        "width": np.arange(start[1], start[1] + SHAPE[1]),
    }
    axes = ("unit_id", "height", "width")
    images = IMAGES
    if turned:
        axes, images = ("height", "width", "unit_id"), IMAGES.transpose(1, 2, 0)
    _variable(folder, "A", images, axes, coordinates, version)
    mixed = {"unit_id": units[order], "frame": np.arange(T)}
    for name, values in (("C", C), ("S", S)):
        _variable(folder, name, values[order], ("unit_id", "frame"), mixed, version)
    return folder


def write_nwb(
    path, masks="pixel", order="xy", table="PlaneSegmentation", turned=False, **changed
):
    """Write what pynwb writes of one imaging plane, with two series of traces."""
    with h5py.File(path, "w") as file:
        file.attrs.update(nwb_version="2.7.0", neurodata_type="NWBFile")
        rows = file.create_group(f"processing/ophys/ImageSegmentation/{table}")
        rows.attrs["neurodata_type"] = "PlaneSegmentation"
        rows["id"] = changed.get("ids", np.arange(10, 10 + N))
        rows["Accepted"] = np.array([1, 1, 0, 1, 0])
        if masks == "image":
            rows["image_mask"] = IMAGES.transpose(0, 2, 1) if order == "xy" else IMAGES
        elif masks in ("pixel", "voxel"):
            _pixel_lists(rows, masks, order)
        movie = file.create_group("acquisition/TwoPhotonSeries")
        movie.attrs["neurodata_type"] = "TwoPhotonSeries"
        if changed.get("dimension", True):
            movie["dimension"] = np.array(SHAPE[::-1])
        for place, values in (
            ("Fluorescence/RoiResponseSeries", C),
            ("Fluorescence/Neuropil", RESIDUAL),
            ("DfOverF/RoiResponseSeries", F_DFF),
        ):
            series = file.create_group(f"processing/ophys/{place}")
            series.attrs["neurodata_type"] = "RoiResponseSeries"
            series["data"] = values if turned else values.T
            series["rois"] = np.arange(N)
            series["rois"].attrs["table"] = rows.ref
            series["starting_time"] = 0.0
            series["starting_time"].attrs["rate"] = 30.0
    return path


def _pixel_lists(rows, masks, order):
    names = ["x", "y"] if order == "xy" else ["y", "x"]
    lists, ends = [], []
    for image in IMAGES:
        y, x = np.nonzero(image)
        at = {"x": x, "y": y}
        lists += list(zip(at[names[0]], at[names[1]], image[y, x], strict=True))
        ends.append(len(lists))
    fields = [("x", "u4"), ("y", "u4"), ("weight", "f4")]
    rows[f"{masks}_mask"] = np.array(lists, fields)
    rows[f"{masks}_mask_index"] = np.array(ends)


def images_of(rois) -> np.ndarray:
    """(N, Y, X) weights of a RoiSet."""
    images = np.zeros((len(rois), rois.shape[0] * rois.shape[1]), np.float32)
    for k in range(len(rois)):
        span = slice(rois.indptr[k], rois.indptr[k + 1])
        images[k, rois.pixels[span]] = rois.weights[span]
    return images.reshape(-1, *rois.shape)


@pytest.fixture
def samples() -> SimpleNamespace:
    """Writers of small files, and what they put in."""
    return SimpleNamespace(
        caiman=write_caiman,
        minian=write_minian,
        minian_file=write_minian_file,
        nwb=write_nwb,
        images_of=images_of,
        images=IMAGES.astype(np.float32),
        shape=SHAPE,
        C=C,
        residual=RESIDUAL,
        dff=F_DFF,
        S=S,
    )


@st.composite
def damage(draw) -> list[tuple[str, float, bytes]]:
    kind = st.sampled_from(["cut", "overwrite", "insert", "drop"])
    place = st.floats(0, 1, exclude_max=True)
    # Headers are short, so half of the damage is put into the first part.
    early = st.floats(0, 0.1)
    few = st.binary(min_size=1, max_size=6)
    telling = st.sampled_from([b"\xff" * 4, b"\0" * 8, b"\xff\xff\xff\x7f", b"9999"])
    step = st.tuples(kind, place | early, few | telling)
    return draw(st.lists(step, min_size=1, max_size=3))


def damaged(content: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, new in steps:
        at = int(place * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind == "overwrite":
            content = content[:at] + new + content[at + len(new) :]
        elif kind == "insert":
            content = content[:at] + new + content[at:]
        else:
            content = content[:at] + content[at + len(new) :]
    return content


def peak_memory() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


@pytest.fixture
def damage_and_read():
    """Damage a file many times: it is read or refused, and costs no memory."""
    return _damage_and_read


def _damage_and_read(path, read) -> None:
    content = path.read_bytes()
    read()  # The undamaged file is read.
    before = peak_memory()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(damage())
    def try_one(steps) -> None:
        path.write_bytes(damaged(content, steps))
        try:
            read()
        except InvalidInput as error:
            assert str(error).endswith(".")

    try_one()
    assert peak_memory() - before < 300e6
