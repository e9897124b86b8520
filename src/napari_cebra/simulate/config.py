"""Settings of the simulated V1 recording; the calibrated numbers live here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from napari_cebra.recording import InvalidInput


@dataclass(frozen=True)
class V1Movie:
    """V1 under a two-photon microscope while the animal watches a movie.

    The defaults of the second block were calibrated once, with
    ``bench/decoding_curve.py``: the raw-population kNN from 10-frame windows
    places 0.75 to 0.81 of the built-in recording's last repeat within 1 s
    (published two-photon recordings: 0.78 at 400 cells; Schneider, Lee & Mathis
    2023, Extended Data Fig. 10), and about 0.79 over repeats and seeds, from
    which one repeat differs by some 0.05: its 30 s hold few independent
    moments. No embedding had a part in it.

    Parameters
    ----------
    seed : int
        Same seed, same recording, to the bit.
    movie_seed : int
        Of the movie alone: animals (seeds) watch the same one.
    n_cells, n_repeats, n_movie_frames : int
        Neurons, showings of the movie, frames in the movie.
    rate : float
        Imaging and movie frames per second.
    movie_shape : (h, w)
        Movie frame in pixels; one pixel is one degree of visual angle.
    field_shape : (Y, X)
        Field of view in pixels.
    cell_diameter : float
        Mean soma diameter in pixels.
    mean_rate : float
        Geometric mean of the firing rates in spikes/s.
    stimulus_share : float
        Median over cells of the share of spikes the movie drives. The others
        are spontaneous.
    share_spread : float
        Standard deviation over cells of that share's logit: few reliable
        neurons, many unreliable ones (de Vries et al. 2020, Nat. Neurosci.
        23:138).
    gain_sd, private_gain_sd : float
        Standard deviation of the log gain shared by all cells and of each
        cell's own (Goris et al. 2014, Nat. Neurosci. 17:858).
    spontaneous_sd : float
        Standard deviation of the log spontaneous rate.
    spontaneous_rank : int
        Number of shared dimensions of spontaneous activity (Stringer et al.
        2019, Science 364:255).
    burstiness : float
        Squared coefficient of variation of the rate within 0.2 s: 0 is Poisson.
    imaging_noise : float
        Median over cells of the per-frame noise of dF/F, for traces made
        without pixels. With pixels it follows from `photons`.
    photons : float
        Detected photons per pixel and frame at a baseline of one.
    """

    seed: int = 0
    movie_seed: int = 0
    n_cells: int = 300
    n_repeats: int = 10
    n_movie_frames: int = 900
    rate: float = 30.0
    movie_shape: tuple[int, int] = (96, 128)
    field_shape: tuple[int, int] = (256, 256)
    cell_diameter: float = 10.5

    mean_rate: float = 1.2
    stimulus_share: float = 0.25
    share_spread: float = 2.0
    gain_sd: float = 0.15
    private_gain_sd: float = 0.25
    spontaneous_sd: float = 0.9
    spontaneous_rank: int = 16
    burstiness: float = 1.0
    imaging_noise: float = 0.03
    photons: float = 60.0

    def __post_init__(self) -> None:
        for name in ("n_cells", "n_repeats", "n_movie_frames"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"The simulation needs at least one of {name}, not "
                    f"{getattr(self, name)}."
                )
        if not self.rate > 0:
            raise InvalidInput(f"The frame rate must be positive, not {self.rate} Hz.")
        for name in ("movie_shape", "field_shape"):
            object.__setattr__(self, name, tuple(int(s) for s in getattr(self, name)))

    @classmethod
    def small(cls, seed: int = 0, **changes: Any) -> V1Movie:
        """Return a recording that is made in about a second, for tests."""
        return replace(
            cls(
                seed=seed,
                n_cells=40,
                n_repeats=4,
                n_movie_frames=150,
                field_shape=(64, 64),
                cell_diameter=7.0,
                stimulus_share=0.85,
            ),
            **changes,
        )

    @property
    def n_frames(self) -> int:
        """Imaging frames, T."""
        return self.n_repeats * self.n_movie_frames

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()
        }

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> V1Movie:
        """Read back what `to_json` gave; raises InvalidInput on unknown names."""
        unknown = sorted(set(settings) - {f.name for f in fields(cls)})
        if unknown:
            raise InvalidInput(
                f"The simulation has no setting {unknown[0]!r}; it was written by "
                "another version."
            )
        return cls(**settings)
