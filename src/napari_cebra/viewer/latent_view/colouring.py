"""What the colours of the latents stand for, and the legend that says so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.recording import Recording, Variable

UNKNOWN = (0.5, 0.5, 0.5, 0.35)
# Okabe & Ito 2008, told apart by colour-blind people too; black left out.
_OKABE_ITO = "E69F00 56B4E9 009E73 F0E442 0072B2 D55E00 CC79A7"
_MAX_ENTRIES = 24


@dataclass(frozen=True, eq=False)
class Colouring:
    """A colour per point, and what is needed to draw the legend.

    Parameters
    ----------
    rgba : (n, 4) float32
        0 to 1; points without a value are grey.
    title, units : str
        What is coloured; units are empty where there are none.
    kind : {"continuous", "circular", "discrete"}
        Which legend: a bar, a bar that closes on itself, or swatches.
    low, high : float
        Values at the ends of the bar.
    table : (256, 4)
        The bar.
    entries : tuple of (text, rgba)
        The swatches.
    """

    rgba: np.ndarray
    title: str
    units: str = ""
    kind: str = "continuous"
    low: float = 0.0
    high: float = 1.0
    table: np.ndarray | None = None
    entries: tuple[tuple[str, tuple[float, ...]], ...] = ()


def choices(recording: Recording | None) -> list[tuple[str, str]]:
    """Return what points can be coloured by, as (key, text) pairs."""
    found = [("time", "Time")]
    if recording is None:
        return found
    if recording.stimulus is not None:
        found += [("stimulus", "Stimulus frame"), ("repeat", "Repeat")]
    if np.unique(recording.trials).size > 1:
        found.append(("trial", "Trial"))
    for variable in recording.variables:
        key, name = f"variable:{variable.name}", variable.name
        if variable.values.ndim == 1:
            found.append((key, name))
        else:
            columns = range(variable.values.shape[1])
            found += [(f"{key}:{c}", f"{name} {c + 1}") for c in columns]
    return [*found, ("roi", "Selected ROI")]


def colouring(
    recording: Recording, key: str, frames: np.ndarray, roi: int | None = None
) -> Colouring:
    """Return the colours of these imaging frames.

    Parameters
    ----------
    recording : Recording
        What was measured.
    key : str
        From `choices`; one that is not there (any more) becomes "time".
    frames : (n,) int
        Imaging frames of the points.
    roi : int, optional
        Selected ROI id, for the key "roi".
    """
    stimulus = recording.stimulus
    if key == "stimulus" and stimulus is not None:
        shown = stimulus.shown[frames].astype(float)
        shown[shown < 0] = np.nan
        high = max(stimulus.n_frames - 1, 1)
        return _bar(shown, "Stimulus", "frame", "turbo", 0, high)
    if key == "repeat" and stimulus is not None:
        return _swatches(stimulus.repeat, frames, "Repeat", ordered=True)
    if key == "trial":
        return _swatches(recording.trials, frames, "Trial", ordered=True)
    if key == "roi":
        return _by_roi(recording, frames, roi)
    if key.startswith("variable:"):
        name, _, column = key.removeprefix("variable:").rpartition(":")
        for variable in recording.variables:
            if f"variable:{variable.name}" == key:
                return _by_variable(variable, frames, None)
            if variable.name == name and variable.values.ndim == 2:
                return _by_variable(variable, frames, int(column))
    if recording.frame_times is None:
        high = max(recording.n_frames - 1, 1)
        return _bar(frames.astype(float), "Time", "frame", "viridis", 0, high)
    times = recording.frame_times
    return _bar(times[frames], "Time", "s", "viridis", times[0], times[-1])


def _by_roi(recording: Recording, frames: np.ndarray, roi: int | None) -> Colouring:
    position = np.flatnonzero(recording.roi_ids == roi)
    if roi is None or position.size == 0:
        none = np.full(frames.size, np.nan)
        bar = _bar(none, "Click an ROI to colour by its trace", "", "viridis", 0, 1)
        return Colouring(bar.rgba, bar.title, kind="discrete")
    trace = recording.traces.values[:, int(position[0])].astype(float)
    title, units = f"ROI {roi}", ""
    if recording.traces.kind == "dff":
        trace, title, units = 100 * trace, f"ROI {roi} dF/F", "%"
    low, high = np.percentile(trace[recording.valid], [1, 99])
    return _bar(trace[frames], title, units, "inferno", low, high, floor=0.15)


def _by_variable(
    variable: Variable, frames: np.ndarray, column: int | None
) -> Colouring:
    name = variable.name
    if variable.kind == "discrete":
        return _swatches(variable.values, frames, name, ordered=False)
    values = variable.values
    if column is not None:
        values, name = values[:, column], f"{name} {column + 1}"
    if variable.kind == "circular":
        assert variable.period is not None
        turned = np.mod(values[frames], variable.period)
        units = variable.units or ("rad" if variable.period == 2 * np.pi else "")
        return _bar(turned, name, units, "CET-C6", 0, variable.period, kind="circular")
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0, 1)
    return _bar(values[frames], name, variable.units, "viridis", low, high)


def _bar(
    values: np.ndarray,
    title: str,
    units: str,
    name: str,
    low: float,
    high: float,
    *,
    kind: str = "continuous",
    floor: float = 0.0,
) -> Colouring:
    table = colour_table(name)[int(255 * floor) :]
    span = high - low if high > low else 1.0
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / span, 0, 1)
    rgba = table[np.round(share * (len(table) - 1)).astype(int)]
    rgba[~known] = UNKNOWN
    return Colouring(rgba, title, units, kind, float(low), float(high), table)


def _swatches(
    values: np.ndarray, frames: np.ndarray, title: str, *, ordered: bool
) -> Colouring:
    """Colour whole numbers; the colours depend on all values, not those drawn."""
    present = np.unique(values[values >= 0])
    if ordered and present.size > _MAX_ENTRIES:
        numbers = np.where(values[frames] >= 0, values[frames], np.nan).astype(float)
        return _bar(numbers, title, "", "viridis", present[0], present[-1])
    colours = _ordered(present.size) if ordered else _unordered(present.size)
    position = np.searchsorted(present, values[frames])
    rgba = np.tile(np.asarray(UNKNOWN, np.float32), (frames.size, 1))
    known = values[frames] >= 0
    rgba[known] = colours[position[known]]
    entries = [
        (str(v), tuple(map(float, c)))
        for v, c in zip(present[:_MAX_ENTRIES], colours, strict=False)
    ]
    if present.size > _MAX_ENTRIES:
        entries.append((f"and {present.size - _MAX_ENTRIES} more", UNKNOWN))
    return Colouring(rgba, title, kind="discrete", entries=tuple(entries))


def _ordered(count: int) -> np.ndarray:
    table = colour_table("viridis")
    return table[np.linspace(0, len(table) - 1, max(count, 2)).round().astype(int)]


def _unordered(count: int) -> np.ndarray:
    rgb = [[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in _OKABE_ITO.split()]
    colours = np.ones((max(count, len(rgb)), 4), np.float32)
    colours[: len(rgb), :3] = np.asarray(rgb) / 255
    if count > len(rgb):  # steps of the golden ratio stay apart however many
        hues = np.mod(np.arange(count - len(rgb)) * 0.61803398875, 1)
        wheel = colour_table("CET-C6")
        colours[len(rgb) :] = wheel[(hues * 255).astype(int)]
    return colours


@cache
def colour_table(name: str) -> np.ndarray:
    """Return a (256, 4) float32 table: napari's colormaps and pyqtgraph's CET."""
    if name.startswith("CET"):
        import pyqtgraph

        table = pyqtgraph.colormap.get(name).getLookupTable(nPts=256, alpha=True)
        return np.asarray(table, np.float32) / 255
    from napari.utils.colormaps import ensure_colormap

    return ensure_colormap(name).map(np.linspace(0, 1, 256)).astype(np.float32)
