"""What an attribution gives: per row, or summed up per ROI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.embedding.attribution.config import GRADIENTS, PARTS
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.embedding.attribution.config import AttributionConfig


def map_names(method: str, inverse: bool) -> tuple[str, ...]:
    """Return the published names of the maps of a method."""
    stem = "jf" if method == GRADIENTS[0] else method
    names = (stem, f"{stem}-convabs")
    return (*names, *(f"{name}-inv-svd" for name in names if inverse))


@dataclass(frozen=True, eq=False)
class Attribution:
    """Share of each neuron in each latent, row by row.

    Parameters
    ----------
    config : AttributionConfig
    rows : (R,) int64
        Rows of the traces, rising.
    maps : mapping of str to (R, D, N) float32
        By published name. ``jf`` (or the method's own name) is the mean over
        the frames of the window, ``jf-convabs`` the mean of absolute values,
        and with the gradient methods ``-inv-svd`` the transposed
        pseudo-inverse of each. ``-inv-lsq`` is the same matrix.
    """

    config: AttributionConfig
    rows: np.ndarray
    maps: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a map by its published name."""
        return _find(self.maps, name)

    def by_roi(self) -> RoiAttribution:
        """Sum up over rows."""
        maps = {
            name: np.abs(values).mean(axis=0, dtype=np.float64)
            for name, values in self.maps.items()
        }
        return RoiAttribution(self.config, len(self.rows), maps)


@dataclass(frozen=True, eq=False)
class RoiAttribution:
    """Share of each neuron in each latent, over all rows asked for.

    Parameters
    ----------
    config : AttributionConfig
    n_rows : int
    maps : mapping of str to (D, N) float64
        Mean over rows of the absolute values; names as in `Attribution`.
    """

    config: AttributionConfig
    n_rows: int
    maps: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a map by its published name."""
        return _find(self.maps, name)

    @property
    def main(self) -> str:
        """Name of the map that says most of a neuron.

        The one of absolute values (``-convabs``), in which frames of opposite
        sign do not cancel; but of integrated gradients and SHAP, which give
        each frame its part of the whole, the other one: what a neuron adds is
        the sum of its parts, in which its noise cancels.
        """
        method = self.config.method
        return method if method in PARTS else map_names(method, False)[1]

    def roi(self, name: str | None = None, latents: slice = slice(None)) -> np.ndarray:
        """Return one number per ROI: the mean over latents.

        Parameters
        ----------
        name : str, optional
            Map; default `main`.
        latents : slice
            Latents to take, such as those of one objective.

        Returns
        -------
        (N,) float64
        """
        return self[name or self.main][latents].mean(axis=0)


def _find(maps: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    found = maps.get(name.replace("-inv-lsq", "-inv-svd"))
    if found is None:
        raise InvalidInput(
            f"There is no attribution map called {name!r}; this one holds "
            f"{', '.join(maps)}."
        )
    return found
