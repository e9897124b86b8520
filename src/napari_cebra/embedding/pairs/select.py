"""From the variables a person chose to the pairs that are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cebra.embedding.pairs.continuous import ContinuousPairs, MixedPairs
from napari_cebra.embedding.pairs.discrete import DiscretePairs
from napari_cebra.embedding.pairs.hybrid import HybridPairs
from napari_cebra.embedding.pairs.movie import MoviePairs
from napari_cebra.embedding.pairs.time import TimePairs
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.embedding.pairs.rows import Pairs
    from napari_cebra.recording import Stimulus, Variable


def pairs_for(
    mode: Literal["time", "behavior", "hybrid"],
    variables: Sequence[Variable] = (),
    stimulus: Stimulus | None = None,
    time_offset: int = 10,
    max_frame_difference: int = 1,
    delta: float | None = None,
    prior: Literal["empirical", "uniform"] = "empirical",
    break_ties: bool = True,
    exclude_self: bool = True,
) -> Pairs:
    """Return the pairs of a mode.

    Parameters
    ----------
    mode : {"time", "behavior", "hybrid"}
        "time" uses no variable; "hybrid" adds time to behaviour.
    variables : sequence of Variable
        Any number of continuous and circular ones, and at most one discrete.
    stimulus : Stimulus, optional
        Pair rows by movie frame across repeats; used if `variables` is empty.
    time_offset : int
        Frames.
    max_frame_difference : int
        Movie frames that two rows of a pair may differ by.
    delta : float, optional
        SD of normal differences of continuous variables; see `ContinuousPairs`.
    prior : {"empirical", "uniform"}
        How often each class of a discrete variable is drawn.
    break_ties, exclude_self : bool
        False is what the reference package does; see `ContinuousPairs`.

    Raises
    ------
    InvalidInput
        If the mode needs a variable and there is none, or two are discrete.
    """
    if mode == "time":
        return TimePairs(time_offset)
    if mode not in ("behavior", "hybrid"):
        raise InvalidInput(f"Unknown mode {mode!r}; use time, behavior or hybrid.")
    if variables:
        rule = {
            "delta": delta,
            "break_ties": break_ties,
            "exclude_self": exclude_self,
        }
        behavior = _by_variables(variables, time_offset, prior, rule)
    elif stimulus is not None:
        behavior = _by_movie(stimulus, max_frame_difference)
    else:
        raise InvalidInput(
            f"The mode {mode!r} needs a variable or a stimulus movie to learn from; "
            "load one, or use the mode time."
        )
    return behavior if mode == "behavior" else HybridPairs(behavior, time_offset)


def _by_movie(stimulus: Stimulus, max_frame_difference: int) -> Pairs:
    if stimulus.repeats.size < 2:
        raise InvalidInput(
            "The movie was shown only once, so its frames cannot be paired across "
            "repeats; choose a variable, or the mode time."
        )
    return MoviePairs(stimulus.shown, stimulus.repeat, max_frame_difference)


def _by_variables(
    variables: Sequence[Variable],
    time_offset: int,
    prior: Literal["empirical", "uniform"],
    rule: dict[str, Any],
) -> Pairs:
    discrete = [v for v in variables if v.kind == "discrete"]
    graded = [v for v in variables if v.kind != "discrete"]
    if len(discrete) > 1:
        names = " and ".join(repr(v.name) for v in discrete)
        raise InvalidInput(
            f"Only one discrete variable can be used at a time, not {names}; leave "
            "one out, or join them into one."
        )
    if not graded:
        return DiscretePairs(discrete[0].values, prior, rule["exclude_self"])
    columns, periods = [], []
    for variable in graded:
        values = variable.values
        values = values[:, None] if values.ndim == 1 else values
        columns.append(values)
        periods += [variable.period] * values.shape[1]
    continuous = ContinuousPairs(
        np.concatenate(columns, axis=1),
        time_offset,
        tuple(periods),
        standardize=len(graded) > 1,
        **rule,
    )
    if not discrete:
        return continuous
    return MixedPairs(continuous, discrete[0].values, prior)
