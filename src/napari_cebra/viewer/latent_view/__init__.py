"""The latents in three dimensions, beside the movie."""

from napari_cebra.viewer.latent_view.scene import LatentScene, Look
from napari_cebra.viewer.latent_view.view import LatentView

__all__ = ["LatentScene", "LatentView", "Look"]
