"""Numbered file series: which files belong together, and in which order."""

from __future__ import annotations

import os
import re
from pathlib import Path

from napari_cebra.recording import InvalidInput

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


def numbered_series(path: str | os.PathLike[str]) -> list[Path]:
    """Return the files of the series that a folder holds or a file begins.

    Files belong together when their names differ in one run of digits, as in
    ``run1_00001.tif``, ``run1_00002.tif``. A file that is not the first of its
    series stands for itself, so that one part can still be opened alone.

    Parameters
    ----------
    path : path
        A folder of TIFF files, or one TIFF file.

    Returns
    -------
    list of Path
        In the order of their numbers; one element if there is no series.

    Raises
    ------
    InvalidInput
        If the folder holds no TIFF file or several series, or a number is
        missing between the first and the last.
    """
    path = Path(path)
    if path.is_dir():
        return _series_of_folder(path)
    names = _tiff_names(path.parent)
    for stem_key, numbers in _groups(names).items():
        if path.name in numbers.values():
            first = min(numbers)
            if len(numbers) > 1 and numbers[first] == path.name:
                return _complete(path.parent, stem_key, numbers)
    return [path]


def _series_of_folder(folder: Path) -> list[Path]:
    names = _tiff_names(folder)
    if not names:
        raise InvalidInput(
            f"The folder {folder.name} holds no TIFF file; choose the folder of a "
            "numbered TIFF series, or one file."
        )
    if len(names) == 1:
        return [folder / names[0]]
    groups = [g for g in _groups(names).items() if len(g[1]) > 1]
    belonging = max(groups, key=lambda g: len(g[1]), default=None)
    if belonging is None or len(belonging[1]) < len(names):
        raise InvalidInput(
            f"The folder {folder.name} holds {len(names)} TIFF files that are not "
            "one numbered series; choose the first file of the series instead."
        )
    return _complete(folder, *belonging)


def _tiff_names(folder: Path) -> list[str]:
    with os.scandir(folder if str(folder) else ".") as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.name.lower().endswith(TIFF_SUFFIXES)
            and not entry.name.startswith(".")
        )


def _groups(names: list[str]) -> dict[tuple[str, str], dict[int, str]]:
    """Group names by what stays the same round the one number that varies."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for name in names:
        for digits in re.finditer(r"\d+", Path(name).stem):
            key = (name[: digits.start()], name[digits.end() :])
            found.setdefault(key, {})[int(digits.group())] = name
    # Each name joins the largest of the groups it could belong to; where two
    # are equal, the last number in the name counts.
    best: dict[str, tuple[str, str]] = {}
    for key, numbers in found.items():
        for name in numbers.values():
            old = best.get(name)
            if old is None or len(numbers) >= len(found[old]):
                best[name] = key
    return {
        key: {n: name for n, name in numbers.items() if best[name] == key}
        for key, numbers in found.items()
        if any(best[name] == key for name in numbers.values())
    }


def _complete(
    folder: Path, key: tuple[str, str], numbers: dict[int, str]
) -> list[Path]:
    order = sorted(numbers)
    missing = sorted(set(range(order[0], order[-1] + 1)) - set(order))
    if missing:
        raise InvalidInput(
            f"The TIFF series {numbers[order[0]]} … {numbers[order[-1]]} misses "
            f"{len(missing)} of its files (first: number {missing[0]}); put the "
            "missing files back, or move the part you want into a folder of its own."
        )
    return [folder / numbers[number] for number in order]
