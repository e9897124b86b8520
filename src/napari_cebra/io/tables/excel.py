"""Cells of a sheet of an Excel workbook (.xlsx, .xlsm)."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from napari_cebra.io.damage import reading
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 29
_MOST_COLUMNS = 2000
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the compound files of Excel 97 and of locked workbooks begin."""


def is_excel(path: Path) -> bool:
    """Whether a zip archive is a workbook."""
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def excel_cells(
    path: Path, sheet: str | None = None
) -> tuple[list[list[str]], str, tuple[str, ...]]:
    """Return the cells of a sheet as text, its name, and those of all sheets.

    Dates become ISO text; cells with formulas give the value that was last computed.

    Raises
    ------
    InvalidInput
        If there is no such sheet, it is empty, or the file is damaged.
    """
    with reading(path.name, "an Excel workbook", "save it again as .xlsx"):
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise InvalidInput(
                f"{path.name} unpacks to {size / 1e6:.0f} MB, of which at most "
                f"{_LARGEST >> 20} MB are read; save the sheet you need as CSV."
            )
        return _cells(path, sheet)


def _cells(
    path: Path, sheet: str | None
) -> tuple[list[list[str]], str, tuple[str, ...]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        names = tuple(item.title for item in book.worksheets)
        if sheet is not None and sheet not in names:
            raise InvalidInput(
                f"{path.name} has no sheet {sheet!r}; choose one of {', '.join(names)}."
            )
        wanted = names if sheet is None else (sheet,)
        for name in wanted:  # the first that is not empty
            rows = _rows(path, book[name])
            if rows:
                return rows, name, names
    finally:
        book.close()
    where = "its sheets" if sheet is None else f"the sheet {sheet!r}"
    raise InvalidInput(
        f"{path.name}: nothing is in {where}; choose another sheet or file."
    )


def _rows(path: Path, sheet: Any) -> list[list[str]]:
    sheet.reset_dimensions()  # what a sheet says of its own size may be wrong
    rows = []
    for values in sheet.iter_rows(values_only=True):
        if len(values) > _MOST_COLUMNS:
            raise InvalidInput(
                f"The sheet {sheet.title!r} of {path.name} has more than "
                f"{_MOST_COLUMNS} columns; keep the variables, one per column."
            )
        rows.append([_text(value) for value in values])
    filled = [k for k, row in enumerate(rows) if any(row)]
    if not filled:
        return []
    rows = rows[filled[0] : filled[-1] + 1]  # an empty row between others is a row
    width = max(_filled(row) for row in rows)
    return [(row + [""] * width)[:width] for row in rows]


def _filled(row: list[str]) -> int:
    return max((k + 1 for k, cell in enumerate(row) if cell), default=0)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, float):
        return repr(value)
    return str(value).strip()
