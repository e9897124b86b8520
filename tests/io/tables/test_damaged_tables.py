"""Damage anywhere in a table is said in one sentence, and costs no memory."""

from __future__ import annotations

import numpy as np
import openpyxl
import pytest
from scipy.io import savemat

from napari_cebra.io import read_table
from napari_cebra.io.tables.summary import summarise
from napari_cebra.recording import InvalidInput


def workbook(path):
    book = openpyxl.Workbook()
    book.active.append(["time", "x", "side"])
    for k in range(5):
        book.active.append([k / 2, k, "LR"[k % 2]])
    book.save(path)
    return path


def arrays(path):
    content = {"x": np.arange(9.0), "beh": {"y": np.arange(9), "w": np.array(
        ["a", "b", "c"] * 3, dtype=object)}}  # fmt: skip
    if path.suffix == ".mat":
        savemat(path, content, do_compression="z" in path.name)
    else:
        np.savez(path, x=content["x"], y=content["x"])
    return path


CASES = {
    "csv": lambda files, at: files.deeplabcut_csv(at / "d.csv"),
    "pandas table": lambda files, at: files.pandas_table(at / "d.h5", *files.poses()),
    "pandas fixed": lambda files, at: files.pandas_fixed(at / "d.h5", *files.poses()),
    "mat 7.3": lambda files, at: files.mat73(at / "m.mat"),
    "nwb": lambda files, at: files.nwb(at / "b.nwb"),
    "excel": lambda files, at: workbook(at / "b.xlsx"),
    "mat 5": lambda files, at: arrays(at / "m.mat"),
    "mat 5 zlib": lambda files, at: arrays(at / "z.mat"),
    "npz": lambda files, at: arrays(at / "b.npz"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_tables(tmp_path, files, damage_and_read, case) -> None:
    path = CASES[case](files, tmp_path)
    damage_and_read(path, lambda: summarise(read_table(path)))


EVENTS = b"onset,duration,type\n1,2,a\n3,1,b\n4,1,a\n"


def test_damaged_events(tmp_path, damage_and_read) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(EVENTS)

    def read() -> None:
        table = read_table(path)
        try:
            table.on_frames(20, np.arange(20.0))
        except InvalidInput as error:
            assert str(error).endswith(".")

    damage_and_read(path, read)
