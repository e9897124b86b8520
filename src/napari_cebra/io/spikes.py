"""Spike times with a position track on its own clock, and their binning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.damage import open_npz, reading
from napari_cebra.io.sources import SourceFile
from napari_cebra.recording import InvalidInput, Recording, Traces, Variable

if TYPE_CHECKING:
    import os

_MOST_BINS = 20_000_000


@dataclass(frozen=True, eq=False)
class SpikeRecording:
    """Spike times of units, and where the animal was.

    Parameters
    ----------
    times : tuple of (n_spikes,) float64
        Seconds, sorted, one array per unit.
    unit_names : tuple of str
        As in the file.
    position : (P, d) float64 or None
        Coordinates; NaN where the tracker lost the animal.
    position_times : (P,) float64 or None
        Seconds of each position sample.
    position_units : str
        For axis labels.
    name : str
        File name without its suffix.
    source : SourceFile or None
        The file.
    notes : tuple of str
        What was left out, in sentences.
    """

    times: tuple[np.ndarray, ...]
    unit_names: tuple[str, ...]
    position: np.ndarray | None = None
    position_times: np.ndarray | None = None
    position_units: str = ""
    name: str = "spikes"
    source: SourceFile | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.times or not sum(t.size for t in self.times):
            raise InvalidInput(
                f"{self.name} holds no spike at all in its {len(self.times)} units "
                "(every unit is empty or marked as silent); choose another recording."
            )
        if self.position is None:
            return
        assert self.position_times is not None
        if len(self.position) != len(self.position_times):
            raise InvalidInput(
                f"{self.name} has {len(self.position)} positions but "
                f"{len(self.position_times)} time stamps for them; the file is damaged."
            )

    @property
    def counts(self) -> np.ndarray:
        """(units,) number of spikes of each unit."""
        return np.array([times.size for times in self.times])

    @property
    def span(self) -> tuple[float, float]:
        """First and last second: of the position track, else of the spikes."""
        if self.position_times is not None and self.position_times.size > 1:
            return float(self.position_times[0]), float(self.position_times[-1])
        first = min(t[0] for t in self.times if t.size)
        return float(first), float(max(t[-1] for t in self.times if t.size))


def read_spikes(path: str | os.PathLike[str]) -> SpikeRecording:
    """Read spike times, and the position track beside them.

    HDF5 in the manner of NWB 1.0 (``…/UnitTimes/<n>/times``, a position series
    with ``data`` and ``timestamps``), or an npz with ``spike_times`` (S,),
    ``spike_units`` (S,) and, if there is a track, ``position`` (P, d) and
    ``position_times`` (P,). A single time of -1, which stands for a unit without
    spikes, and spikes outside the track's time are left out.

    Raises
    ------
    InvalidInput
        If the file is damaged, holds no units, or no spike at all.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}; choose the spikes again.")
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".h5", ".hdf5", ".nwb"):
        raise InvalidInput(
            f"{path.name} is not a spike file that can be read; choose HDF5 "
            "(.h5, .nwb) or npz."
        )
    with reading(path.name, "spike times", "copy it again"):
        found = _from_npz(path) if suffix == ".npz" else _from_hdf5(path)
    return _cleaned(path, *found)


_Found = tuple[list[np.ndarray], list[str], np.ndarray | None, np.ndarray | None, str]


def _from_npz(path: Path) -> _Found:
    with open_npz(path) as stored:
        missing = [k for k in ("spike_times", "spike_units") if k not in stored]
        if missing:
            raise InvalidInput(
                f"{path.name} lacks {' and '.join(missing)}; a spike npz needs the "
                "arrays spike_times and spike_units of equal length."
            )
        times = np.asarray(stored["spike_times"], np.float64).ravel()
        units = stored["spike_units"].ravel()
        if times.size != units.size:
            raise InvalidInput(
                f"{path.name} has {times.size} spike times but {units.size} unit "
                "numbers; give one unit per spike."
            )
        names = np.unique(units)
        position = stored["position"] if "position" in stored else None
        clock = stored["position_times"] if "position_times" in stored else None
        units_of = str(stored["position_units"]) if "position_units" in stored else ""
    per_unit = [times[units == name] for name in names]
    return per_unit, [str(name) for name in names], position, clock, units_of


def _from_hdf5(path: Path) -> _Found:
    import h5py

    with h5py.File(path, "r") as file:
        groups: list[str] = []
        tracks: list[str] = []

        def visit(name: str, item: Any) -> None:
            if name.endswith("UnitTimes") and isinstance(item, h5py.Group):
                groups.append(name)
            inside = isinstance(item, h5py.Group) and "data" in item
            if inside and "timestamps" in item and "position" in name.lower():
                tracks.append(name)

        file.visititems(visit)
        if not groups:
            raise InvalidInput(
                f"{path.name} holds no group UnitTimes with spike times; load it as "
                "traces, or choose another file."
            )
        units = file[groups[0]]
        numbers = sorted((k for k in units if k.isdigit()), key=int)
        times = [_values(units[k]["times"]).ravel() for k in numbers]
        names = [_unit_name(units[k], k) for k in numbers]
        if not tracks:
            return times, names, None, None, ""
        track = file[tracks[0]]
        position = _values(track["data"])
        clock = _values(track["timestamps"]).ravel()
        return times, names, position, clock, _units_of(track["data"])


def _values(data: Any) -> np.ndarray:
    if not holds_what_it_announces(data):
        raise ValueError(f"{data.name} does not hold what it announces")
    return np.asarray(data, np.float64)


def _unit_name(unit: Any, number: str) -> str:
    if "unit_description" not in unit:
        return number
    text = np.asarray(unit["unit_description"]).ravel()[0]
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _units_of(data: Any) -> str:
    """Units of the stored values: metres times 0.01 are centimetres."""
    unit = data.attrs.get("unit", b"")
    unit = unit.decode("ascii", "replace") if isinstance(unit, bytes) else str(unit)
    scale = float(np.ravel(data.attrs.get("conversion", 1.0))[0])
    if unit in ("meters", "metres", "m", "meter"):
        return {1.0: "m", 0.01: "cm", 0.001: "mm"}.get(scale, "")
    return unit


def _cleaned(
    path: Path,
    times: list[np.ndarray],
    names: list[str],
    position: np.ndarray | None,
    clock: np.ndarray | None,
    units: str,
) -> SpikeRecording:
    notes: list[str] = []
    if position is None or clock is None:
        position = clock = None
    else:
        position = np.asarray(position, np.float64)
        position = position[:, None] if position.ndim == 1 else position
        clock = np.asarray(clock, np.float64).ravel()
        if not (np.isfinite(clock).all() and np.all(np.diff(clock) > 0)):
            raise InvalidInput(
                f"The time stamps of the position in {path.name} do not rise from "
                "sample to sample; mend the file."
            )
    low, high = (clock[0], clock[-1]) if clock is not None else (0.0, np.inf)
    kept, outside, silent = [], 0, 0
    for unit in times:
        unit = unit[np.isfinite(unit)]
        # One time of -1 is the mark of a unit without spikes.
        unit = np.zeros(0) if unit.size == 1 and unit[0] == -1 else np.sort(unit)
        inside = unit[(unit >= low) & (unit <= high)]
        outside += unit.size - inside.size
        silent += not inside.size
        kept.append(inside)
    if outside:
        notes.append(f"{outside} spikes outside the recording's time were left out.")
    if silent:
        notes.append(f"{silent} of {len(kept)} units have no spike.")
    return SpikeRecording(
        tuple(kept),
        tuple(names),
        position,
        clock,
        units,
        path.stem,
        SourceFile.of(path),
        tuple(notes),
    )


def bin_spikes(
    spikes: SpikeRecording,
    bin_s: float = 0.1,
    min_spikes: int = 1,
    min_speed: float | None = None,
    speed_smoothing_s: float = 0.25,
    longest_gap_s: float = 1.0,
) -> Recording:
    """Count spikes in equal bins, with position and speed at the bin centres.

    Parameters
    ----------
    spikes : SpikeRecording
        Spike times and track.
    bin_s : float
        Length of a bin in seconds. The bins lie within the track's time.
    min_spikes : int
        Units with fewer spikes are dropped; 0 keeps silent ones. What was
        dropped stands in the provenance.
    min_speed : float, optional
        Rows below this running speed (position units per second) are set
        aside as "not running".
    speed_smoothing_s : float
        Standard deviation of the Gaussian over the position before it is
        differentiated.
    longest_gap_s : float
        Position is interpolated over gaps of the track up to this length;
        rows in longer ones are set aside as "no position".

    Returns
    -------
    Recording
        Traces of kind ``rates`` (spikes per bin); variables ``position``
        (T, d) and ``speed`` (T,) where there is a track.

    Raises
    ------
    InvalidInput
        If the bins do not fit the recording or no unit is left.
    """
    if not (np.isfinite(bin_s) and bin_s > 0):
        raise InvalidInput(f"The bin length must be positive seconds, not {bin_s}.")
    low, high = spikes.span
    bins = int((high - low) / bin_s + 1e-9)
    if not 2 <= bins <= _MOST_BINS:
        raise InvalidInput(
            f"Bins of {bin_s:g} s divide the {high - low:.1f} s of {spikes.name} into "
            f"{bins}; choose a length that gives between 2 and {_MOST_BINS} bins."
        )
    used = spikes.counts >= min_spikes
    if not used.any():
        raise InvalidInput(
            f"None of the {used.size} units of {spikes.name} has {min_spikes} spikes "
            f"(most: {spikes.counts.max()}); lower the minimum."
        )
    edges = low + bin_s * np.arange(bins + 1)
    values = np.stack(
        [
            np.histogram(times, edges)[0]
            for times, keep in zip(spikes.times, used, strict=True)
            if keep
        ],
        axis=1,
    )
    named = [n for n, keep in zip(spikes.unit_names, used, strict=True) if keep]
    settings = {"bin_s": bin_s, "min_spikes": min_spikes, "units": named}
    recording = Recording(
        Traces(values, "rates", 1 / bin_s, {"step": "bin_spikes", **settings}),
        frame_times=edges[:-1] + bin_s / 2,
        name=spikes.name,
    )
    recording = _with_track(
        recording, spikes, min_speed, speed_smoothing_s, longest_gap_s
    )
    sources = () if spikes.source is None else (spikes.source.path,)
    dropped = [n for n, keep in zip(spikes.unit_names, used, strict=True) if not keep]
    return recording.with_step(
        "bin_spikes",
        *sources,
        **settings,
        dropped_units=dropped,
        min_speed=min_speed,
        speed_smoothing_s=speed_smoothing_s,
        longest_gap_s=longest_gap_s,
    )


def _with_track(
    recording: Recording,
    spikes: SpikeRecording,
    min_speed: float | None,
    smoothing_s: float,
    longest_gap_s: float,
) -> Recording:
    if spikes.position is None:
        return recording
    assert spikes.position_times is not None and recording.frame_times is not None
    seen = np.isfinite(spikes.position).all(axis=1)
    if seen.sum() < 2:
        raise InvalidInput(
            f"The position track of {spikes.name} has no valid sample; load the spikes "
            "without it or choose another recording."
        )
    clock, position = spikes.position_times[seen], spikes.position[seen]
    times = recording.frame_times
    at_bins = _interpolated(times, clock, position)
    step = float(times[1] - times[0])
    # Smoothed on a grid of the tracker's own fineness, whatever the bins are.
    fine_step = min(step, float(np.median(np.diff(clock))))
    fine = np.arange(times[0] - step / 2, times[-1] + step / 2, fine_step)
    smooth = gaussian_filter1d(
        _interpolated(fine, clock, position),
        smoothing_s / fine_step,
        axis=0,
        mode="nearest",
    )
    fine_speed = np.linalg.norm(np.gradient(smooth, fine_step, axis=0), axis=1)
    speed = np.interp(times, fine, fine_speed)
    following = np.clip(np.searchsorted(clock, times), 1, clock.size - 1)
    lost = clock[following] - clock[following - 1] > longest_gap_s
    lost |= (times < clock[0]) | (times > clock[-1])
    units = spikes.position_units
    flat = at_bins[:, 0] if at_bins.shape[1] == 1 else at_bins
    variables = (
        Variable("position", flat, units=units),
        Variable("speed", speed, units=f"{units}/s" if units else ""),
    )
    recording = Recording(
        recording.traces,
        variables=variables,
        frame_times=times,
        name=recording.name,
    )
    if lost.any():
        recording = recording.exclude(lost, "no position", look=True)
    if min_speed is not None:
        recording = recording.exclude(speed < min_speed, "not running", look=True)
    return recording


def _interpolated(at: np.ndarray, clock: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(at, clock, column) for column in values.T], axis=1)
