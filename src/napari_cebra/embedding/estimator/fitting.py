"""What `fit` and `partial_fit` do: from arrays to trained encoders."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import ModuleList

from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder
from napari_cebra.embedding.estimator.inputs import (
    Offset,
    Part,
    check_labels,
    is_sessions,
    read_parts,
    sessions_of,
    table,
)
from napari_cebra.embedding.estimator.pairs import EveryRow, Mixing
from napari_cebra.embedding.estimator.parameters import (
    check_parameters,
    config_of,
    masks_of,
    pairs_of,
)
from napari_cebra.embedding.estimator.solver import (
    SolvedSessionTraining,
    SolvedTraining,
    Solver,
)
from napari_cebra.embedding.sessions import Session
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.encoder import Standardization
    from napari_cebra.embedding.estimator.cebra import CEBRA
    from napari_cebra.embedding.pairs import Pairs


def train(
    estimator: CEBRA,
    X: Any,
    labels: tuple[Any, ...],
    row_arguments: dict[str, Any],
    start: Solver | None,
    adapt: bool,
    callback: Callable[[int, Solver], object] | None,
    every: int | None,
) -> None:
    """Train, and set the estimator's fitted attributes.

    Parameters
    ----------
    estimator : CEBRA
    X, labels, row_arguments, callback, every
        Of `CEBRA.fit`.
    start : Solver, optional
        Where to go on from; None begins anew.
    adapt : bool
        Of `start` keep all layers but the first.
    """
    check_parameters(estimator, callback, every)
    fresh = start is None or adapt
    several = is_sessions(X)
    if several:
        parts = sessions_of(X, labels, row_arguments)
    else:
        values = table(estimator, X, fresh)
        parts = [(values, labels, row_arguments)]
    read = read_parts(parts, several)
    known = None
    if not fresh:
        _check_same(estimator, read, several)
        # the weights were learnt on traces scaled in this way
        known = [encoder.standardization for encoder in estimator.encoders_]
        read = [
            part._replace(values=_scaled(part.values, scale))
            for part, scale in zip(read, known, strict=True)
        ]
    steps = estimator.max_adapt_iterations if adapt else estimator.max_iterations
    seed = _seed(estimator, None if fresh else start)
    config = config_of(estimator, read, steps, seed, fresh)
    loop: Any = (_of_several if several else _of_one)(estimator, read, config)
    loop.begin(dict(estimator.optimizer_kwargs), start, adapt, callback, every)
    for report in loop.run():
        if estimator.verbose:
            print(
                f"\rstep {report.step}/{report.max_steps}  loss {report.loss:.4f}",
                end="" if report.step < report.max_steps else "\n",
                file=sys.stderr,
                flush=True,
            )
    model = loop.model()
    encoders = list(model.encoders) if several else [model]
    if known is not None:
        before = estimator.encoders_[0].config
        encoders = [
            Encoder(e.network, scale, before, e.training)
            for e, scale in zip(encoders, known, strict=True)
        ]
    _keep(estimator, loop, encoders, several, read)


def _of_one(estimator: CEBRA, read: list[Part], config: TrainConfig) -> SolvedTraining:
    (part,) = read
    rows, pairs = part.rows, pairs_of(estimator, part.labels)
    if config.mix_repeats:
        pairs = Mixing(pairs)
    return SolvedTraining(
        part.values,
        rows.segment,
        rows.train,
        rows.heldout,
        pairs,
        config,
        masks=masks_of(estimator),
    )


def _of_several(
    estimator: CEBRA, read: list[Part], config: TrainConfig
) -> SolvedSessionTraining:
    def pairs(part: Part) -> Pairs:
        found = pairs_of(estimator, part.labels)
        return found.pairs if isinstance(found, EveryRow) else found

    sessions = [
        Session(p.values, p.rows.segment, pairs(p), p.rows.train, p.rows.heldout)
        for p in read
    ]
    return SolvedSessionTraining(
        sessions,
        config,
        ties="random" if estimator.break_ties else "first",
        exclude_self=estimator.exclude_self,
        full_batch=estimator.batch_size is None,
        masks=masks_of(estimator),
    )


def _check_same(estimator: CEBRA, read: list[Part], several: bool) -> None:
    """Raise InvalidInput unless these are like the recordings fitted before."""
    before = [encoder.n_neurons for encoder in estimator.encoders_]
    now = [part.values.shape[1] for part in read]
    if several != (estimator.num_sessions_ is not None) or now != before:
        raise InvalidInput(
            "partial_fit goes on with the recordings it was fitted to, of "
            f"{before} features, not with {now}; use fit for others."
        )
    for k, part in enumerate(read):
        known = estimator.label_types_
        check_labels([t[k] for t in known] if several else known, part.labels.types)


def _seed(estimator: CEBRA, going_on: Solver | None) -> int:
    """Return the seed of a call: another for each, unless draws go on."""
    device = resolve_device(estimator.device)
    if not estimator._calls or (going_on is not None and going_on.draws_on(device)):
        return estimator._seed
    state = np.random.SeedSequence([estimator._seed, estimator._calls])
    return int(state.generate_state(1)[0])


def _scaled(values: np.ndarray, known: Standardization) -> np.ndarray:
    x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return known(x.to(known.mean.device)).cpu().numpy()


def _keep(
    estimator: CEBRA,
    loop: Any,
    encoders: list[Encoder],
    several: bool,
    read: list[Part],
) -> None:
    """Set what is fitted."""
    estimator.encoders_ = encoders
    networks = [encoder.network for encoder in encoders]
    estimator.model_ = ModuleList(networks) if several else networks[0]
    estimator.solver_ = loop.finished(estimator.model_)
    estimator.evaluations_ = loop.evaluations
    estimator.offset_ = Offset(*encoders[0].receptive_field)
    estimator.device_ = str(loop.device)
    estimator.solver_name_ = _solver_name(estimator, several)
    each = [part.labels.types for part in read]
    estimator.label_types_ = (
        [list(t) for t in zip(*each, strict=True)] if several else each[0]
    )
    widths = [encoder.n_neurons for encoder in encoders]
    estimator.n_features_ = widths if several else widths[0]
    estimator.n_features_in_ = estimator.n_features_
    estimator.num_sessions_ = len(encoders) if several else None
    estimator.n_negatives_ = loop.objective.n_negatives
    estimator._calls += 1


def _solver_name(estimator: CEBRA, several: bool) -> str:
    if several:
        return "multi-session"
    if estimator.batch_size is None:
        return "single-session-full"
    return "single-session-hybrid" if estimator.hybrid else "single-session"
