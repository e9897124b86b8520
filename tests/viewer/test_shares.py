"""ROIs are covered with the colour of their share, and have their own back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel

from napari_cebra.embedding import AttributionConfig
from napari_cebra.pipeline import RoiShares
from napari_cebra.viewer.adapters import RoiAdapter, ShareAdapter
from napari_cebra.viewer.adapters.shares import SHARES
from napari_cebra.workspace import Workspace


@pytest.fixture
def workspace(made):
    workspace = Workspace()
    workspace.set_recording(made.recording())
    return workspace


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def adapter(viewer, workspace):
    return ShareAdapter(viewer, workspace, RoiAdapter(viewer, workspace))


def shares_of(workspace):
    ids = workspace.recording.roi_ids
    by_latent = np.stack([np.arange(ids.size), np.ones(ids.size)]).astype(float)
    return RoiShares(ids, by_latent, AttributionConfig(), "all", 500)


def test_a_pixel_has_the_share_of_its_roi(viewer, workspace, adapter):
    workspace.set_shares(shares_of(workspace))
    assert adapter.can_show and not adapter.is_shown
    adapter.show(0)
    labels, image = adapter._rois.layer.data, adapter.layer.data
    share = 100 * workspace.shares.share(0)
    for roi in (1, 7, 12):
        np.testing.assert_allclose(image[labels == roi], share[roi - 1], rtol=1e-6)
    assert np.isnan(image[labels == 0]).all()
    assert adapter.layer.contrast_limits == pytest.approx([0, share.max()])
    assert adapter.layer.colormap.name == "CET-L6" and adapter.layer.colorbar.visible
    names = [layer.name for layer in viewer.layers]
    assert names.index(SHARES) == names.index("ROIs") + 1
    assert viewer.layers.selection.active.name == "ROIs", "still to be clicked on"
    adapter.show(1)
    assert np.nanmax(adapter.layer.data) == pytest.approx(100 / 12)
    assert len(viewer.layers) == len(names)


def test_their_own_colours_come_back(viewer, workspace, adapter):
    before = adapter._rois.layer.colormap
    told = []
    adapter.changed.connect(lambda: told.append(adapter.is_shown))
    workspace.set_shares(shares_of(workspace))
    adapter.show()
    adapter.hide()
    assert told[-1] is False and not adapter.layer.visible
    assert adapter._rois.layer.colormap is before
    adapter.show()
    adapter.layer.visible = False  # a person closes the eye in the layer list
    assert told[-1] is False
    adapter.show()
    viewer.layers.remove(adapter.layer)  # or throws the layer away
    assert told[-1] is False and adapter.layer is None
    adapter.show()
    assert adapter.is_shown


def test_painted_masks_are_followed(workspace, adapter):
    workspace.set_shares(shares_of(workspace))
    adapter.show()
    more = workspace.rois.with_mask(3, [0, 0], [0, 1]).with_mask(99, [47], [63])
    workspace.set_rois(more)
    share = 100 * workspace.shares.share()
    assert adapter.layer.data[0, 1] == pytest.approx(share[2])
    assert np.isnan(adapter.layer.data[47, 63]), "nothing is known of a new ROI"


def test_colours_go_with_the_embedding(viewer, workspace, adapter, made):
    workspace.set_shares(shares_of(workspace))
    adapter.show()
    workspace.set_embedding(made.embedding(workspace.recording))
    assert workspace.shares is None
    assert SHARES not in viewer.layers and not adapter.is_shown
    assert not adapter.can_show


def test_without_masks_there_is_nothing_to_colour(workspace, adapter):
    workspace.set_rois(None)
    workspace.set_shares(shares_of(workspace))
    adapter.show()
    assert not adapter.can_show and adapter.layer is None


def test_an_embedding_of_nothing_is_drawn_without_a_warning(workspace, adapter):
    ids = workspace.recording.roi_ids
    nothing = RoiShares(ids, np.zeros((2, 12)), AttributionConfig(), "all", 5)
    workspace.set_shares(nothing)
    adapter.show()
    assert adapter.layer.contrast_limits == [0, 1]
