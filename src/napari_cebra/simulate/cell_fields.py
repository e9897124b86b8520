"""Fields of cells with known masks, to judge how ROIs are found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.field_of_view import (
    MARGIN,
    FieldOfView,
    bleaching,
    draw_field_of_view,
    label_shapes,
    motion,
    neuropil_activity,
)
from napari_cebra.simulate.rendering import (
    COUNTS_PER_PHOTON,
    READ_NOISE,
    Scene,
    rendered,
)
from napari_cebra.simulate.v1 import simulate_v1

if TYPE_CHECKING:
    from napari_cebra.recording import RoiSet


@dataclass(frozen=True)
class CellField:
    """A field of spontaneously active cells above others that are out of focus.

    Parameters
    ----------
    seed : int
        Same seed, same movie, to the bit.
    n_cells : int
        Somata in focus: those to be found.
    n_hidden : int
        Somata above or below, blurred and dimmer, not to be found.
    shape : (Y, X)
        Field of view in pixels.
    cell_diameter : float
        Mean soma diameter in pixels.
    photons : float
        Detected photons per pixel and frame from the neuropil at rest.
    one_photon : bool
        Widefield: somata blurred by scattered light, under six times the light
        of a neuropil without texture, hidden somata blurred by a diameter.
    rate, seconds : float
        Imaging frames per second, and length.
    """

    seed: int = 0
    n_cells: int = 120
    n_hidden: int = 60
    shape: tuple[int, int] = (192, 192)
    cell_diameter: float = 10.5
    photons: float = 15.0
    one_photon: bool = False
    rate: float = 10.0
    seconds: float = 240.0


@dataclass(frozen=True, eq=False)
class SimulatedCells:
    """A movie and the masks of the cells in it.

    Parameters
    ----------
    movie : (T, Y, X) int16
    rate : float
    rois : RoiSet
        Each cell in focus: the pixels where it is the brightest and at least at
        0.45 of its peak.
    snr : (N,) float64
        Of each cell: its brightest pixel's light, at the 99.5th percentile of
        its activity over rest, per standard deviation of that pixel's noise in
        one frame. Above about one a person sees the cell light up.
    """

    movie: np.ndarray
    rate: float
    rois: RoiSet
    snr: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, Y, X)."""
        t, y, x = self.movie.shape
        return t, y, x

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel."""
        return self.movie.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames start to stop."""
        return self.movie[start:stop]


def simulate_cells(config: CellField | None = None) -> SimulatedCells:
    """Render a field of cells.

    Raises
    ------
    InvalidInput
        If so many cells do not fit.
    """
    config = CellField() if config is None else config
    rng = np.random.default_rng([config.seed, 0xCE])
    activity = simulate_v1(_activity(config, config.n_cells + config.n_hidden))
    dff = activity.true_dff
    field = _field(rng, config)
    scene = Scene(
        field,
        1 + dff,
        neuropil_activity(rng, field, dff, config.rate),
        motion(rng, activity.arousal, config.rate),
        bleaching(len(dff), config.rate),
        config.photons,
        config.seed,
    )
    movie = np.concatenate(list(rendered(scene, len(dff))))
    snr = _snr(field, dff[:, : config.n_cells], config.photons)
    return SimulatedCells(movie, config.rate, field.rois, snr)


def _activity(config: CellField, n_cells: int) -> V1Movie:
    return V1Movie(
        seed=config.seed,
        n_cells=n_cells,
        n_repeats=4,
        n_movie_frames=round(config.seconds * config.rate / 4),
        rate=config.rate,
        movie_shape=(48, 64),
        field_shape=config.shape,
        cell_diameter=config.cell_diameter,
    )


def _field(rng: np.random.Generator, config: CellField) -> FieldOfView:
    """Cells in focus first, then the hidden ones; ROIs of the first alone."""
    field = draw_field_of_view(rng, _activity(config, config.n_cells))
    sigma = config.cell_diameter * (0.25 if config.one_photon else 0.0)
    somata, neuropil = _blurred(field.somata, field, sigma), field.neuropil
    if config.one_photon:
        neuropil = 6 * _blurred(sparse.csr_matrix(neuropil.T), field, 3.0).toarray().T
    rois = label_shapes(_unit_peak(somata), _canvas(field), config.shape)
    centres = field.centres
    if config.n_hidden:
        below = draw_field_of_view(rng, _activity(config, config.n_hidden))
        defocus = config.cell_diameter * (1.0 if config.one_photon else 0.5)
        somata = sparse.hstack([somata, _blurred(below.somata, field, defocus)])
        centres = np.vstack([centres, below.centres])
    return replace(
        field,
        somata=sparse.csr_matrix(somata, dtype=np.float32),
        neuropil=neuropil.astype(np.float32),
        rois=rois,
        centres=centres,
    )


def _canvas(field: FieldOfView) -> tuple[int, int]:
    return field.shape[0] + 2 * MARGIN, field.shape[1] + 2 * MARGIN


def _blurred(
    images: sparse.csr_matrix, field: FieldOfView, sigma: float
) -> sparse.csr_matrix:
    """Blur each column, an image on the canvas; the light in all is kept."""
    if sigma == 0:
        return images
    columns = []
    for image in images.toarray().T:
        soft = ndimage.gaussian_filter(image.reshape(_canvas(field)), sigma)
        soft[soft < 1e-3 * soft.max()] = 0
        columns.append(sparse.csc_matrix(soft.reshape(-1, 1)))
    return sparse.csr_matrix(sparse.hstack(columns))


def _unit_peak(images: sparse.csr_matrix) -> sparse.csr_matrix:
    peak = images.max(axis=0).toarray().ravel()
    return sparse.csr_matrix(images @ sparse.diags(1 / peak))


def _snr(field: FieldOfView, dff: np.ndarray, photons: float) -> np.ndarray:
    n_cells = dff.shape[1]
    somata = field.somata[:, :n_cells].tocsc()
    brightest = np.asarray(somata.argmax(axis=0)).ravel()
    rest = np.asarray(field.somata.sum(axis=1)).ravel() + field.neuropil[0]
    signal = np.percentile(dff, 99.5, axis=0) * somata.max(axis=0).toarray().ravel()
    variance = photons * rest[brightest] * COUNTS_PER_PHOTON**2 + READ_NOISE**2
    return np.asarray(signal * photons * COUNTS_PER_PHOTON / np.sqrt(variance))
