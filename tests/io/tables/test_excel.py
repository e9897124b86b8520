"""Sheets of Excel workbooks."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime, timedelta

import numpy as np
import openpyxl
import pytest

from napari_cebra.io import EventTable, read_table
from napari_cebra.recording import InvalidInput

BEGAN = datetime(2024, 5, 1, 10, 0, 0)


@pytest.fixture
def workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("behaviour")
    sheet.append(["time", "speed (cm/s)", "side", "moving", "sum"])
    for k in range(30):
        sheet.append(
            [
                BEGAN + timedelta(seconds=k / 4),
                k * 0.1,
                "LR"[k % 2],
                bool(k % 3),
                "=1+1",
            ]
        )
    sheet["B5"] = None
    events = book.create_sheet("events")
    events.append(["onset", "duration", "trial_type"])
    for k in range(4):
        events.append([k * 1.2, 2, "tone" if k % 2 else "reward"])
    path = tmp_path / "b.xlsx"
    book.save(path)
    return path


def test_first_sheet_that_holds_something(workbook) -> None:
    read = read_table(workbook)
    assert (read.part, read.parts) == ("behaviour", ("Notes", "behaviour", "events"))
    assert read.names == ("time", "speed (cm/s)", "side", "moving", "sum")
    np.testing.assert_allclose(read.times, np.arange(30) / 4)
    speed = read.column("speed (cm/s)")
    assert np.isnan(speed[3]) and speed[2] == 0.2
    assert read.variable("moving").values[:4].tolist() == [0, 1, 1, 0]
    assert read.categories("side") == ("L", "R")
    assert np.isnan(read.column("sum")).all()  # never computed
    assert "seconds since 2024-05-01" in " ".join(read.notes)


def test_sheets_can_be_chosen(workbook) -> None:
    events = read_table(workbook, "events")
    assert isinstance(events, EventTable)
    assert events.names == ("reward", "tone")
    with pytest.raises(
        InvalidInput, match="no sheet 'x'; choose one of Notes, behaviour"
    ):
        read_table(workbook, "x")
    with pytest.raises(InvalidInput, match="nothing is in the sheet 'Notes'"):
        read_table(workbook, "Notes")


def test_a_sheet_that_lies_about_its_size(workbook, tmp_path) -> None:
    lying = tmp_path / "l.xlsx"
    with zipfile.ZipFile(workbook) as source, zipfile.ZipFile(lying, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            content = re.sub(
                rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', content
            )
            target.writestr(member, content)
    assert read_table(lying).n_rows == 30
