"""Knowing a raw file again without reading all of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cebra.io.numbered import series_names
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK = 1 << 16
_BLOCKS_PER_FILE = 16
_FILES_SAMPLED = 32


@dataclass(frozen=True)
class SourceFile:
    """A file, folder or numbered series, recognised by size and sampled blocks.

    Parameters
    ----------
    path : str
        Absolute path when it was last seen.
    size : int
        Bytes, over all its files.
    fingerprint : str
        Hash of names, sizes and evenly spaced blocks of 64 kB.
    series : bool
        True where `path` stands for the whole numbered series that it begins.
    """

    path: str
    size: int
    fingerprint: str
    series: bool = False

    @classmethod
    def of(cls, path: str | os.PathLike[str], series: bool = False) -> SourceFile:
        """Describe what is at `path` now.

        Raises
        ------
        InvalidInput
            If nothing is there or it cannot be read.
        """
        here = Path(path).absolute()
        try:
            sizes = _sizes(here, series)
            digest = _fingerprint(here, sizes)
        except OSError as error:
            raise InvalidInput(
                f"Cannot read {here}: {error.strerror or error}; check that the file "
                "is there and readable."
            ) from error
        return cls(str(here), sum(sizes.values()), digest, series)

    @property
    def name(self) -> str:
        """File name without the folder."""
        return Path(self.path).name

    def matches(self, path: str | os.PathLike[str]) -> bool:
        """Return whether the file at `path` is this one, wherever it moved."""
        here = Path(path).absolute()
        try:
            sizes = _sizes(here, self.series)
            if sum(sizes.values()) != self.size:
                return False
            return _fingerprint(here, sizes) == self.fingerprint
        except (OSError, InvalidInput):
            return False

    def find(self, near: str | os.PathLike[str], hint: str = "") -> Path | None:
        """Look for the file where it was, and where it lies relative to `near`.

        Parameters
        ----------
        near : path
            A folder, usually that of the project.
        hint : str
            The relative path from `near` as `hint_from` gave it.

        Returns
        -------
        Path or None
            None if it must be asked for.
        """
        places = [Path(self.path)]
        if hint:
            places.insert(0, Path(near) / hint)
        places.append(Path(near).parent / self.name)
        return next((place for place in places if self.matches(place)), None)

    def hint_from(self, folder: str | os.PathLike[str]) -> str:
        """Return the relative path from `folder`, "" if on another drive."""
        try:
            return Path(os.path.relpath(self.path, folder)).as_posix()
        except ValueError:
            return ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> SourceFile:
        """Restore what `to_json` gave."""
        return cls(
            str(saved["path"]),
            int(saved["size"]),
            str(saved["fingerprint"]),
            bool(saved.get("series", False)),
        )


def _sizes(path: Path, series: bool) -> dict[str, int]:
    """Size of each file that belongs to the source, in a fixed order."""
    if series:
        root = path if path.is_dir() else path.parent
        files = [os.path.join(root, name) for name in series_names(path)]
    elif path.is_dir():
        files = sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if not name.startswith(".") or name in (".zarray", ".zgroup", ".zattrs")
        )
    else:
        files = [str(path)]
    return {file: os.stat(file).st_size for file in files}


def _fingerprint(path: Path, sizes: Mapping[str, int]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    files = list(sizes)
    if len(files) > 1:
        root = len(str(path if path.is_dir() else path.parent)) + 1
        for file in files:
            name = file[root:].replace(os.sep, "/")
            digest.update(f"{name}\0{sizes[file]}\0".encode())
    for file in _evenly(files, _FILES_SAMPLED):
        size = sizes[file]
        starts = range(0, size, _BLOCK)
        with open(file, "rb", buffering=0) as stream:
            for start in _evenly(starts, _BLOCKS_PER_FILE):
                stream.seek(start)
                digest.update(stream.read(_BLOCK))
    return digest.hexdigest()


def _evenly(items: Any, count: int) -> list[Any]:
    """At most `count` items, evenly spaced, the first and last among them."""
    n = len(items)
    if n <= count:
        return list(items)
    return [items[k * (n - 1) // (count - 1)] for k in range(count)]
