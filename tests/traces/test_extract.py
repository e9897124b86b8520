import sys
import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, Progress, RoiSet
from napari_cebra.traces import extract, neuropil_rings
from napari_cebra.traces.words import mask_words

from .conftest import ArrayStack, discs, run

MODULE = sys.modules["napari_cebra.traces.extract"]  # hidden by the function
SHAPE = (60, 75)
COMPILED = pytest.mark.parametrize("compiled", [True, False], ids=["numba", "scipy"])


def movie(rng, dtype, n=70):
    if np.dtype(dtype).kind == "f":
        return rng.normal(100, 30, (n, *SHAPE)).astype(dtype)
    info = np.iinfo(dtype)
    low, high = max(info.min, -30000), min(info.max, 65535)
    return rng.integers(low, high, (n, *SHAPE)).astype(dtype)


def dense(frames, pixels, weights, indptr):
    """Weighted means in float64, mask by mask."""
    flat = frames.reshape(len(frames), -1).astype(np.float64)
    means = []
    for start, stop in pairwise(indptr):
        w = weights[start:stop].astype(np.float64)
        means.append(flat[:, pixels[start:stop]] @ w / w.sum())
    return np.stack(means, axis=1)


@COMPILED
@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "<i2", "<u2", ">u2", ">i2", "i4", "u8", "f2", ">f4", "f8"]
)
def test_equals_a_dense_float64_reference(rng, dtype, compiled):
    centres = rng.integers(0, 60, (25, 2))
    rois = discs(SHAPE, centres, rng=rng)
    frames = movie(rng, dtype)
    _, found = run(extract(ArrayStack(frames), rois, compiled=compiled))
    expected = dense(frames, rois.pixels, rois.weights, rois.indptr)
    np.testing.assert_allclose(found.raw.values, expected, rtol=2e-7, atol=1e-6)
    rings = neuropil_rings(rois)
    expected = dense(frames, rings.pixels, np.ones(rings.pixels.size), rings.indptr)
    np.testing.assert_allclose(found.neuropil.values, expected, rtol=2e-7, atol=1e-6)
    wide = frames.astype(np.float64)
    np.testing.assert_allclose(found.mean_image, wide.mean(0), rtol=2e-7, atol=1e-6)
    np.testing.assert_array_equal(found.max_image, wide.max(0).astype(np.float32))
    np.testing.assert_allclose(found.frame_mean, wide.mean((1, 2)), rtol=1e-12)


def test_both_kernels_and_any_number_of_threads_give_the_same_bits(rng):
    frames = movie(rng, np.uint16)
    centres = rng.integers(4, 56, (30, 2))
    for rois in (discs(SHAPE, centres), discs(SHAPE, centres, rng=rng)):
        results = [
            run(extract(ArrayStack(frames), rois, threads=n, compiled=compiled))[1]
            for n, compiled in [(1, True), (3, True), (1, False)]
        ]
        for other in results[1:]:
            np.testing.assert_array_equal(
                results[0].neuropil.values, other.neuropil.values
            )
            np.testing.assert_array_equal(results[0].mean_image, other.mean_image)
            np.testing.assert_allclose(
                results[0].raw.values, other.raw.values, rtol=1.2e-7
            )


@COMPILED
def test_mixed_even_and_weighted_masks_keep_their_columns(rng, compiled):
    masks = []
    for k in range(6):
        y, x = np.nonzero(np.ones((4, 5)))
        weights = [None, rng.uniform(0.1, 2, 20), np.full(20, 0.3)][k % 3]
        masks.append((y + 8 * k, x + 9 * k, weights))
    rois = RoiSet.from_masks(masks, SHAPE)
    frames = movie(rng, np.int16)
    _, found = run(extract(ArrayStack(frames), rois, compiled=compiled))
    expected = dense(frames, rois.pixels, rois.weights, rois.indptr)
    np.testing.assert_allclose(found.raw.values, expected, rtol=2e-7)


def test_a_read_only_map_of_the_file_is_read(rng, tmp_path):
    frames = movie(rng, np.int16)
    np.save(tmp_path / "stack.npy", frames)
    rois = discs(SHAPE, [(30, 30)], rng=rng)
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    found = [run(extract(ArrayStack(a), rois))[1] for a in (mapped, frames)]
    np.testing.assert_array_equal(found[0].raw.values, found[1].raw.values)


def test_overlapping_pixels_count_for_both(rng):
    rois = discs(SHAPE, [(30, 30), (30, 30)])
    frames = movie(rng, np.int16)
    _, found = run(extract(ArrayStack(frames), rois))
    np.testing.assert_array_equal(found.raw.values[:, 0], found.raw.values[:, 1])
    assert found.raw.values.std() > 0


def test_full_uint16_columns_do_not_overflow():
    frames = np.full((3, 700, 8), 65535, np.uint16)
    _, found = run(extract(ArrayStack(frames), RoiSet.grid((700, 8), 700)))
    np.testing.assert_array_equal(found.raw.values, 65535)
    np.testing.assert_array_equal(found.mean_image, 65535)


def test_a_grid_covers_the_frame_and_has_no_neuropil(rng):
    frames = movie(rng, np.int16)
    rois = RoiSet.grid(SHAPE, 15)
    _, found = run(extract(ArrayStack(frames), rois))
    assert found.neuropil is None and found.rings is None
    np.testing.assert_allclose(found.raw.values.mean(1), found.frame_mean, rtol=1e-6)


def test_an_roi_without_room_has_neuropil_zero(rng):
    labels = np.ones(SHAPE, int)
    labels[:, 40:] = 2
    frames = movie(rng, np.int16)
    for compiled in (True, False):
        stack = ArrayStack(frames)
        _, found = run(extract(stack, RoiSet.from_labels(labels), compiled=compiled))
        np.testing.assert_array_equal(found.neuropil.values, 0)
        assert found.rings.short.all()


def test_reads_each_frame_once_and_reports(rng, monkeypatch):
    monkeypatch.setattr(MODULE, "BLOCK_FRAMES", 16)
    monkeypatch.setattr(MODULE, "REPORT_SECONDS", 0)
    stack = ArrayStack(movie(rng, np.int16))
    reports, found = run(extract(stack, discs(SHAPE, [(30, 30)])))
    assert stack.asked == [(0, 16), (16, 32), (32, 48), (48, 64), (64, 70)]
    assert reports[-1] == Progress(70, 70, "frames", "Extracting traces")
    expected = stack.array.astype(float).mean((1, 2))
    np.testing.assert_allclose(found.frame_mean, expected)


def test_stopping_ends_its_threads(rng, monkeypatch):
    monkeypatch.setattr(MODULE, "BLOCK_FRAMES", 8)
    monkeypatch.setattr(MODULE, "REPORT_SECONDS", 0)
    before = threading.active_count()
    stack = ArrayStack(movie(rng, np.int16))
    generator = extract(stack, discs(SHAPE, [(30, 30)]))
    next(generator)
    generator.close()
    assert threading.active_count() == before
    assert stack.asked[-1][1] < 70


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@COMPILED
def test_nan_pixels_are_named(rng, bad, compiled):
    frames = movie(rng, np.float32)
    frames[33, 12, 50] = bad
    with pytest.raises(InvalidInput, match=r"Frame 33 .* 1 pixel that .* y 12, x 50"):
        run(extract(ArrayStack(frames), discs(SHAPE, [(30, 30)]), compiled=compiled))


def test_a_file_that_ends_early_is_named(rng):
    stack = ArrayStack(movie(rng, np.int16))
    stack.shape = (90, *SHAPE)
    with pytest.raises(InvalidInput, match="truncated"):
        run(extract(stack, discs(SHAPE, [(30, 30)])))


def test_wrong_field_of_view_is_named(rng):
    stack = ArrayStack(movie(rng, np.int16))
    with pytest.raises(InvalidInput, match="60×75"):
        run(extract(stack, discs((75, 60), [(30, 30)])))


def test_a_stack_that_is_not_one_is_named(rng):
    rois = discs(SHAPE, [(30, 30)])
    with pytest.raises(InvalidInput, match=r"\(T, Y, X\)"):
        run(extract(ArrayStack(np.zeros((5, 5))), rois))
    with pytest.raises(InvalidInput, match="complex"):
        run(extract(ArrayStack(np.zeros((5, *SHAPE), complex)), rois))
    with pytest.raises(InvalidInput, match="at least 2"):
        run(extract(ArrayStack(np.zeros((1, *SHAPE))), rois))


def test_words_cover_a_mask_and_stay_within_a_frame():
    # Six int16 to a frame: words of 4 bytes, as one of 8 would span two frames.
    pixels, weights = np.array([1, 2, 3, 4]), np.array([0.5, 1, 2, 3], np.float32)
    words = mask_words(pixels, weights, np.array([0, 3, 3, 4]), 6, 2)
    assert words.type == "u4"
    assert words.at.tolist() == [0, 1, 2]
    assert words.weights.tolist() == [0, 0.5, 1, 2, 3, 0]
    assert words.indptr.tolist() == [0, 2, 2, 3]


@pytest.mark.parametrize("width", [1, 3, 6, 8, 20])
def test_any_size_of_frame_can_be_summed(rng, width):
    frames = rng.integers(-9, 9, (5, 3, width)).astype(np.int16)
    _, found = run(extract(ArrayStack(frames), RoiSet.grid((3, width), 1)))
    np.testing.assert_array_equal(found.raw.values, frames.reshape(5, -1))


def test_without_numba_scipy_is_used(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "napari_cebra.traces.kernels", None)
    from napari_cebra.traces.blocks import MaskSums

    rois = discs(SHAPE, [(30, 30)])
    sums = MaskSums(rois.pixels, rois.weights, rois.indptr, SHAPE)
    assert sums.kernels is None
    _, found = run(extract(ArrayStack(movie(rng, np.int16)), rois))
    assert found.raw.values.shape == (70, 1)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_memory_does_not_grow_with_the_stack(dtype):
    class Long(ArrayStack):
        def __init__(self, n):
            super().__init__(np.zeros((1, 512, 512), dtype))
            self.shape = (n, 512, 512)

        def read(self, start, stop):
            return np.zeros((stop - start, 512, 512), dtype)

    rois = RoiSet.grid((512, 512), 64)
    run(extract(Long(2), rois))  # compiling a kernel takes memory of its own
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # as on a busy computer: threads at odds
    tracemalloc.start()
    try:
        run(extract(Long(1500), rois))  # 0.4 to 1.6 GB
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        sys.setswitchinterval(interval)
    assert peak < 200e6
