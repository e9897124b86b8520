"""How much of an embedding comes from each ROI, ready to colour the ROIs by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cebra.pipeline.stage import fitted_values
from napari_cebra.recording import segments

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np

    from napari_cebra.embedding import AttributionConfig, RoiAttribution
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Progress, Recording


@dataclass(frozen=True, eq=False)
class RoiShares:
    """Share of each ROI in an embedding.

    Parameters
    ----------
    ids : (N,) int64
        ROIs, as in the Labels layer.
    share : (N,) float64
        Mean attribution over latents and training rows, 1 at the largest.
    attribution : RoiAttribution
        What the shares were made from, by latent.
    """

    ids: np.ndarray
    share: np.ndarray
    attribution: RoiAttribution


def roi_shares(
    recording: Recording,
    embedding: Embedding,
    config: AttributionConfig | None = None,
) -> Generator[Progress, None, RoiShares]:
    """Attribute an embedding to ROIs, over the rows that it was trained on.

    Parameters
    ----------
    recording : Recording
        The one that was embedded.
    embedding : Embedding
    config : AttributionConfig, optional
        Method and its settings; default the Jacobian.

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
        If the recording is not the one that was embedded.
    """
    from napari_cebra.embedding import attribute_rois

    split = embedding.split
    segment = split.refitting(segments(recording.trials, recording.valid))
    values = fitted_values(recording, split.refit)
    found = yield from attribute_rois(
        embedding.encoder, values, segment, config, split.refit
    )
    by_roi = found.roi()
    largest = by_roi.max()
    share = by_roi / largest if largest > 0 else by_roi
    return RoiShares(recording.roi_ids, share, found)
