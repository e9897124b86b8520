"""Summary images of the stack, and a ring as wide as a cell, in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.widgets.detect_form import IMAGES

if TYPE_CHECKING:
    from napari_cebra.traces.detection import SummaryImages

_IMAGE, _RING = "Preview", "Cell diameter"


class DetectPreview:
    """Two layers of a viewer, put there and taken away again.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._image: Any = None
        self._ring: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether the image is in the viewer; a person may have removed it."""
        return self._image is not None and self._image in self._viewer.layers

    def show(self, images: SummaryImages, which: str, above: Any) -> None:
        """Show one of the images, directly above the layer of the stack."""
        layers = self._viewer.layers
        pixels = getattr(images, which)
        name = f"{_IMAGE}: {dict(IMAGES)[which]}"
        limits = _limits(pixels)
        if self.is_shown:
            self._image.data = pixels
            self._image.name = name
            self._image.contrast_limits_range = _limits(pixels, 0)
            self._image.contrast_limits = limits
        else:
            place: dict[str, Any] = {}
            if above is not None:
                place = {"scale": above.scale[-2:], "translate": above.translate[-2:]}
            self._image = self._viewer.add_image(
                pixels, name=name, contrast_limits=limits, **place
            )
            if above is not None:
                layers.move(layers.index(self._image), layers.index(above) + 1)
        self._image.visible = True
        self.show_diameter(images.diameter)

    def show_diameter(self, diameter: float) -> None:
        """Draw a ring of this many pixels, which can be dragged onto a cell."""
        if not self.is_shown:
            return
        if self._ring is None or self._ring not in self._viewer.layers:
            middle = (np.array(self._image.data.shape) - 1) / 2
            self._ring = self._viewer.add_points(
                middle[None],
                name=_RING,
                size=diameter,
                face_color="transparent",
                border_color="yellow",
                border_width=0.08,
                scale=self._image.scale,
                translate=self._image.translate,
            )
            self._ring.mode = "select"  # so that it can be dragged
        self._ring.size = diameter
        self._ring.refresh()

    def hide(self) -> None:
        """Take both layers out."""
        self._take_out(self._image)
        self._image = None
        self.hide_diameter()

    def hide_diameter(self) -> None:
        """Take the ring out: it has done its work."""
        self._take_out(self._ring)
        self._ring = None

    def _take_out(self, layer: Any) -> None:
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def _limits(pixels: np.ndarray, cut: float = 0.3) -> tuple[float, float]:
    low, high = np.percentile(pixels, [cut, 100 - cut])
    return float(low), float(max(high, low + 1e-6 * max(1.0, abs(low))))
