"""How well an attribution tells neurons that matter from those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from napari_cebra.recording import InvalidInput


@dataclass(frozen=True)
class Separation:
    """How a map separates entries that are truly connected from the others.

    Parameters
    ----------
    auc : float
        Area under the ROC curve: the chance that a connected entry has the
        higher value, ties counted half. 0.5 is guessing.
    mean_connected, mean_others : float
    gap : float
        Lowest connected less highest other value: above 0, a threshold tells
        them apart without an error.
    """

    auc: float
    mean_connected: float
    mean_others: float
    gap: float


def separation(values: np.ndarray, connected: np.ndarray) -> Separation:
    """Compare a map, such as `RoiAttribution.roi()`, with the truth.

    Parameters
    ----------
    values : array of float
        Strength of each connection, e.g. (N,) or (D, N).
    connected : array of bool
        Of the same shape: true where there is a connection.

    Raises
    ------
    InvalidInput
        If shapes disagree, or there are not entries of both kinds.
    """
    values, connected = np.asarray(values, float), np.asarray(connected)
    if values.shape != connected.shape or connected.dtype != bool:
        raise InvalidInput(
            f"The map has shape {values.shape}; the truth must be true or false for "
            f"each of its entries, not {connected.dtype} of shape {connected.shape}."
        )
    n = int(connected.sum())
    others = connected.size - n
    if n == 0 or others == 0:
        raise InvalidInput(
            "The truth must hold both connected and unconnected entries to be told "
            "apart; all are the same."
        )
    ranks = rankdata(values)[connected.ravel()]
    yes, no = values[connected], values[~connected]
    return Separation(
        auc=float((ranks.sum() - n * (n + 1) / 2) / (n * others)),
        mean_connected=float(yes.mean()),
        mean_others=float(no.mean()),
        gap=float(yes.min() - no.max()),
    )
