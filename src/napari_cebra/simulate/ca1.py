"""CA1 on a linear track, with known place fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cebra.recording import InvalidInput, Recording, Traces, Variable
from napari_cebra.simulate.calcium import fluorescence
from napari_cebra.simulate.variability import ornstein_uhlenbeck


@dataclass(frozen=True)
class Ca1Track:
    """A mouse runs to and fro on a track under a two-photon microscope.

    Parameters
    ----------
    seed : int
        Same seed, same recording.
    n_cells : int
        Pyramidal cells; about two thirds are place cells.
    minutes : float
        Length of the session.
    rate : float
        Imaging frames per second.
    track : float
        Length in cm; 160 as in the published rat recordings (Grosmark & Buzsáki
        2016, Science 351:1440).
    place_share : float
        Share of the cells with a place field.
    speed : float
        Typical running speed in cm/s.
    imaging_noise : float
        Standard deviation of the noise of dF/F.
    """

    seed: int = 0
    n_cells: int = 120
    minutes: float = 10.0
    rate: float = 30.0
    track: float = 160.0
    place_share: float = 0.65
    speed: float = 30.0
    imaging_noise: float = 0.05

    def __post_init__(self) -> None:
        for name in ("n_cells", "minutes", "rate", "track", "speed"):
            if not getattr(self, name) > 0:
                raise InvalidInput(
                    f"The setting {name} of the simulated track must be positive, not "
                    f"{getattr(self, name)}."
                )

    @property
    def n_frames(self) -> int:
        """Imaging frames, T."""
        return round(self.minutes * 60 * self.rate)


@dataclass(frozen=True, eq=False)
class Ca1Activity:
    """A simulated session and all that made it.

    Parameters
    ----------
    config : Ca1Track
        Its settings.
    recording : Recording
        dF/F with the variables ``position`` (cm), ``direction`` (1 outward, 0
        back) and ``speed`` (cm/s); rows in which the animal does not run are
        not valid, trials are the laps.
    true_rates : (T, N) float32
        Spikes/s.
    true_dff : (T, N) float32
        Noiseless, kinetics-filtered dF/F of the spikes.
    spikes : (T, N) uint8
        Spikes per imaging frame.
    fields : (2, N) float32
        Centre of each cell's field in cm when running back (row 0) and outward
        (row 1); NaN where it has none.
    """

    config: Ca1Track
    recording: Recording
    true_rates: np.ndarray
    true_dff: np.ndarray
    spikes: np.ndarray
    fields: np.ndarray


RUNNING = 3.0  # cm/s; slower rows are not valid


def simulate_ca1(config: Ca1Track | None = None) -> Ca1Activity:
    """Simulate place cells on a linear track.

    Place fields are Gaussian and, on a linear track, differ between the two
    directions of running (McNaughton, Barnes & O'Keefe 1983, Exp. Brain Res.
    52:41); the rate in a field varies from lap to lap more than Poisson (Fenton
    & Muller 1998, PNAS 95:3182) and rises with speed. Standing still, cells
    fire at their background rate.

    Parameters
    ----------
    config : Ca1Track, optional
        Default ``Ca1Track()``: 120 cells, ten minutes.

    Returns
    -------
    Ca1Activity
    """
    config = Ca1Track() if config is None else config
    rng = np.random.default_rng([config.seed, 0xCA1])
    position, speed, direction, lap = _walk(rng, config)
    fields, rates = _rates(rng, config, position, speed, direction, lap)
    spikes = np.minimum(rng.poisson(rates / config.rate), 255).astype(np.uint8)
    n = config.n_cells
    true = fluorescence(
        spikes,
        0.19 * np.exp(rng.normal(0, 0.25, n)),
        0.045 * np.exp(rng.normal(0, 0.1, n)),
        0.35 * np.exp(rng.normal(0, 0.15, n)),
        config.rate,
    )
    noise = rng.standard_normal(true.shape, np.float32)
    dff = true + np.float32(config.imaging_noise) * noise
    settings = dict(vars(config))
    recording = Recording(
        Traces(dff, "dff", config.rate, {"name": "simulate_ca1", **settings}),
        variables=(
            Variable("position", position, "continuous", "cm"),
            Variable("direction", direction, "discrete"),
            Variable("speed", speed, "continuous", "cm/s"),
        ),
        trials=lap,
        name="CA1 on a linear track (simulated)",
    )
    recording = recording.exclude(speed < RUNNING, "not running", look=True)
    return Ca1Activity(
        config=config,
        recording=recording.with_step("simulate_ca1", **settings),
        true_rates=rates,
        true_dff=true,
        spikes=spikes,
        fields=fields,
    )


def _walk(
    rng: np.random.Generator, config: Ca1Track
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Position (cm), speed (cm/s), direction (1 outward) and lap of each frame.

    The animal drinks for some seconds at either end, and on one run in four
    stops for a moment on the way.
    """
    dt, t = 1 / config.rate, config.n_frames
    position, direction = np.empty(t), np.empty(t, np.int64)
    lap = np.empty(t, np.int64)
    at, done, outward = 0.0, 0, 1
    while done < t:
        run = _run(rng, config)
        length = min(run.size, t - done)
        covered = at + run[:length] if outward else config.track - run[:length]
        position[done : done + length] = covered
        direction[done : done + length] = outward
        lap[done : done + length] = lap[done - 1] + 1 if done else 0
        done += length
        outward = 1 - outward
    speed = np.abs(np.gradient(position, dt))
    return position, speed, direction, lap


def _run(rng: np.random.Generator, config: Ca1Track) -> np.ndarray:
    """Distance from the start of one run along the track, drinking included."""
    dt = 1 / config.rate
    top = config.speed * np.exp(rng.normal(0, 0.2))
    wobble = ornstein_uhlenbeck(
        rng, int(20 * config.track / top / dt) + 1, np.array([0.6]), config.rate
    )[:, 0]
    rest = rng.uniform(0.2, 0.8) * config.track if rng.random() < 0.25 else np.inf
    rest_frames = int(rng.uniform(1, 3) * config.rate)
    path = [0.0]
    for step in range(wobble.size):
        here = path[-1]
        if here >= config.track:
            break
        if here >= rest:
            path += [here] * rest_frames
            rest = np.inf
        # Speeding up and slowing down within 15 cm of either end.
        ramp = min(1.0, (here + 1.5) / 15, (config.track - here + 1.5) / 15)
        path.append(here + top * ramp * np.exp(0.25 * wobble[step]) * dt)
    drinking = int(rng.uniform(2, 6) * config.rate)
    return np.minimum(np.array(path + [path[-1]] * drinking), config.track)


def _rates(
    rng: np.random.Generator,
    config: Ca1Track,
    position: np.ndarray,
    speed: np.ndarray,
    direction: np.ndarray,
    lap: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Field centres (2, N) and rates in spikes/s (T, N)."""
    n = config.n_cells
    fields = np.full((2, n), np.nan, np.float32)
    n_place = round(config.place_share * n)
    place = rng.permutation(n)[:n_place]
    # A third keeps its field, a third moves it, a third has it one way only.
    first = rng.uniform(0, config.track, n_place)
    group = np.arange(n_place) % 3
    other = np.where(group == 0, first, rng.uniform(0, config.track, n_place))
    other[group == 2] = np.nan
    way = rng.integers(0, 2, n_place)
    fields[way, place], fields[1 - way, place] = first, other
    width = rng.uniform(7, 16, n)
    peak = 6 * np.exp(rng.normal(0, 0.5, n))
    background = 0.1 * np.exp(rng.normal(0, 0.7, n))
    centre = fields[direction]
    bump = np.exp(-0.5 * ((position[:, None] - centre) / width) ** 2)
    bump = np.nan_to_num(bump, copy=False)
    excitability = rng.gamma(4, 1 / 4, (lap.max() + 1, n))[lap]
    moving = np.clip(speed / config.speed, 0, 1.5) * (speed > 1)
    rates = background + peak * bump * excitability * moving[:, None]
    return fields, rates.astype(np.float32)
