"""The estimator's parameters, as training takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from napari_cebra.embedding.architectures import receptive_field
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.estimator.pairs import EveryRow, published_pairs
from napari_cebra.embedding.masks import Masks
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.recommendation import TRAINING_PARAMETERS
from napari_cebra.recording import InvalidInput, complete_windows, segments

if TYPE_CHECKING:
    from napari_cebra.embedding.estimator.cebra import CEBRA
    from napari_cebra.embedding.estimator.inputs import Labels, Part
    from napari_cebra.embedding.pairs import Pairs


def check_parameters(estimator: CEBRA, callback: Any, every: int | None) -> None:
    """Raise InvalidInput where a parameter is none that can be trained with."""
    if estimator.optimizer != "adam":
        raise InvalidInput(
            f"optimizer must be 'adam', the only one offered, not "
            f"{estimator.optimizer!r}."
        )
    if str(estimator.criterion).lower() != "infonce":
        raise InvalidInput(f"criterion must be 'infonce', not {estimator.criterion!r}.")
    if every is not None and (callback is None or every < 1):
        raise InvalidInput(
            "callback_frequency must be at least 1, and needs a callback to call."
        )
    if estimator.batch_size is not None and estimator.batch_size < 2:
        raise InvalidInput(
            f"batch_size must be at least 2, or None for all rows, not "
            f"{estimator.batch_size!r}."
        )


def masks_of(estimator: CEBRA) -> Masks | None:
    """Return what is hidden of the training windows.

    Raises
    ------
    InvalidInput
        If `masking_kwargs` are not names of masks with their values.
    """
    try:
        given = dict(estimator.masking_kwargs or ())
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "masking_kwargs must be pairs of a mask and its value, such as "
            f'(("RandomNeuronMask", 0.3),), not {estimator.masking_kwargs!r}.'
        ) from error
    try:
        return Masks.of(given)
    except InvalidInput as error:
        raise InvalidInput(f"masking_kwargs: {error}") from error


def time_offset(estimator: CEBRA) -> int:
    """Return the rows from a reference to its positive in time."""
    offsets = np.atleast_1d(estimator.time_offsets)
    if offsets.size != 1 or offsets.dtype.kind not in "iu":
        raise InvalidInput(
            f"time_offsets must be one whole number of rows, not "
            f"{estimator.time_offsets!r}."
        )
    return int(offsets[0])


def draw_seed(estimator: CEBRA) -> int:
    """Return `random_state` as a number; another each time where there is none."""
    state = estimator.random_state
    if isinstance(state, int | np.integer) and not isinstance(state, bool):
        return int(state)
    return int(check_random_state(state).randint(2**31 - 1))


def pairs_of(estimator: CEBRA, labels: Labels) -> Pairs:
    """Return which rows of one recording belong together."""
    pairs = published_pairs(
        labels,
        estimator.conditional,
        time_offset(estimator),
        estimator.delta,
        estimator.hybrid,
        estimator.break_ties,
        estimator.exclude_self,
        estimator.label_periods,
    )
    return EveryRow(pairs) if estimator.batch_size is None else pairs


def config_of(
    estimator: CEBRA, read: list[Part], steps: int, seed: int, fresh: bool
) -> TrainConfig:
    """Return the settings of a training.

    Parameters
    ----------
    estimator : CEBRA
    read : list of Part
        The recordings.
    steps, seed : int
    fresh : bool
        Not one that goes on, with traces that are scaled already.
    """
    batch = estimator.batch_size
    if batch is None and len(read) > 1:
        batch = TrainConfig().batch_size  # of no account: all rows are taken
    elif batch is None:
        batch = _all_rows(estimator, read[0])
    settings = {name: getattr(estimator, name) for name in TRAINING_PARAMETERS}
    settings |= {
        "batch_size": batch,
        "max_iterations": steps,
        "time_offsets": time_offset(estimator),
        "seed": seed,
        "device": estimator.device,
    }
    if not fresh:
        settings |= {"standardize": False, "normalize_frames": False}
    return TrainConfig(**settings)


def _all_rows(estimator: CEBRA, part: Part) -> int:
    """Return how many rows of a recording can be references."""
    field = receptive_field(estimator.model_architecture, estimator.first_kernel)
    stretch = segments(part.rows.segment, part.rows.train)
    complete = complete_windows(stretch, *field)
    if not complete.any():
        raise InvalidInput(
            f"No stretch of X is as long as the encoder's window of {sum(field)} rows; "
            "use an encoder that sees fewer rows, or longer trials."
        )
    pairs = pairs_of(estimator, part.labels)
    assert isinstance(pairs, EveryRow)
    return max(2, pairs.count(Rows(complete, stretch)))
