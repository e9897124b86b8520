"""Formats of microscopes that roiextractors reads: an optional extra.

Bruker and Thorlabs folders, Inscopix ``.isxd`` and Femtonics ``.mesc`` files. Several
channels of one recording are offered as its data sets.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from napari_cebra.io.array_frames import ArrayFrames
from napari_cebra.io.found_stack import FoundStack, StackInfo, check_dataset
from napari_cebra.io.numbered import TIFF_SUFFIXES
from napari_cebra.io.units import positive
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan


class Microscope(NamedTuple):
    """What roiextractors is asked for.

    Parameters
    ----------
    name : str
        Of the maker, as in `StackInfo.kind`.
    fits : callable
        Whether a path is of this make.
    channels : callable
        Names of its movies, given the extractors and the path.
    open : callable
        The extractor of one of them.
    remedy : str
        What to do where it cannot be read.
    """

    name: str
    fits: Callable[[Path], bool]
    channels: Callable[[Any, Path], list[str]]
    open: Callable[[Any, Path, str], Any]
    remedy: str = "copy all of its files again"


def fits(path: Path) -> bool:
    """Whether a path is of one of these makes."""
    return any(make.fits(path) for make in _MICROSCOPES)


def look(path: Path, dataset: str | None, _: bool | None) -> FoundStack:
    """Describe a recording through roiextractors.

    Raises
    ------
    InvalidInput
        If roiextractors is not installed, or cannot read it.
    """
    make = next(make for make in _MICROSCOPES if make.fits(path))
    extractors = _extractors(path, make)
    try:
        names = tuple(make.channels(extractors, path))
        name = dataset or names[0]
        check_dataset(path, name, names)
        series = _Series(make.open(extractors, path, name))
    except InvalidInput:
        raise
    except Exception as error:  # of foreign code, which may raise anything
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InvalidInput(
            f"{path.name} cannot be read as a recording of {make.name} "
            f"({reason[:160]}); {make.remedy}."
        ) from error

    def open_frames(plan: AxisPlan) -> ArrayFrames:
        return ArrayFrames(series, plan, path.name)

    one = len(names) == 1
    info = StackInfo(
        path,
        make.name,
        "TYXZ"[: len(series.shape)],
        series.shape,
        series.dtype,
        series.rate,
        None if one else name,
        () if one else names,
    )
    return FoundStack(info, open_frames, path)


class _Series:
    """An imaging extractor, indexed like an array (T, Y, X) or (T, Y, X, Z)."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self._lock = threading.Lock()
        # Sizes of a frame that was read: those that are announced may be turned.
        first = np.asarray(extractor.get_series(start_sample=0, end_sample=1))
        self.shape = (int(extractor.get_num_samples()), *first.shape[1:])
        self.dtype = first.dtype
        self.rate = positive(extractor.get_sampling_frequency())

    def __getitem__(self, key: tuple[slice | int, ...]) -> np.ndarray:
        time = key[0]
        if not isinstance(time, slice):
            raise IndexError("the first axis of a recording is time")
        with self._lock:
            frames = self._extractor.get_series(
                start_sample=time.start, end_sample=time.stop
            )
        return np.asarray(frames)[(slice(None), *key[1:])]


def _extractors(path: Path, make: Microscope) -> Any:
    try:
        from roiextractors import extractorlist
    except ImportError as error:
        raise InvalidInput(
            f"Recordings of {make.name} such as {path.name} need the package "
            'roiextractors: run pip install "napari-cebra[formats]" and start napari '
            "again."
        ) from error
    return extractorlist


def _is_bruker(path: Path) -> bool:
    settings = path / f"{path.name}.xml"
    if not settings.is_file():
        return False
    with open(settings, "rb") as file:
        return b"<PVScan" in file.read(4096)


def _bruker_channels(_: Any, path: Path) -> list[str]:
    names: dict[str, None] = {}
    for _event, element in ElementTree.iterparse(path / f"{path.name}.xml"):
        if element.tag == "File":
            names[element.attrib["channelName"]] = None
        if element.tag == "Frame":
            break
    return list(names)


def _thor_tiff(path: Path) -> Path | None:
    if not (path / "Experiment.xml").is_file():
        return None
    files = (entry for entry in path.iterdir() if entry.suffix in TIFF_SUFFIXES)
    return min(files, default=None)


def _femtonics_movies(extractors: Any, path: Path) -> list[str]:
    known = extractors.FemtonicsImagingExtractor
    return [
        f"{session}/{unit}/{channel}"
        for session in known.get_available_sessions(path)
        for unit in known.get_available_munits(path, session)
        for channel in known.get_available_channels(path, session, unit)
    ]


_MICROSCOPES = (
    Microscope(
        "Bruker",
        _is_bruker,
        _bruker_channels,
        lambda known, path, name: known.BrukerTiffImagingExtractor(
            folder_path=path, channel_name=name
        ),
    ),
    Microscope(
        "Thorlabs",
        lambda path: _thor_tiff(path) is not None,
        lambda known, path: known.ThorTiffImagingExtractor.get_available_channel_names(
            _thor_tiff(path)
        ),
        lambda known, path, name: known.ThorTiffImagingExtractor(
            file_path=_thor_tiff(path), channel_name=name
        ),
    ),
    Microscope(
        "Inscopix",
        lambda path: path.suffix.lower() == ".isxd",
        lambda known, path: [""],
        lambda known, path, name: known.InscopixImagingExtractor(file_path=path),
        "install Inscopix's package with pip install isx, or export it as TIFF",
    ),
    Microscope(
        "Femtonics",
        lambda path: path.suffix.lower() == ".mesc",
        _femtonics_movies,
        lambda known, path, name: known.FemtonicsImagingExtractor(
            path, *name.split("/", 2)
        ),
    ),
)
