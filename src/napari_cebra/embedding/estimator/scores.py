"""InfoNCE and goodness of fit of a fitted estimator, on any data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from napari_cebra.embedding.estimator.inputs import (
    as_array,
    check_finite,
    check_labels,
    is_sessions,
    numbered,
    read_labels,
    read_rows,
)
from napari_cebra.embedding.estimator.pairs import EveryRow
from napari_cebra.embedding.estimator.parameters import pairs_of
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.training import HYBRID_DIMENSIONS
from napari_cebra.recording import InvalidInput, complete_windows

if TYPE_CHECKING:
    from napari_cebra.embedding.estimator.cebra import CEBRA


@torch.no_grad()
def infonce_loss(
    cebra_model: CEBRA,
    X: Any,
    *y: Any,
    session_id: int | None = None,
    num_batches: int = 500,
    correct_by_batchsize: bool = False,
    trials: Any = None,
    valid: Any = None,
    random_state: int = 0,
) -> float:
    """Return InfoNCE (nats) of a fitted estimator on one recording.

    Pairs are drawn from these data as the estimator draws them, windows that
    are complete only; the rows are embedded once, and no gradient is kept.
    Held-out data that the estimator never saw say what carries over.

    Parameters
    ----------
    cebra_model : CEBRA
        Fitted.
    X : (T, N)
        Traces.
    *y : (T,) or (T, d)
        Labels of the kinds it was fitted with.
    session_id : int, optional
        Recording whose encoder is used, after a fit to several.
    num_batches : int
        Batches averaged over.
    correct_by_batchsize : bool
        Subtract the log of the batch size.
    trials, valid : (T,), optional
        As of `CEBRA.fit`.
    random_state : int
        Of the draws.

    Raises
    ------
    InvalidInput
        If the data do not fit the estimator.
    """
    check_is_fitted(cebra_model)
    if is_sessions(X):
        raise InvalidInput(
            "InfoNCE is computed for one recording at a time; pass one X and its "
            "session_id."
        )
    if correct_by_batchsize and cebra_model.batch_size is None:
        raise InvalidInput(
            "correct_by_batchsize needs a batch_size, but the estimator was fitted to "
            "all rows at once."
        )
    values = check_array(as_array(X), ensure_all_finite=False)
    (labels,) = numbered([read_labels(y, len(values))])
    encoder = cebra_model._encoder(session_id)
    known = cebra_model.label_types_
    if cebra_model.num_sessions_ is not None:
        known = [each[session_id] for each in known]
    check_labels(known, labels.types)
    segment = read_rows(len(values), trials, valid, None).segment
    check_finite("X", values, segment)
    complete = complete_windows(segment, *encoder.receptive_field)
    if not complete.any():
        raise InvalidInput(
            f"No stretch of X is as long as the encoder's window of "
            f"{sum(encoder.receptive_field)} rows."
        )
    latents = torch.from_numpy(encoder.transform(values, segment))
    rows, pairs = Rows(complete, segment), pairs_of(cebra_model, labels)
    sampler = pairs.bind(rows, torch.device("cpu"))
    n = cebra_model.batch_size
    if n is None:
        assert isinstance(pairs, EveryRow)
        n = pairs.count(rows)
    generator = torch.Generator().manual_seed(random_state)
    criterion = cebra_model.solver_.criterion.to("cpu")
    few = slice(0, HYBRID_DIMENSIONS)
    total = 0.0
    for _ in range(num_batches):
        batch = sampler.draw(n, generator)
        reference, negative = latents[batch.reference], latents[batch.negative]
        total += float(
            criterion(reference, latents[batch.positives[-1]], negative).total
        )
        if len(batch.positives) == 2:
            behavior = latents[batch.positives[0]][:, few]
            total += float(
                criterion(reference[:, few], behavior, negative[:, few]).total
            )
    criterion.to(cebra_model.device_)
    loss = total / num_batches
    if correct_by_batchsize:
        assert cebra_model.batch_size is not None
        loss -= math.log(cebra_model.batch_size)
    return loss


def goodness_of_fit_score(
    cebra_model: CEBRA,
    X: Any,
    *y: Any,
    session_id: int | None = None,
    num_batches: int = 500,
    trials: Any = None,
    valid: Any = None,
    random_state: int = 0,
) -> float:
    """Return the goodness of fit (bits) on one recording; see `infonce_loss`.

    0 is chance. Chance is that of the pairs drawn here, one recording; the
    published function takes that of all recordings fitted together.
    """
    loss = infonce_loss(
        cebra_model, X, *y, session_id=session_id, num_batches=num_batches,
        trials=trials, valid=valid, random_state=random_state,
    )  # fmt: skip
    if cebra_model.batch_size is None:
        raise InvalidInput(_FULL)
    return float(infonce_to_goodness_of_fit(loss, None, cebra_model.batch_size, 1))


def goodness_of_fit_history(model: CEBRA) -> np.ndarray:
    """Return the goodness of fit (bits) of each training batch, in order."""
    check_is_fitted(model)
    return np.asarray(
        infonce_to_goodness_of_fit(np.array(model.solver_.log["total"]), model)
    )


def infonce_to_goodness_of_fit(
    infonce: float | np.ndarray,
    model: CEBRA | None = None,
    batch_size: int | None = None,
    num_sessions: int | None = None,
) -> float | np.ndarray:
    """Turn InfoNCE (nats) into bits below chance, ``(ln(B S) - L) / ln 2``.

    Parameters
    ----------
    infonce : float or array
    model : CEBRA, optional
        Fitted; or give the batch size B and the number of recordings S.
    batch_size, num_sessions : int, optional

    Raises
    ------
    InvalidInput
        If both or neither are given, or the model was fitted to all rows at
        once.
    """
    if model is not None:
        if batch_size is not None or num_sessions is not None:
            raise InvalidInput(
                "Give either a model, or batch_size and num_sessions, not both."
            )
        check_is_fitted(model)
        batch_size, num_sessions = model.batch_size, model.num_sessions_ or 1
        if batch_size is None:
            raise InvalidInput(_FULL)
    if batch_size is None or num_sessions is None:
        raise InvalidInput(
            "Without a model, give both batch_size and num_sessions, which say what "
            "chance is."
        )
    return (np.log(batch_size * num_sessions) - infonce) * np.log2(np.e)


_FULL = (
    "The estimator was fitted to all rows at once (batch_size=None), for which "
    "goodness of fit is not defined as published; fit with a batch_size, or pass "
    "batch_size and num_sessions=1 to infonce_to_goodness_of_fit."
)
