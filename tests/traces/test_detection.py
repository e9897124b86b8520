"""Cells found in simulated fields, where the truth is known."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from napari_cebra.pipeline import PipelineConfig, exhaust
from napari_cebra.recording import InvalidInput
from napari_cebra.simulate.cell_fields import CellField, simulate_cells
from napari_cebra.traces.detection import (
    DetectionSettings,
    cellpose_rois,
    detect,
    summary_images,
)
from napari_cebra.traces.detection.binning import binned_movie
from napari_cebra.traces.detection.contrast import neighbour_correlation
from napari_cebra.traces.detection.diameter import estimate_diameter
from napari_cebra.traces.detection.filters import blur, spread, step_noise, tiles

FIELD = CellField(
    seed=2, n_cells=25, n_hidden=8, shape=(96, 96), seconds=120.0, photons=20.0
)


class Frames:
    """An array that tells how often each frame was read."""

    def __init__(self, movie, rate=10.0):
        self.movie, self.rate = movie, rate
        self.shape, self.dtype = movie.shape, movie.dtype
        self.reads = np.zeros(len(movie), int)

    def read(self, start, stop):
        self.reads[start:stop] += 1
        return self.movie[start:stop]


@pytest.fixture(scope="module")
def field():
    return simulate_cells(FIELD)


@pytest.fixture(scope="module")
def found(field):
    return exhaust(detect(field))


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    return Frames(rng.poisson(80, (600, 64, 64)).astype(np.int16))


def masks_of(rois):
    return np.split(rois.pixels, rois.indptr[1:-1])


def f1(rois, truth):
    """Pair masks one to one; a pair counts from an IoU of 0.5 on."""
    iou = np.array(
        [
            [np.intersect1d(a, b).size / np.union1d(a, b).size for b in masks_of(truth)]
            for a in masks_of(rois)
        ]
    )
    pairs = linear_sum_assignment(-np.where(iou >= 0.5, iou, 0))
    return 2 * (iou[pairs] >= 0.5).sum() / sum(iou.shape)


@pytest.mark.parametrize("one_photon", [False, True])
def test_finds_the_cells_in_focus(field, found, one_photon):
    if one_photon:
        changes = {"one_photon": True, "photons": 100.0, "n_cells": 20}
        field = simulate_cells(replace(FIELD, **changes))
        found = exhaust(detect(field))
    assert np.median(field.snr) > 1.5
    assert f1(found.rois, field.rois) >= 0.9
    assert found.images.diameter == pytest.approx(FIELD.cell_diameter, rel=0.35)


def test_the_best_come_first_and_weights_are_shares(found):
    assert np.all(np.diff(found.quality) <= 0)
    candidates = found.candidates
    peaks = np.maximum.reduceat(candidates.weights, candidates.indptr[:-1])
    assert peaks == pytest.approx(np.ones(len(candidates)))
    np.testing.assert_array_equal(found.best(0.0, 5).ids, [1, 2, 3, 4, 5])
    assert len(found.best(0.9)) < len(found.best(0.0))


def test_reads_once_and_does_not_depend_on_threads(field, found):
    frames = Frames(field.movie)
    again = exhaust(detect(frames, threads=3))
    assert set(frames.reads) == {1}
    np.testing.assert_array_equal(again.candidates.pixels, found.candidates.pixels)
    np.testing.assert_array_equal(again.candidates.weights, found.candidates.weights)


def test_images_are_those_of_the_preview(field, found):
    images = exhaust(summary_images(field))
    for name in ("mean", "max", "std", "correlation", "peak_to_noise"):
        np.testing.assert_array_equal(
            getattr(images, name), getattr(found.images, name)
        )


def test_summary_images_equal_numpy(field):
    images = exhaust(summary_images(field))
    movie = field.movie.astype(np.float64)
    np.testing.assert_allclose(images.mean, movie.mean(0), rtol=1e-5)
    np.testing.assert_array_equal(images.max, movie.max(0))
    np.testing.assert_allclose(images.std, movie.std(0), rtol=1e-4)


@pytest.mark.parametrize(("n", "wide"), [(600, 5), (601, 5), (97, 1)])
def test_bins_hold_every_frame(n, wide):
    movie = np.random.default_rng(1).normal(1e4, 5, (n, 9, 8)).astype(np.float32)
    binned = exhaust(binned_movie(Frames(movie), DetectionSettings()))
    n_bins = n // wide
    edges = np.round(np.linspace(0, n, n_bins + 1)).astype(int)
    means = [movie[a:b].mean(0) for a, b in pairwise(edges)]
    expected = np.stack(means, -1) - movie.mean(0)[..., None]
    np.testing.assert_allclose(binned.movie, expected, atol=2e-2)
    assert binned.bin_frames == pytest.approx(n / n_bins)


def test_the_binned_movie_stays_below_its_limit(noise):
    settings = DetectionSettings(memory_mb=1.7, average_s=0.1)
    binned = exhaust(binned_movie(noise, settings))
    assert 100 <= binned.movie.shape[-1]
    assert binned.movie.nbytes <= 1.7 * 2**20
    hour = DetectionSettings().bin_width(108_000, 30.0, 4 * 512**2)
    assert 108_000 / hour * 4 * 512**2 <= 800 * 2**20


def test_nothing_is_found_in_noise(noise):
    found = exhaust(detect(noise, DetectionSettings(diameter=8)))
    assert len(found.candidates) == 0
    with pytest.raises(InvalidInput, match="lower the threshold"):
        _ = found.rois


def test_says_which_limit_left_all_out(found):
    strict = replace(found, quality=np.full(len(found.candidates), 0.2))
    with pytest.raises(InvalidInput, match="lower the least quality"):
        _ = strict.rois


def test_can_be_stopped_at_every_report(noise):
    reports = 0
    for _ in detect(noise):
        reports += 1
    for stop_at in range(reports):
        work = detect(noise)
        for _ in range(stop_at + 1):
            next(work)
        work.close()
        with pytest.raises(StopIteration):
            next(work)


def one_bad(movie):
    bad = movie.astype(np.float32)
    bad[40, 3, 5] = np.nan
    return bad


@pytest.mark.parametrize(
    ("make", "settings", "said"),
    [
        (one_bad, {}, "Frame 40 .*NaN"),
        (lambda movie: np.full_like(movie, 7), {}, "No pixel of the stack changes"),
        (lambda movie: movie[:10], {}, "10 frames, and at least 20"),
        (lambda movie: movie[:, :4], {}, "4×64 pixels"),
        (lambda movie: movie[:, 0], {}, "check its axes"),
        (lambda movie: movie, {"diameter": 40}, "too large .* at most 32"),
        (lambda movie: movie, {"diameter_um": 10}, "size of a pixel is not known"),
    ],
)
def test_bad_input_is_named(noise, make, settings, said):
    with pytest.raises(InvalidInput, match=said):
        exhaust(detect(Frames(make(noise.movie)), DetectionSettings(**settings)))


def test_a_dead_region_is_no_obstacle(field):
    movie = field.movie.copy()
    movie[:, :20] = 100
    found = exhaust(detect(Frames(movie)))
    assert len(found.rois) > 10
    assert found.rois.pixels.min() >= 20 * movie.shape[2]


def test_diameter_in_um(field, found):
    frames = Frames(field.movie)
    frames.pixel_um = (2.0, 2.0)
    given = exhaust(detect(frames, DetectionSettings(diameter_um=20.0)))
    assert given.images.diameter == 10.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"diameter": 1},
        {"diameter": float("nan")},
        {"threshold": 0},
        {"min_quality": 2},
        {"max_rois": 1.5},
        {"average_s": -1},
        {"method": "magic"},
        {"image": "mode"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        DetectionSettings(**wrong)


def test_settings_go_to_json_and_back():
    settings = DetectionSettings(diameter=9.5, threshold=6.0, max_rois=12)
    assert DetectionSettings.from_json(settings.to_json()) == settings
    config = PipelineConfig(detection=settings)
    assert PipelineConfig.from_json(config.to_json()) == config
    assert PipelineConfig.from_dict({}).detection == DetectionSettings()


@pytest.mark.parametrize("size", [7, 12, 21])
def test_diameter_of_discs(size):
    rng = np.random.default_rng(size)
    movie = rng.standard_normal((128, 128, 60), np.float32)
    y, x = np.mgrid[:128, :128]
    for bin_ in range(60):
        cy, cx = rng.uniform(25, 103, 2)
        movie[..., bin_] += 3 * (np.hypot(y - cy, x - cx) <= size / 2)
    assert estimate_diameter(movie) == pytest.approx(size, rel=0.15)


def test_neighbour_correlation_equals_numpy():
    movie = np.random.default_rng(3).standard_normal((4, 5, 50)).astype(np.float32)
    movie += movie[1, 2]
    movie -= movie.mean(-1, keepdims=True)
    at = neighbour_correlation(movie)
    near = [(y, x) for y in (0, 1, 2) for x in (1, 2, 3) if (y, x) != (1, 2)]
    expected = np.mean([np.corrcoef(movie[1, 2], movie[p])[0, 1] for p in near])
    assert at[1, 2] == pytest.approx(expected, abs=1e-5)
    expected = np.mean(
        [np.corrcoef(movie[0, 0], movie[p])[0, 1] for p in ((0, 1), (1, 0), (1, 1))]
    )
    assert at[0, 0] == pytest.approx(expected, abs=1e-5)


def test_noise_and_blur():
    values = np.random.default_rng(4).normal(0, 2, (3, 3, 4000))
    assert step_noise(values).mean() == pytest.approx(2, rel=0.15)
    slow = 20 * np.sin(np.arange(4000) / 300)
    assert step_noise(values + slow).mean() == pytest.approx(2, rel=0.15)
    assert spread(values + slow).mean() > 10
    flat = np.ones((12, 9, 2), np.float32)
    np.testing.assert_allclose(blur(flat, 2.0), flat, rtol=1e-6)


def test_tiles_cover_each_pixel_once():
    seen = np.zeros((50, 33), int)
    for tile in tiles(seen.shape, 16):
        seen[tile] += 1
    assert (seen == 1).all()


class FakeModel:
    def __init__(self, gpu=False):
        self.gpu = gpu

    def eval(self, image, diameter=None):
        self.seen = image, diameter
        labels = np.zeros(image.shape, np.uint16)
        labels[2:6, 3:7], labels[10:14, 3:9] = 1, 2
        return labels, None, None


def test_cellpose_outlines_become_rois(noise, monkeypatch):
    package, models = ModuleType("cellpose"), ModuleType("cellpose.models")
    package.models, models.CellposeModel = models, FakeModel
    monkeypatch.setitem(sys.modules, "cellpose", package)
    monkeypatch.setitem(sys.modules, "cellpose.models", models)
    settings = DetectionSettings(method="cellpose", image="max", diameter=5)
    found = exhaust(detect(noise, settings))
    np.testing.assert_array_equal(np.diff(found.rois.indptr), [16, 24])


def test_cellpose_sees_the_image_and_the_diameter():
    model, image = FakeModel(), np.zeros((20, 20))
    cellpose_rois(image, 8.0, lambda: model)
    assert model.seen == (image, 8.0)


def test_without_cellpose_says_how_to_install_it(noise, monkeypatch):
    monkeypatch.setitem(sys.modules, "cellpose", None)
    with pytest.raises(InvalidInput, match=r"pip install .napari-cebra\[cellpose\]"):
        exhaust(detect(noise, DetectionSettings(method="cellpose")))


def test_real_two_photon_movie(real_data):
    import tifffile

    path = real_data / "thunder_mouse_s1" / "mouse_s1_2p_500x64x64_int16.tif"
    movie = tifffile.imread(path)
    found = exhaust(detect(Frames(movie, rate=None)))
    np.testing.assert_allclose(found.images.mean, movie.mean(0), rtol=1e-5)
    assert found.images.diameter < 6  # its pixels were made as large as cells
    assert len(found.rois) > 5
