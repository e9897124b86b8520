import importlib.metadata

import numpy as np
import pytest

from napari_cebra.simulate.movie import PHOTOGRAPHS, film_plan, natural_movie


@pytest.fixture(scope="module")
def movie():
    return natural_movie()


def test_shape_and_grey_levels(movie):
    assert movie.shape == (900, 96, 128)
    assert movie.dtype == np.uint8
    assert movie.std() > 40


def test_photographs_are_in_the_wheel():
    # RECORD lists what the wheel brought, not what was downloaded later.
    files = importlib.metadata.files("scikit-image")
    shipped = {f.name for f in files if f.parent.as_posix() == "skimage/data"}
    assert set(PHOTOGRAPHS) <= shipped


def test_amplitude_falls_as_one_over_frequency(movie):
    frames = movie[::9].astype(float)
    frames -= frames.mean((1, 2), keepdims=True)
    window = np.hanning(96)[:, None] * np.hanning(128)
    power = (np.abs(np.fft.fft2(frames * window, s=(128, 128))) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    edges = np.geomspace(0.02, 0.3, 12)
    band = np.digitize(frequency, edges)
    amplitude = [np.sqrt(power[band == k].mean()) for k in range(1, 12)]
    middle = np.sqrt(edges[1:] * edges[:-1])
    slope = np.polyfit(np.log(middle), np.log(amplitude), 1)[0]
    # Natural images: -0.8 to -1.5 (Torralba & Oliva 2003), less the pixels' blur.
    assert -1.5 < slope < -0.8


def test_cuts_are_where_the_plan_says_and_nowhere_else(movie):
    plan = film_plan(0, 900, 30.0, (96, 128))
    cuts = [shot.start for shot in plan[1:]]
    assert len(plan) >= 10
    change = np.abs(np.diff(movie.astype(float), axis=0)).mean((1, 2))
    found = np.sort(np.argsort(change)[-len(cuts) :] + 1)
    np.testing.assert_array_equal(found, cuts)


def test_every_frame_moves_and_moves_little(movie):
    cuts = {shot.start for shot in film_plan(0, 900, 30.0, (96, 128))}
    inside = [k for k in range(1, 900) if k not in cuts]
    frames = movie.astype(float)
    change = np.abs(frames[inside] - frames[np.array(inside) - 1]).mean((1, 2))
    assert change.min() > 0.2
    flat = frames.reshape(900, -1)
    alike = [np.corrcoef(flat[k], flat[k - 1])[0, 1] for k in inside[::5]]
    assert np.median(alike) > 0.85


def test_scenes_differ(movie):
    middles = [(s.start + s.stop) // 2 for s in film_plan(0, 900, 30.0, (96, 128))]
    alike = np.corrcoef(movie[middles].reshape(len(middles), -1))
    assert np.abs(alike[np.triu_indices(len(middles), 1)]).max() < 0.8


def test_camera_stays_inside_the_photograph():
    from napari_cebra.simulate.movie import _photograph

    shape = (96, 128)
    for shot in film_plan(3, 900, 30.0, shape):
        size = _photograph(shot.photograph).shape
        corners = 0.5 * np.array(
            [[-95, -127], [-95, 127], [95, -127], [95, 127]], float
        )
        for centre, scale, angle in zip(
            shot.centre, shot.scale, shot.angle, strict=True
        ):
            turn = np.array(
                [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            )
            at = centre + scale * corners @ turn.T
            assert (at >= -1).all() and (at <= np.array(size)).all()


def test_seed_decides():
    one = natural_movie(1, 60, 30.0, (48, 64))
    np.testing.assert_array_equal(one, natural_movie(1, 60, 30.0, (48, 64)))
    assert (one != natural_movie(2, 60, 30.0, (48, 64))).mean() > 0.5
