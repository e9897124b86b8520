"""Imaging, behaviour and stimulus logged on three clocks, with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import ClockMap

if TYPE_CHECKING:
    import os

_RATE, _FRAMES, _MOVIE = 30.0, 3600, 300
_BEGIN, _GAPS = 12.3, {700: 1, 1700: 4, 2900: 11}  # frames dropped after a row
_LOG_RATE, _LOG_SPAN, _LOG_GAP = 100.0, (5.0, 128.0), (60.005, 63.005)


@dataclass(frozen=True, eq=False)
class ThreeClocks:
    """Files of a session whose rigs did not agree on the time, and the truth.

    ``traces.npy`` (T, N) dF/F; ``frames.csv``, ``imaging_pulses.csv``,
    ``behaviour_pulses.csv``, ``stimulus_pulses.csv`` (time_s); ``behaviour.csv``
    (time_s, position, heading, side); ``stimulus.csv`` (time_s, frame).

    Parameters
    ----------
    folder : Path
    frame_times : (T,) float64
        Seconds of the imaging frames, on the imaging clock.
    dropped : (G,) int64
        Rows after which frames were dropped.
    behaviour, stimulus : ClockMap
        From the clock of the log to the imaging clock.
    position, heading, side, shown : (T,)
        At the imaging frames: cm, radians, 0 or 1, movie frame (-1: none).
    logged : (T,) bool
        Frames between two samples of the behaviour log.
    """

    folder: Path
    frame_times: np.ndarray
    dropped: np.ndarray
    behaviour: ClockMap
    stimulus: ClockMap
    position: np.ndarray
    heading: np.ndarray
    side: np.ndarray
    shown: np.ndarray
    logged: np.ndarray


def write_three_clocks(folder: str | os.PathLike[str], seed: int = 0) -> ThreeClocks:
    """Simulate two minutes of imaging beside logs on other clocks, and write them.

    The clock of the behaviour is 3.44 % fast, as in a real recording, and began
    two minutes before imaging. Of the sync pulses each log lacks 5 %, and holds as
    many that are spurious. Imaging frames and stimulus frames were dropped. No
    flip of the screen falls within half a millisecond of an imaging frame, where
    which stimulus frame was on would hang on the pulses' jitter.
    """
    folder, rng = Path(folder), np.random.default_rng([seed, 0xC10C])
    numbers = np.arange(_FRAMES)
    for last, count in _GAPS.items():
        numbers[last + 1 :] += count
    at = _BEGIN + numbers / _RATE
    behaviour = ClockMap(1.0344, 0.0).then(ClockMap(1.0, 120.0)).inverse()
    stimulus = ClockMap(0.9995, 431.7).inverse()

    pulses = np.cumsum(rng.uniform(0.5, 1.5, 150))
    for name, clock in (
        ("imaging", ClockMap()),
        ("behaviour", behaviour),
        ("stimulus", stimulus),
    ):
        _write(
            folder / f"{name}_pulses.csv", time_s=clock.back(_as_logged(rng, pulses))
        )

    log = np.arange(*_LOG_SPAN, 1 / _LOG_RATE)
    log = log[(log < _LOG_GAP[0]) | (log > _LOG_GAP[1])]
    switches = np.cumsum(rng.uniform(2, 8, 40))
    position, heading, side = _behaviour(log, switches)
    _write(
        folder / "behaviour.csv",
        time_s=behaviour.back(log),
        position=position,
        heading=heading,
        side=side,
    )

    flips = 20.0 + np.arange(3000) / 30.02
    near = at[np.searchsorted((at[1:] + at[:-1]) / 2, flips)]
    flips = np.where(np.abs(flips - near) < 5e-4, near + 1e-3, flips)
    frames = np.arange(flips.size) % _MOVIE
    seen = rng.random(flips.size) > 0.03
    seen[-1] = True
    flips, frames = flips[seen], frames[seen]
    _write(folder / "stimulus.csv", time_s=stimulus.back(flips), frame=frames)
    row = np.searchsorted(flips, at, side="right") - 1
    on = (row >= 0) & (at < flips[-1] + np.median(np.diff(flips)))

    position, heading, side = _behaviour(at, switches)
    place = np.linspace(0, 160, 20)
    rates = np.exp(-((position[:, None] - place) ** 2) / (2 * 15.0**2))
    traces = rates + 0.1 * rng.standard_normal(rates.shape)
    np.save(folder / "traces.npy", traces.astype(np.float32))
    _write(folder / "frames.csv", time_s=at)
    after = np.clip(np.searchsorted(log, at), 1, log.size - 1)
    between = log[after] - log[after - 1] < 1.5 / _LOG_RATE
    between &= (at > log[0]) & (at < log[-1])
    return ThreeClocks(
        folder,
        at,
        np.array(list(_GAPS)),
        behaviour,
        stimulus,
        position,
        heading,
        side,
        np.where(on, frames[row], -1),
        between,
    )


def _behaviour(
    at: np.ndarray, switches: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    position = 80 + 60 * np.sin(2 * np.pi * at / 17) + 15 * np.sin(2 * np.pi * at / 5.3)
    heading = (0.9 * at + 0.5 * np.sin(at)) % (2 * np.pi)
    return position, heading, np.searchsorted(switches, at, side="right") % 2


def _as_logged(rng: np.random.Generator, pulses: np.ndarray) -> np.ndarray:
    """Jitter of 0.1 ms, one in twenty missing, as many spurious."""
    seen = pulses[rng.random(pulses.size) >= 0.05]
    seen = seen + rng.normal(0, 1e-4, seen.size)
    return np.sort(np.concatenate([seen, rng.uniform(pulses[0], pulses[-1], 7)]))


def _write(path: Path, **columns: np.ndarray) -> None:
    rows = np.stack(list(columns.values()), axis=1)
    np.savetxt(
        path, rows, "%.7f", ",", header=",".join(columns), comments="", encoding="utf-8"
    )
