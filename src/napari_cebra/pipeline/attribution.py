"""How much of an embedding comes from each ROI."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cebra.embedding.attribution.config import AttributionConfig
from napari_cebra.pipeline.stage import fitted_values
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Progress, Recording

RowChoice = Literal["training", "all", "selected"]

DEFAULT = AttributionConfig("feature-ablation", max_rows=1000)
"""Of the methods, ablation finds cells known to be tuned best (`bench/RESULTS.md`);
the shares over 500 rows of the built-in recording correlate with those over 2000 at
0.99."""


@dataclass(frozen=True, eq=False)
class RoiShares:
    """Share of each ROI in an embedding.

    Parameters
    ----------
    ids : (N,) int64
        ROIs, as in the Labels layer.
    by_latent : (D, N) float64
        Mean over rows of the absolute attribution; see `RoiAttribution.main`.
    config : AttributionConfig
    rows : {"training", "all", "selected"}
        Over which rows.
    n_rows : int
        How many those were.
    """

    ids: np.ndarray
    by_latent: np.ndarray
    config: AttributionConfig
    rows: RowChoice
    n_rows: int

    def share(self, latent: int | None = None) -> np.ndarray:
        """Return the share of each ROI in a latent, or in the mean of all.

        Returns
        -------
        (N,) float64
            They add up to 1; all 0 where nothing was attributed to any ROI.
        """
        found = (
            self.by_latent.mean(axis=0) if latent is None else self.by_latent[latent]
        )
        total = found.sum()
        return found / total if total > 0 else np.zeros_like(found)

    def columns(self) -> dict[str, np.ndarray]:
        """Return a table of a row per ROI: id, share, and share by latent (%).

        Method, rows and their number stand in each row, so that the table tells
        what it is of wherever it goes.
        """
        by_latent = {
            f"share_latent_{latent}_percent": 100 * self.share(latent)
            for latent in range(len(self.by_latent))
        }
        made_by: dict[str, np.ndarray] = {
            "method": np.full(self.ids.size, self.config.method),
            "rows": np.full(self.ids.size, self.rows),
            "n_rows": np.full(self.ids.size, self.n_rows),
        }
        share = 100 * self.share()
        return {"roi": self.ids, "share_percent": share, **by_latent, **made_by}

    def provenance(self) -> dict[str, Any]:
        """Return what the shares were made with, as JSON types."""
        return {
            "method": self.config.method,
            "settings": asdict(self.config),
            "rows": self.rows,
            "n_rows": self.n_rows,
            "n_latents": len(self.by_latent),
            "unit": "%",
        }


def roi_shares(
    recording: Recording,
    embedding: Embedding,
    config: AttributionConfig | None = None,
    rows: Literal["training", "all"] | np.ndarray = "training",
) -> Generator[Progress, None, RoiShares]:
    """Attribute an embedding to ROIs.

    Parameters
    ----------
    recording : Recording
        The one that was embedded.
    embedding : Embedding
    config : AttributionConfig, optional
        Method and its settings; default feature ablation of 1000 rows.
    rows : {"training", "all"} or (T,) bool
        Over the rows that the embedding was trained on, over all that have
        latents, or over these of them.

    Yields
    ------
    Progress
        In rows.

    Returns
    -------
    RoiShares

    Raises
    ------
    InvalidInput
        If the recording is not the one that was embedded, or no row is left.
    """
    from napari_cebra.embedding import attribute_rois

    split = embedding.split
    chosen: RowChoice = "selected"
    if isinstance(rows, str):
        chosen = rows
        rows = split.refit if rows == "training" else embedding.rows
    asked = embedding.rows & rows
    if not asked.any():
        raise InvalidInput(
            "None of the chosen rows has a latent; select others in the latent view, "
            "or take all rows."
        )
    config = DEFAULT if config is None else config
    segment = split.refitting(recording.stretches)
    values = fitted_values(recording, split.refit)
    found = yield from attribute_rois(embedding.encoder, values, segment, config, asked)
    by_latent = found[found.main]
    return RoiShares(recording.roi_ids, by_latent, config, chosen, found.n_rows)
