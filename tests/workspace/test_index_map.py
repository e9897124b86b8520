import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cebra.workspace import IndexMap

masks = st.lists(st.booleans(), min_size=1, max_size=300).map(np.array)


@given(masks, st.integers(1, 50))
def test_every_point_returns_to_itself(has_latent, max_points):
    axes = IndexMap(has_latent.size, has_latent=has_latent, max_points=max_points)
    assert axes.n_points == min(has_latent.sum(), max_points)
    assert axes.thinned == (has_latent.sum() > max_points)
    for point in range(axes.n_points):
        frame = axes.frame_of_point(point)
        assert has_latent[frame]
        assert axes.point_of_frame(frame) == point


@given(masks, st.integers(1, 50), st.data())
def test_point_of_a_frame_is_the_nearest(has_latent, max_points, data):
    axes = IndexMap(has_latent.size, has_latent=has_latent, max_points=max_points)
    frame = data.draw(st.integers(0, has_latent.size - 1))
    point = axes.point_of_frame(frame)
    if axes.n_points == 0:
        assert point == -1
    else:
        distance = np.abs(axes.point_frames - frame)
        assert distance[point] == distance.min()


@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=100))
@settings(max_examples=50)
def test_seconds_round_trip(steps):
    times = np.cumsum(steps)
    axes = IndexMap(times.size, frame_times=times)
    for frame in range(times.size):
        assert axes.frame_at(axes.seconds(frame)) == frame
        assert axes.frame_at(times[frame] + 1e-6 * min(steps)) == frame
    assert axes.frame_at(-1.0) == 0
    assert axes.frame_at(times[-1] + 100) == times.size - 1


def test_without_a_clock_seconds_are_unknown_and_frames_still_work():
    axes = IndexMap(10)
    assert axes.seconds(3) is None
    assert axes.frame_at(7) == 7
    assert axes.frame_at(99) == 9
    assert axes.stimulus_frame(3) == -1
    assert axes.frames_showing(3).size == 0


def test_stimulus_frames_map_to_every_showing():
    shown = np.array([-1, 0, 1, 2, 0, 1, 2, -1])
    axes = IndexMap(8, shown=shown)
    assert axes.frames_showing(1).tolist() == [2, 5]
    assert axes.frames_showing(-1).size == 0
    assert all(axes.stimulus_frame(f) == 1 for f in axes.frames_showing(1))


def test_points_of_frames_keeps_only_what_is_drawn():
    axes = IndexMap(6, has_latent=np.array([0, 1, 1, 0, 1, 1], bool))
    assert axes.points_of_frames(np.array([0, 2, 5])).tolist() == [1, 3]
