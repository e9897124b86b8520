"""What a person passes to the estimator, as arrays that fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from napari_cebra.recording import InvalidInput, segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.base import BaseEstimator


class Offset(NamedTuple):
    """Receptive field: row i sees the rows ``[i - left, i + right)``."""

    left: int
    right: int


class Labels(NamedTuple):
    """(T, d) float and (T,) int labels; None where there are none."""

    continuous: np.ndarray | None
    classes: np.ndarray | None
    types: list[tuple[np.dtype, tuple[int, ...]]]


class RowParts(NamedTuple):
    """Stretch of each row, rows to fit, and rows to judge by (or None)."""

    segment: np.ndarray
    train: np.ndarray
    heldout: np.ndarray | None


class Part(NamedTuple):
    """One recording, read."""

    values: np.ndarray
    labels: Labels
    rows: RowParts


def read_parts(
    given: Sequence[tuple[np.ndarray, tuple[Any, ...], dict[str, Any]]], several: bool
) -> list[Part]:
    """Return recordings with their labels and rows, checked against each other."""
    labels = numbered([read_labels(each, len(x)) for x, each, _ in given])
    parts = [
        Part(values, own, read_rows(len(values), **rows))
        for (values, _, rows), own in zip(given, labels, strict=True)
    ]
    for k, part in enumerate(parts):
        name = f"X[{k}]" if several else "X"
        check_finite(name, part.values, part.rows.segment)
    return parts


def check_finite(name: str, values: np.ndarray, segment: np.ndarray) -> None:
    """Raise InvalidInput if a usable row of (T, N) values is not finite in float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        # a row with a finite sum is finite; only the few others are looked at
        sums = values.sum(axis=1, dtype=np.float32)
        rows = np.flatnonzero(~np.isfinite(sums) & (segment >= 0))
        rows = rows[~np.isfinite(values[rows].astype(np.float32)).all(axis=1)]
    if rows.size:
        raise InvalidInput(
            f"{name} holds NaN or infinity (or what is too large for float32) in "
            f"{rows.size} rows (first: row {rows[0]}); leave those rows out with "
            "`valid`, or mend them."
        )


def check_labels(
    known: Sequence[tuple[np.dtype, tuple[int, ...]]],
    given: Sequence[tuple[np.dtype, tuple[int, ...]]],
) -> None:
    """Raise InvalidInput unless labels are of the kinds that were fitted."""
    before, now = _kinds(known), _kinds(given)
    if before != now:
        raise InvalidInput(
            f"The estimator was fitted with {before} but is given {now}; pass y of the "
            "same kinds as to fit, or fit anew."
        )


def _kinds(types: Sequence[tuple[np.dtype, tuple[int, ...]]]) -> str:
    found = [
        f"y[{k}] of floats of shape (T, {shape[1] if len(shape) > 1 else 1})"
        if kind.kind == "f"
        else f"y[{k}] of whole numbers"
        for k, (kind, shape) in enumerate(types)
    ]
    return " and ".join(found) or "no labels y"


def table(estimator: BaseEstimator, X: Any, reset: bool) -> np.ndarray:
    """Return X as a (T, N) float array, as scikit-learn reads it.

    Whether it is finite is for `check_finite`, which knows the rows.

    Parameters
    ----------
    estimator : BaseEstimator
        Keeps (`reset`) or compares the number and names of features.
    X
        As of `CEBRA.fit`.
    reset : bool
    """
    values: np.ndarray = validate_data(
        estimator,
        as_array(X),
        reset=reset,
        dtype=[np.float32, np.float64],
        ensure_min_samples=2 if reset else 1,
        ensure_all_finite=False,
    )
    return values


def sessions_of(
    X: Any, labels: tuple[Any, ...], rows: dict[str, Any]
) -> list[tuple[np.ndarray, tuple[Any, ...], dict[str, Any]]]:
    """Return data, labels and row arguments of each of several recordings.

    Raises
    ------
    InvalidInput
        If one of them is not a list with a part for each recording.
    """
    given = [part for part in labels if part is not None]
    named = {k: v for k, v in rows.items() if v is not None}
    for number, part in enumerate([*given, *named.values()]):
        if not isinstance(part, list | tuple) or len(part) != len(X):
            what = [f"y[{k}]" for k in range(len(given))] + list(named)
            raise InvalidInput(
                f"X is a list of {len(X)} recordings, so {what[number]} must be a "
                f"list of {len(X)} arrays."
            )
    return [
        (
            check_array(
                as_array(x),
                dtype=[np.float32, np.float64],
                ensure_min_samples=2,
                ensure_all_finite=False,
                input_name=f"X[{k}]",
            ),
            tuple(part[k] for part in given),
            {name: rows[name][k] if name in named else None for name in rows},
        )
        for k, x in enumerate(X)
    ]


def as_array(values: Any) -> Any:
    """Take a PyTorch tensor off its device; leave all else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def is_sessions(X: Any) -> bool:
    """Whether X is a list of 2-D arrays; nested numbers are one array."""
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(getattr(part, "ndim", 0) == 2 for part in X)
    )


def read_labels(given: tuple[Any, ...], n_rows: int) -> Labels:
    """Sort labels into continuous (floats) and discrete (whole numbers).

    Classes are as given; `numbered` makes of them what pairs take.

    Raises
    ------
    InvalidInput
        If lengths disagree, values are not finite, or two are discrete.
    """
    continuous: list[np.ndarray] = []
    classes: list[np.ndarray] = []
    types = []
    for number, part in enumerate(given):
        if part is None:
            continue
        label = np.asarray(as_array(part))
        if label.dtype.kind == "O":
            try:
                label = label.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise InvalidInput(
                    f"Labels y[{number}] are not numbers ({error}); pass floats, or "
                    "whole numbers for classes."
                ) from error
        if label.dtype.kind not in "fiub" or label.ndim not in (1, 2):
            raise InvalidInput(
                f"Labels y[{number}] must hold one number (or d numbers) per row of X, "
                f"not {label.dtype} of shape {label.shape}."
            )
        if len(label) != n_rows:
            raise InvalidInput(
                f"X has {n_rows} rows but labels y[{number}] have {len(label)}; give "
                "one per row."
            )
        types.append((label.dtype, label.shape))
        if label.dtype.kind == "f":
            bad = ~np.isfinite(label.reshape(n_rows, -1)).all(axis=1)
            if bad.any():
                raise InvalidInput(
                    f"Labels y[{number}] hold NaN or infinity (first: row "
                    f"{int(np.argmax(bad))}); leave those rows out with `valid`, and "
                    "put any number there."
                )
            continuous.append(label.reshape(n_rows, -1).astype(np.float64))
        else:
            if label.ndim == 2 and label.shape[1] != 1:
                raise InvalidInput(
                    f"Labels y[{number}] are whole numbers in {label.shape[1]} "
                    "columns; discrete labels must be one column (continuous ones: "
                    "floats)."
                )
            classes.append(label.reshape(n_rows).astype(np.int64))
    if len(classes) > 1:
        raise InvalidInput(
            f"{len(classes)} sets of labels are whole numbers; only one discrete label "
            "can be used at a time: join them into one, or pass floats."
        )
    return Labels(
        np.concatenate(continuous, axis=1) if continuous else None,
        classes[0] if classes else None,
        types,
    )


def numbered(labels: Sequence[Labels]) -> list[Labels]:
    """Return labels of several recordings with their classes numbered from 0.

    Equal ones are equal in all recordings. (To pairs a negative class is an
    unknown one; a person's may have any number.)
    """
    known = [part.classes for part in labels if part.classes is not None]
    names = np.unique(np.concatenate(known)) if known else None
    return [
        part
        if names is None or part.classes is None
        else part._replace(classes=np.searchsorted(names, part.classes))
        for part in labels
    ]


def read_rows(n_rows: int, trials: Any, valid: Any, validation: Any) -> RowParts:
    """Return stretches and row masks; each argument may be None.

    Raises
    ------
    InvalidInput
        If one does not have a value per row, or nothing is left to fit.
    """
    trial = _per_row("trials", trials, n_rows, np.zeros(n_rows, np.int64))
    usable = _per_row("valid", valid, n_rows, np.ones(n_rows, bool)).astype(bool)
    segment = segments(trial, usable)
    if validation is None:
        return RowParts(segment, usable, None)
    given = np.asarray(as_array(validation))
    held = np.zeros(n_rows, bool)
    if given.dtype == bool:
        held = _per_row("validation", given, n_rows, held)
    elif given.dtype.kind in "iu" and given.ndim == 1:
        if given.size and not -n_rows <= given.min() <= given.max() < n_rows:
            raise InvalidInput(
                f"validation names rows outside 0 to {n_rows - 1}; give row numbers of "
                "X, or one true or false per row."
            )
        held[given] = True
    else:
        raise InvalidInput(
            "validation must be a mask or row numbers, not "
            f"{given.dtype} of shape {given.shape}."
        )
    train = usable & ~held
    if not train.any() or not (held & usable).any():
        raise InvalidInput(
            "validation holds out all usable rows, or none; leave some to fit and some "
            "to judge by."
        )
    return RowParts(segment, train, held & usable)


def _per_row(name: str, given: Any, n_rows: int, default: np.ndarray) -> np.ndarray:
    if given is None:
        return default
    array = np.asarray(as_array(given))
    if array.shape != (n_rows,):
        raise InvalidInput(
            f"X has {n_rows} rows but {name} has shape {array.shape}; give one value "
            "per row."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise InvalidInput(
            f"{name} holds NaN (first: row {int(np.argmax(np.isnan(array)))}); give "
            "one number per row."
        )
    return array
