"""The corrected movie: lazy, of the same type, its edges as stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_cebra.io import stack_from_array
from napari_cebra.pipeline.motion import corrected_stack
from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.traces import extract
from napari_cebra.traces.motion import (
    CorrectedFrames,
    Motion,
    MotionQuality,
    MotionSettings,
    register,
)
from napari_cebra.traces.motion.corrected import moved, warped

from ..conftest import run
from .conftest import MovedStack, filmed, walk

QUALITY = MotionQuality(0.0, 1.0, 1.0, 2.0, 10)


def motion(shifts: np.ndarray, shape=(20, 30), **others) -> Motion:
    n = len(shifts)
    return Motion(
        np.asarray(shifts, float),
        np.zeros(n, bool),
        *(np.ones(n) for _ in range(2)),
        np.zeros(shape, np.float32),
        shape,
        QUALITY,
        **others,
    )


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8", "f2", "f4"])
@pytest.mark.parametrize("compiled", [True, False], ids=["numba", "scipy"])
def test_between_pixels_it_is_linear_interpolation(rng, dtype, compiled) -> None:
    frames = rng.integers(0, 200, (6, 20, 30)).astype(dtype)
    shifts = [(0, 0), (1, -2), (0.25, 0.5), (-3.5, 7.25), (40, -2), (-0.1, -60.5)]
    found = moved(frames, np.array(shifts), compiled)
    assert found.dtype == frames.dtype
    for frame, shift, seen in zip(frames, shifts, found, strict=True):
        exact = ndimage.shift(
            frame.astype(float), -np.array(shift), order=1, mode="nearest"
        )
        if frames.dtype.kind == "f":
            np.testing.assert_allclose(seen, exact, rtol=2e-3)
        else:
            assert np.abs(seen - exact).max() <= 0.5001


@pytest.mark.parametrize("compiled", [True, False], ids=["numba", "scipy"])
def test_a_grid_of_equal_shifts_is_one_shift(rng, compiled) -> None:
    frames = rng.integers(-500, 3000, (3, 20, 30)).astype(np.int16)
    shifts = np.array([(0.5, -1.25), (3.0, 2.0), (0.0, 0.0)])
    grid = np.broadcast_to(shifts[:, None, None], (3, 2, 3, 2)).copy()
    places = np.linspace(0, 1, 20), np.linspace(0, 2, 30)
    found = warped(frames, grid, *places, compiled)
    expected = moved(frames, shifts)
    assert np.abs(found.astype(int) - expected).max() <= 1  # rounding of halves
    np.testing.assert_array_equal(found[1:], expected[1:])


def test_both_ways_of_warping_agree(rng) -> None:
    frames = rng.normal(100, 20, (3, 20, 30)).astype(np.float32)
    grid = rng.normal(0, 3, (3, 3, 4, 2))
    places = np.linspace(0, 2, 20), np.linspace(0, 3, 30)
    np.testing.assert_allclose(
        warped(frames, grid, *places, True),
        warped(frames, grid, *places, False),
        rtol=1e-4,
    )


def test_whole_pixels_leave_every_value_as_it_was(rng) -> None:
    frames = rng.integers(0, 60000, (4, 20, 30)).astype(np.uint16)
    whole = MotionSettings(interpolation="nearest")
    shifts = np.array([(0.4, 1.6), (-2.2, 0), (0, 0), (5, -5)])
    seen = CorrectedFrames(MovedStack(frames), motion(shifts, settings=whole))
    np.testing.assert_array_equal(seen.read(0, 1)[0, :, :-2], frames[0, :, 2:])
    np.testing.assert_array_equal(seen.read(1, 2)[0, 2:], frames[1, :-2])
    np.testing.assert_array_equal(seen.read(2, 3)[0], frames[2])
    # The border is repeated where the frame does not reach.
    np.testing.assert_array_equal(
        seen.read(3, 4)[0, -5:, 5:], np.repeat(frames[3, -1:, :-5], 5, axis=0)
    )


def test_margins_say_how_far_frames_do_not_reach() -> None:
    assert motion([(0, 0), (2.5, -1), (-0.5, 0)]).margins == (1, 3, 1, 0)
    blocks = np.zeros((3, 2, 2, 2), np.float32)
    blocks[1, 0, 1] = 4.2, 0
    place = np.array([5.0, 15.0])
    of_blocks = motion(
        np.zeros((3, 2)), blocks=blocks, block_rows=place, block_columns=place
    )
    assert of_blocks.margins == (0, 5, 0, 0)


def test_a_nan_stays_one_pixel_where_nothing_moves(rng) -> None:
    frames = rng.normal(size=(1, 20, 30)).astype(np.float32)
    frames[0, 5, 6] = np.nan
    assert np.isnan(moved(frames, np.zeros((1, 2)))).sum() == 1


def test_blocks_of_frames_equal_single_frames(still) -> None:
    frames = filmed(still, 128, walk(12, 4), photons=20)
    stack = MovedStack(frames)
    settings = MotionSettings("piecewise", block_px=64, device="cpu")
    seen = CorrectedFrames(stack, run(register(stack, settings))[1])
    whole = seen.read(0, 12)
    single = np.concatenate([seen.read(t, t + 1) for t in range(12)])
    np.testing.assert_array_equal(whole, single)
    assert whole.dtype == frames.dtype and seen.shape == frames.shape


def test_traces_are_those_of_the_tissue(still) -> None:
    """A cell that does not change is a flat trace once motion is undone."""
    true = walk(60, 5)
    stack = MovedStack(filmed(still, 128, true, photons=200))
    found = run(register(stack, MotionSettings(device="cpu")))[1]
    corrected = CorrectedFrames(stack, found)
    y, x = np.indices((10, 10)).reshape(2, -1)
    centres = [(30, 40), (60, 60), (90, 30), (50, 90), (80, 80)]
    rois = RoiSet.from_masks([(y + a, x + b, None) for a, b in centres], (128, 128))
    raw = run(extract(stack, rois, neuropil=False))[1].raw.values
    mended = run(extract(corrected, rois, neuropil=False))[1].raw.values
    assert (mended.std(axis=0) < 0.4 * raw.std(axis=0)).all()


def test_motion_of_another_stack_is_refused() -> None:
    stack = MovedStack(np.zeros((5, 20, 30), np.int16))
    with pytest.raises(InvalidInput, match="estimate it again"):
        CorrectedFrames(stack, motion(np.zeros((6, 2))))


def test_settings_come_back_from_json() -> None:
    settings = MotionSettings("piecewise", 12.0, "um", 1.5, block_px=96)
    assert MotionSettings.from_json(settings.to_json()) == settings
    assert settings.max_shift_px((512, 400)) == 8.0
    assert replace(settings, max_shift=1e3).max_shift_px((512, 400)) == 200


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"kind": "elastic"}, "kind must be one of rigid, piecewise"),
        ({"max_shift": 0.7}, "at most 0.5"),
        ({"max_shift": -1}, "max_shift must be a number from"),
        ({"max_shift": 5.0, "max_shift_unit": "um"}, "width of a pixel"),
        ({"block_px": 64.5}, "block_px must be a whole number"),
        ({"smooth_px": float("nan")}, "smooth_px must be"),
        ({"kind": "piecewise", "interpolation": "nearest"}, "tear the picture"),
    ],
)
def test_settings_out_of_range_are_named(wrong, text) -> None:
    with pytest.raises(InvalidInput, match=text):
        MotionSettings(**wrong)


def test_a_pixel_that_is_not_a_number_is_named_where_it_was_moved_to(rng) -> None:
    frames = rng.normal(100, 5, (10, 20, 30)).astype(np.float32)
    frames[4, 8, 8] = np.nan
    rois = RoiSet.from_labels(np.ones((20, 30), int))
    found = motion(np.tile((-1.0, 2.0), (10, 1)))
    still = corrected_stack(stack_from_array(frames), found)
    said = r"Frame 4 of the corrected movie has 1 pixel that is NaN .*y 9, x 6.*try"
    with pytest.raises(InvalidInput, match=said):
        run(extract(still, rois))
    with pytest.raises(InvalidInput, match=r"Frame 4 of the stack .*y 8, x 8"):
        run(extract(stack_from_array(frames), rois))
