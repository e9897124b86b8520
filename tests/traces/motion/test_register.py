"""Shifts that are known are found; frames that have none are marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.traces.motion import Motion, MotionSettings, register

from ..conftest import run
from .conftest import MovedStack, error, filmed, tissue, walk

CPU = MotionSettings(device="cpu")


def motion_of(frames: np.ndarray, settings: MotionSettings = CPU) -> Motion:
    return run(register(MovedStack(frames), settings))[1]


@pytest.fixture(scope="module")
def moved():
    return walk(60, 6)


@pytest.fixture(scope="module")
def bright(still, moved):
    """Sixty frames with a clear picture in each."""
    return filmed(still, 128, moved, photons=20)


@pytest.mark.parametrize(
    ("photons", "median"), [(20, 0.05), (5, 0.07), (2, 0.1)], ids=str
)
def test_known_shifts_are_found(still, moved, photons, median) -> None:
    found = motion_of(filmed(still, 128, moved, photons))
    off = error(found.shifts, moved)
    assert np.median(off) < median
    assert off.max() < 5 * median
    assert found.n_failed == 0


def test_no_worse_than_scikit_image(still, moved) -> None:
    from skimage.registration import phase_cross_correlation

    frames = filmed(still, 128, moved, photons=2)
    clean = filmed(still, 128, np.zeros((1, 2)), photons=1000)[0]
    theirs = [
        -phase_cross_correlation(clean, frame, upsample_factor=10)[0]
        for frame in frames
    ]
    ours = error(motion_of(frames).shifts, moved)
    assert np.median(ours) <= np.median(error(np.array(theirs), moved))


def test_direction_and_place_of_a_shift(still) -> None:
    moved = np.zeros((20, 2))
    moved[10:] = 3, -5
    found = motion_of(filmed(still, 128, moved, photons=20))
    step = found.shifts[10:].mean(axis=0) - found.shifts[:10].mean(axis=0)
    np.testing.assert_allclose(step, (3, -5), atol=0.1)


def test_a_correction_makes_frames_agree_and_their_mean_crisp(bright) -> None:
    quality = motion_of(bright).quality
    assert quality.correlation_after > quality.correlation_before + 0.1
    assert quality.crispness_ratio > 1.2
    assert quality.n_frames == 60


def test_the_same_stack_gives_the_same_bits(bright) -> None:
    first = run(register(MovedStack(bright), CPU, threads=1))[1]
    again = run(register(MovedStack(bright), CPU, threads=3))[1]
    np.testing.assert_array_equal(first.shifts, again.shifts)
    np.testing.assert_array_equal(first.confidence, again.confidence)


def test_piecewise_follows_a_warp_that_rigid_cannot(moved) -> None:
    size, still = 192, tissue(192, seed=3)
    rng = np.random.default_rng(4)
    y, x = np.indices((size, size)) / size
    # Tissue that is stretched and sheared by some pixels from side to side.
    part = rng.normal(0, 2, (40, 2, 1, 1)) * np.stack([x - 0.5, y - 0.5])
    warp = moved[:40, None, None] + np.moveaxis(part, 1, -1)
    frames = filmed(still, size, warp, photons=20)
    settings = replace(CPU, kind="piecewise", block_px=64)
    found = motion_of(frames, settings)
    rows = found.block_rows.round().astype(int)
    columns = found.block_columns.round().astype(int)
    true = warp[:, rows][:, :, columns]
    rigid = motion_of(frames)
    of_rigid = np.broadcast_to(rigid.shifts[:, None, None], true.shape)
    assert np.median(error(found.blocks, true)) < 0.15
    assert np.median(error(found.blocks, true)) < 0.5 * np.median(error(of_rigid, true))
    assert found.quality.crispness_after > rigid.quality.crispness_after


def test_a_blurred_background_needs_the_high_pass(still, moved) -> None:
    from scipy import ndimage

    glow = 6 * ndimage.gaussian_filter(still, 12)
    frames = filmed(0.6 * still, 128, moved, photons=20).astype(np.int32)
    frames += filmed(glow, 128, np.zeros((60, 2)), photons=20)
    plain = error(motion_of(frames).shifts, moved)
    passed = error(motion_of(frames, replace(CPU, high_pass_px=6.0)).shifts, moved)
    assert np.median(passed) < 0.2
    assert np.median(passed) < np.median(plain)


def test_smoothing_over_time_finds_slow_motion_in_the_dark(still) -> None:
    t = np.arange(80)
    slow = np.stack([4 * np.sin(t / 15), 4 * np.cos(t / 15)], axis=1)
    frames = filmed(still, 128, slow, photons=0.08)
    plain = error(motion_of(frames).shifts, slow)
    smoothed = error(motion_of(frames, replace(CPU, smooth_frames=2.0)).shifts, slow)
    assert np.median(smoothed) < 0.7 * np.median(plain)


def test_frames_without_a_picture_are_marked_and_filled(bright) -> None:
    frames = bright.copy()
    frames[10:13] = 100  # the shutter was closed
    frames[30] = np.random.default_rng(0).poisson(300, frames[30].shape)
    found = motion_of(frames)
    assert np.flatnonzero(found.failed).tolist() == [10, 11, 12, 30]
    between = np.interp([10, 11, 12], [9, 13], found.shifts[[9, 13], 0])
    np.testing.assert_allclose(found.shifts[10:13, 0], between)
    assert (found.correlation[10:13] == 0).all()


def test_a_shift_beyond_the_limit_is_marked(still) -> None:
    moved = np.zeros((30, 2))
    moved[5] = 0, 12
    moved[6] = 9, 0
    frames = filmed(still, 128, moved, photons=20)
    limited = replace(CPU, max_shift=8.0, max_shift_unit="px")
    assert np.flatnonzero(motion_of(frames, limited).failed).tolist() == [5, 6]
    wide = replace(CPU, max_shift=14.0, max_shift_unit="px")
    assert motion_of(frames, wide).n_failed == 0


def test_pixels_that_are_nan_do_not_matter(bright, moved) -> None:
    frames = bright.astype(np.float32)
    frames[:, :20, :20] = np.nan
    frames[7, 64, 64] = np.inf
    frames[20] = np.nan
    found = motion_of(frames)
    assert np.flatnonzero(found.failed).tolist() == [20]
    kept = ~found.failed
    assert np.median(error(found.shifts[kept], moved[kept])) < 0.1
    assert np.isfinite(found.quality.correlation_after)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">i2", "i4", "f2", "f4", "f8"])
def test_types_of_pixels(bright, dtype) -> None:
    scaled = (bright // 8).clip(0, 255)
    expected = motion_of(scaled.astype(np.int16)).shifts
    found = motion_of(scaled.astype(dtype)).shifts
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_it_can_be_followed_and_stopped(bright) -> None:
    closed = []

    class Watched(MovedStack):
        def read(self, start: int, stop: int) -> np.ndarray:
            assert not closed
            return super().read(start, stop)

    work = register(Watched(bright), CPU)
    reports = [next(work) for _ in range(3)]
    assert all(isinstance(report, Progress) for report in reports)
    work.close()
    closed.append(True)
    with pytest.raises(StopIteration):
        next(work)


@pytest.mark.parametrize(
    ("frames", "settings", "text"),
    [
        (np.ones((1, 64, 64)), {}, "1 frame, and motion is between frames"),
        (np.ones((9, 8, 64)), {}, "at least 16 × 16"),
        (np.ones((9, 64, 64), complex), {}, "numbers"),
        (np.full((9, 64, 64), 7), {}, "one brightness"),
        (np.full((9, 64, 64), np.nan), {}, "one brightness"),
        (np.eye(64)[None].repeat(9, 0), {"kind": "piecewise"}, "do not fit frames"),
        (np.eye(64)[None].repeat(9, 0), {"device": "abacus"}, "device 'abacus'"),
    ],
)
def test_what_cannot_be_registered_is_refused(frames, settings, text) -> None:
    with pytest.raises(InvalidInput, match=text):
        motion_of(frames, replace(CPU, **settings))


def test_noise_alone_is_refused() -> None:
    noise = np.random.default_rng(0).poisson(100, (40, 128, 128))
    with pytest.raises(InvalidInput, match="nothing in the frames stands out"):
        motion_of(noise)


def test_a_file_that_ends_early_is_named(bright) -> None:
    class Short(MovedStack):
        def read(self, start: int, stop: int) -> np.ndarray:
            return super().read(start, min(stop, 50))

    with pytest.raises(InvalidInput, match="truncated"):
        run(register(Short(bright), CPU))


@pytest.mark.real_data
def test_a_movie_without_motion_is_not_made_worse(real_data) -> None:
    from napari_cebra.io import open_stack

    folder = real_data / "thunder_mouse_s1"
    with open_stack(folder / "mouse_s1_2p_500x64x64_int16.tif") as stack:
        found = run(register(stack, CPU))[1]
    assert found.n_failed == 0
    assert np.abs(found.shifts).max() < 1.5
    assert found.quality.correlation_after > found.quality.correlation_before - 0.005
