"""The recommended settings, complete, as the estimator's keywords."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.config import recommended as _chosen

_OF_A_RUN = {"seed", "device", "stop_iteration"}
"""Settings that belong to one run, not to a recommendation."""

TRAINING_PARAMETERS = tuple(
    field.name for field in fields(TrainConfig) if field.name not in _OF_A_RUN
)


def recommended(
    rate: float | None = None,
    n_neurons: int | None = None,
    n_rows: int | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """Return the settings the window starts from, as keywords of `CEBRA`.

    ``CEBRA(**{**recommended(rate=30), "output_dimension": 3})``

    Every training setting is named, as `CEBRA` has the published ones by
    default. Ties are settled at random and no row is paired with itself, as in
    the window. (`embedding.recommended` gives what differs from the defaults of
    `TrainConfig`.)

    Parameters
    ----------
    rate : float, optional
        Imaging frames per second.
    n_neurons, n_rows : int, optional
        Size of the recording.
    target : {"continuous", "circular", "discrete"}, optional
        Kind of the labels.
    """
    config = TrainConfig(**_chosen(rate, n_neurons, n_rows, target))
    settings = {name: getattr(config, name) for name in TRAINING_PARAMETERS}
    return {**settings, "break_ties": True, "exclude_self": True}
