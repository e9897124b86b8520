"""The point under the mouse, by our own projection."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("napari")

from napari.components import Camera

from napari_cebra.viewer.latent_view.picking import CanvasView, inside, nearest
from napari_cebra.viewer.latent_view.procrustes import rotation_onto

SIZE = (400, 300)


def view(**camera) -> CanvasView:
    return CanvasView.of(Camera(**{"zoom": 50.0, **camera}), SIZE)


def test_straight_on_x_is_right_and_y_is_down():
    points = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], float)
    flat, depth = view().positions(points)
    assert flat.tolist() == [[200, 150], [250, 150], [200, 200], [200, 150]]
    assert depth[3] != depth[0]


def test_the_base_is_right_handed_and_orthonormal_at_any_angle():
    for angles in ((10, 20, 30), (-80, 45, 170)):
        found = view(angles=angles)
        base = np.stack([found.right, found.up, found.into])
        assert np.allclose(base @ base.T, np.eye(3), atol=1e-9)


def test_the_nearest_point_on_the_canvas_is_hit():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3))
    found = view(angles=(15, 40, -20))
    flat, _ = found.positions(points)
    alone = max(
        range(200),
        key=lambda i: np.sort(np.hypot(*(flat - flat[i]).T))[1],
    )
    assert nearest(found, points, flat[alone] + [2, -1], reach=6) == alone
    assert nearest(found, points, flat[alone] + [1000, 0], reach=6) == -1


def test_of_two_behind_one_another_the_front_one_is_hit():
    found = view()
    points = np.stack([found.into, -found.into])
    assert nearest(found, points, np.array([200, 150]), reach=6) == 1


def test_box_takes_what_is_in_it_whichever_way_it_is_drawn():
    found = view()
    points = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1]], float)
    corner, opposite = np.array([260, 160]), np.array([190, 140])
    assert inside(found, points, corner, opposite).tolist() == [0, 1]
    assert inside(found, points, opposite, corner).tolist() == [0, 1]


def test_procrustes_undoes_a_rotation():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3))
    turn = Rotation.random(random_state=0).as_matrix()
    assert np.allclose(points @ turn @ rotation_onto(points @ turn, points), points)


def test_procrustes_keeps_a_plane_in_its_plane():
    rng = np.random.default_rng(0)
    points = np.c_[np.zeros(50), rng.normal(size=(50, 2))]
    turn = np.eye(3)
    turn[1:, 1:] = [[0, 1], [-1, 0]]
    found = rotation_onto(points @ turn, points, flat=True)
    assert np.allclose(points @ turn @ found, points)
    assert found[0].tolist() == [1, 0, 0]
