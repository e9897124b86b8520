"""Fields of cells whose masks are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput
from napari_cebra.simulate.cell_fields import CellField, simulate_cells

SMALL = CellField(n_cells=9, n_hidden=4, shape=(64, 64), seconds=12.0)


def test_same_seed_same_movie():
    first, again = simulate_cells(SMALL), simulate_cells(SMALL)
    np.testing.assert_array_equal(first.movie, again.movie)
    other = simulate_cells(replace(SMALL, seed=1))
    assert not np.array_equal(first.movie, other.movie)


def test_masks_are_those_of_the_cells_in_focus():
    made = simulate_cells(SMALL)
    assert made.shape == (120, 64, 64) == made.movie.shape
    assert len(made.rois) == made.snr.size == 9
    area = np.median(np.diff(made.rois.indptr))
    assert area == pytest.approx(np.pi / 4 * SMALL.cell_diameter**2, rel=0.25)
    np.testing.assert_array_equal(made.read(5, 9), made.movie[5:9])


def test_more_light_more_snr():
    dim, bright = (simulate_cells(replace(SMALL, photons=p)).snr for p in (2.0, 32.0))
    assert np.median(bright / dim) == pytest.approx(4, rel=0.15)


def test_widefield_is_blurred_under_more_background():
    two, one = (
        simulate_cells(replace(SMALL, one_photon=wide)) for wide in (False, True)
    )
    assert np.median(one.movie) > 3 * np.median(two.movie)
    assert np.median(one.snr) < np.median(two.snr)


def test_too_many_cells_are_refused():
    with pytest.raises(InvalidInput, match="do not fit"):
        simulate_cells(replace(SMALL, n_cells=400))
