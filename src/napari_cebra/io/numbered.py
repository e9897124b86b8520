"""Numbered file series: which files belong together, and in which order."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import overload

from napari_cebra.recording import InvalidInput

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".m4v", ".mkv", ".webm")
# As the UCLA Miniscope's software names them: version 3, and version 4.
MINISCOPE = re.compile(r"(msCam)?\d+\.(avi|mkv|mp4)", re.IGNORECASE)


class NumberedFiles(Sequence[Path]):
    """Files of one folder; a path is made when it is asked for.

    Making a hundred thousand paths takes half a second.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder, self._names = folder, names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, at: int) -> Path: ...
    @overload
    def __getitem__(self, at: slice) -> NumberedFiles: ...
    def __getitem__(self, at: int | slice) -> Path | NumberedFiles:
        if isinstance(at, slice):
            return NumberedFiles(self._folder, self._names[at])
        return self._folder / self._names[at]


def numbered_series(path: str | os.PathLike[str]) -> Sequence[Path]:
    """Return the files of the series that a folder holds or a file begins.

    Files belong together when their names differ in one run of digits, as in
    ``run1_00001.tif``, ``run1_00002.tif``. A file that is not the first of its
    series stands for itself, so that one part can still be opened alone.

    Parameters
    ----------
    path : path
        A folder of TIFF files or videos, or one of them.

    Returns
    -------
    sequence of Path
        In the order of their numbers; one element if there is no series.

    Raises
    ------
    InvalidInput
        If the folder holds no such file or several series, or a number is
        missing between the first and the last.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    return NumberedFiles(folder, series_names(path))


def series_names(path: Path) -> list[str]:
    """Return the file names of the series; see `numbered_series`."""
    if path.is_dir():
        return _names_of_folder(path)
    suffixes = (
        VIDEO_SUFFIXES if path.suffix.lower() in VIDEO_SUFFIXES else (TIFF_SUFFIXES)
    )
    numbers = _series_of(path.name, _names_in(path.parent, suffixes))
    if len(numbers) > 1 and numbers[min(numbers)] == path.name:
        return _complete(numbers)
    return [path.name]


def _names_of_folder(folder: Path) -> list[str]:
    what, names = "TIFF files", _names_in(folder, TIFF_SUFFIXES)
    if not names:
        what, names = "videos", _names_in(folder, VIDEO_SUFFIXES)
    if not names:
        raise InvalidInput(
            f"The folder {folder.name} holds no TIFF file and no video; choose the "
            "folder of a numbered series, or one file."
        )
    if len(names) == 1:
        return names
    # A miniscope's own videos, beside those of the camera on the animal.
    scope = [name for name in names if MINISCOPE.fullmatch(name)]
    if what == "videos" and scope:
        names = scope
    numbers = _series_of(names[0], names)
    if len(numbers) < len(names):
        raise InvalidInput(
            f"The folder {folder.name} holds {len(names)} {what} that are not one "
            "numbered series; choose the first file of the series instead."
        )
    return _complete(numbers)


def _names_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    with os.scandir(folder if str(folder) else ".") as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.name.lower().endswith(suffixes) and not entry.name.startswith(".")
        )


def _series_of(name: str, names: list[str]) -> dict[int, str]:
    """Return the largest series that a name belongs to, by number.

    Each run of digits in the name may be the one that counts; where two give
    series of the same size, the last one does.
    """
    largest: dict[int, str] = {}
    for digits in re.finditer(r"\d+", name.rpartition(".")[0]):
        before, after = name[: digits.start()], name[digits.end() :]
        start, end = len(before), -len(after)
        numbers = {
            int(other[start:end]): other
            for other in names
            if other.startswith(before)
            and other.endswith(after)
            and other[start:end].isdecimal()
        }
        if len(numbers) >= len(largest):
            largest = numbers
    return largest


def _complete(numbers: dict[int, str]) -> list[str]:
    order = sorted(numbers)
    missing = order[-1] - order[0] + 1 - len(order)
    if missing:
        # Numbers may be dates, so the gaps are not counted through.
        first = next(a + 1 for a, b in pairwise(order) if b > a + 1)
        raise InvalidInput(
            f"The series {numbers[order[0]]} … {numbers[order[-1]]} misses "
            f"{missing} of its files (first: number {first}); put the missing files "
            "back, or move the part you want into a folder of its own."
        )
    return [numbers[number] for number in order]
