"""Small files as MATLAB, pandas, DeepLabCut and pynwb lay them out.

Each layout was compared with a file that the program itself had written (pandas 3.1
with PyTables 3.11, pynwb 4.2, SciPy 1.17); MATLAB's is that of its documentation.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

T = 40
SCORER = "DLC_resnet50_openfieldOct30shuffle1_1000"


def poses(individuals=()):
    """Labels and (T, n) values; the snout is lost in rows 5 to 7 and 20 to 34."""
    points = [(i, p) for i in individuals or ("",) for p in ("snout", "tail base")]
    labels, columns = [], []
    for k, (individual, point) in enumerate(points):
        seen = np.full(T, 0.99)
        if point == "snout":
            seen[5:8], seen[20:35] = 0.2, 0.1
        x = 10.0 * k + np.arange(T)
        for coordinate, values in (
            ("x", np.where(seen > 0.5, x, 1e4)),
            ("y", np.where(seen > 0.5, 2 * x, -1e4)),
            ("likelihood", seen),
        ):
            parts = (individual, point) if individuals else (point,)
            labels.append((SCORER, *parts, coordinate))
            columns.append(values)
    return labels, np.stack(columns, axis=1)


def write_deeplabcut_csv(path, individuals=()):
    labels, values = poses(individuals)
    levels = ["scorer", "individuals", "bodyparts", "coords"]
    names = levels if individuals else [levels[0], *levels[2:]]
    lines = [
        ",".join([name, *row])
        for name, row in zip(names, zip(*labels, strict=True), strict=True)
    ]
    lines += [",".join([str(k), *map(str, row)]) for k, row in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_pandas_table(path, labels, values, index=None, evil=None, beside=True):
    """``DataFrame.to_hdf(..., format="table")``: attributes are protocol 0 pickles."""
    index = np.arange(len(values)) if index is None else index
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        axes = pickle.dumps([(1, list(labels))], protocol=0)
        group.attrs["non_index_axes"] = np.bytes_(axes)
        rows = np.zeros(
            len(values),
            [("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))],
        )
        rows["index"], rows["values_block_0"] = index, values
        table = group.create_dataset("table", data=rows)
        if beside:
            kind = pickle.dumps(list(labels), protocol=0) if evil is None else evil
            table.attrs["values_block_0_kind"] = np.bytes_(kind)
    return path


def write_pandas_fixed(path, labels, values, codes="label"):
    """``DataFrame.to_hdf(...)`` with labels of several levels."""
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group["block0_values"] = values
        for k, level in enumerate(zip(*labels, strict=True)):
            names = sorted(set(level))
            group[f"block0_items_level{k}"] = np.array(names, "S")
            group[f"block0_items_{codes}{k}"] = np.array(
                [names.index(name) for name in level], "i1"
            )
    return path


def write_mat73(path):
    """What ``save(..., '-v7.3')`` writes: axes reversed, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        beh = file.create_group("beh")
        beh.attrs["MATLAB_class"] = np.bytes_(b"struct")

        def put(group, name, values, kind="double"):
            item = group.create_dataset(name, data=np.asarray(values).T)
            item.attrs["MATLAB_class"] = np.bytes_(kind.encode())
            return item

        def text(group, name, word):
            return put(group, name, np.array([[ord(c) for c in word]], "u2"), "char")

        put(beh, "pos", np.arange(T, dtype=float)[None])
        put(beh, "eye", np.stack([np.arange(T), -np.arange(T)], axis=1))
        put(beh, "moving", (np.arange(T) % 2)[:, None].astype("u1"), "logical")
        text(file, "animal", "M1")
        cells = np.zeros((T, 1), h5py.ref_dtype)
        for k in range(T):
            word = ("run", "rest", "")[k % 3]
            if word:
                cells[k, 0] = text(file, f"#refs#/{k}", word).ref
            else:  # an empty array is stored as its shape
                item = file.create_dataset(f"#refs#/{k}", data=np.array([0, 0], "u8"))
                item.attrs["MATLAB_class"] = np.bytes_(b"char")
                item.attrs["MATLAB_empty"] = np.uint8(1)
                cells[k, 0] = item.ref
        state = beh.create_dataset("state", data=cells.T, dtype=h5py.ref_dtype)
        state.attrs["MATLAB_class"] = np.bytes_(b"cell")
        put(file, "time_ms", 1000 * np.arange(T)[:, None] / 20)
        opaque = put(file, "trials", np.zeros((6, 1), "u4"), "table")
        opaque.attrs["MATLAB_object_decode"] = np.int32(3)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(116) + b"\0" * 8 + b"\x00\x02IM")
    return path


def write_nwb(path, rate=20.0, times=None, conversion=0.01):
    """Position, heading, a faster wheel, trials and epochs as pynwb stores them."""
    times = np.arange(T) / 20 if times is None else times
    with h5py.File(path, "w") as file:
        file.attrs.update(nwb_version="2.7.0", neurodata_type="NWBFile")

        def series(place, kind, values, unit, **clock):
            group = file.create_group(place)
            group.attrs["neurodata_type"] = kind
            group["data"] = values
            group["data"].attrs.update(unit=unit, conversion=1.0, offset=0.0)
            if "rate" in clock:
                group["starting_time"] = clock.get("start", 0.0)
                group["starting_time"].attrs["rate"] = clock["rate"]
            else:
                group["timestamps"] = clock["times"]
            return group

        beside = "processing/behavior"
        track = np.stack([np.arange(T), 2.0 * np.arange(T)], axis=1)
        position = series(
            f"{beside}/Position/position", "SpatialSeries", track, "meters", times=times
        )
        position["data"].attrs["conversion"] = conversion
        file[f"{beside}/CompassDirection/heading/data"] = np.arange(T) % 6.0
        heading = file[f"{beside}/CompassDirection/heading"]
        heading.attrs["neurodata_type"] = "SpatialSeries"
        heading["data"].attrs["unit"] = "radians"
        heading["timestamps"] = h5py.SoftLink(f"/{beside}/Position/position/timestamps")
        file[f"{beside}/CompassDirection"].attrs["neurodata_type"] = "CompassDirection"
        series("acquisition/wheel", "TimeSeries", np.arange(2.0 * T), "V", rate=rate)
        series(
            "acquisition/movie", "TwoPhotonSeries", np.zeros((T, 4)), "n/a", rate=20.0
        )
        runs = series(
            f"{beside}/BehavioralEpochs/run",
            "IntervalSeries",
            np.array([1, -1, 1, -1]),
            "n/a",
            times=np.array([0.2, 0.4, 1.0, 1.2]),
        )
        del runs["data"].attrs["conversion"]
        trials = file.create_group("intervals/trials")
        trials.attrs.update(neurodata_type="TimeIntervals")
        trials["id"] = np.arange(3)
        trials["start_time"] = [0.0, 0.5, 1.0]
        trials["stop_time"] = [0.4, 0.9, 1.4]
        trials["side"] = ["L", "R", "L"]
        trials["spikes"], trials["spikes_index"] = np.arange(3.0), np.arange(3)
    return path


@pytest.fixture
def files() -> SimpleNamespace:
    """Writers of small files."""
    return SimpleNamespace(
        T=T,
        poses=poses,
        deeplabcut_csv=write_deeplabcut_csv,
        pandas_table=write_pandas_table,
        pandas_fixed=write_pandas_fixed,
        mat73=write_mat73,
        nwb=write_nwb,
    )
