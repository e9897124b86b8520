"""All that touches napari and Qt: adapters, latent view, plots, workers."""
