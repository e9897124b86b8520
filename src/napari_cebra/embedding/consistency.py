"""Consistency: how well one embedding predicts another by a linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.linear_model import LinearRegression

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


def consistency_score(
    embeddings: Sequence[Any],
    between: Literal["datasets", "runs"] | None = None,
    labels: Sequence[Any] | None = None,
    dataset_ids: Sequence[Hashable] | None = None,
    num_discretization_bins: int = 100,
    heldout: Sequence[Any] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how consistent embeddings are: R² of a linear map between each two.

    As published (Schneider, Lee & Mathis, Nature 2023), the map is fitted and
    scored on the same points, which favours many dimensions over few points;
    with `heldout` rows it is fitted on the others and scored on those.

    Parameters
    ----------
    embeddings : sequence of (T, D) arrays
        Numbers of dimensions may differ. Rows with NaN are left out between
        data sets.
    between : {"runs", "datasets"}
        "runs": several trainings on one recording, compared row by row.
        "datasets": different recordings, compared at equal values of their
        labels: mean embedding in each of ``num_discretization_bins - 1`` bins
        that all labels share, divided by its length.
    labels : sequence of (T,) arrays
        One per embedding, for "datasets" only.
    dataset_ids : sequence, optional
        Recording of each embedding, for "datasets" only; embeddings of one
        recording are not compared with each other. Default: all different.
    num_discretization_bins : int
        Edges of the bins, from the lowest to the highest label.
    heldout : sequence of (T,) bool, optional
        Per embedding, the rows to score on.

    Returns
    -------
    scores : (P,) float
        R² (uniform average over dimensions) for each ordered pair of runs, or
        of data sets (then averaged over their embeddings).
    pairs : (P, 2)
        What each score is between. (The published function returns one pair
        per comparison, more than scores, where data sets repeat.)
    ids : array
        Runs 0, 1, …, or `dataset_ids`.

    Raises
    ------
    InvalidInput
        If there are fewer than two embeddings, lengths disagree, or labels are
        missing, superfluous or not one column.
    """
    points = [_array(embedding) for embedding in embeddings]
    if len(points) < 2:
        raise InvalidInput(
            f"Consistency compares at least 2 embeddings, not {len(points)}; fit more."
        )
    if between not in ("datasets", "runs"):
        raise InvalidInput(
            f"between must be 'datasets' or 'runs', not {between!r}; runs are several "
            "trainings on one recording."
        )
    held = _heldout(points, heldout)
    if between == "runs":
        if labels is not None or dataset_ids is not None:
            raise InvalidInput(
                "labels and dataset_ids have no meaning between runs of one recording; "
                "leave them out, or compare between='datasets'."
            )
        if len({len(p) for p in points}) > 1:
            raise InvalidInput(
                f"Runs of one recording must have equal numbers of rows, not "
                f"{[len(p) for p in points]}; compare between='datasets' instead."
            )
        ids = np.arange(len(points))
        fit = [p[~rows] for p, rows in zip(points, held, strict=True)]
        judged = fit
        if heldout is not None:
            judged = [p[rows] for p, rows in zip(points, held, strict=True)]
        names: list[Hashable] = list(range(len(points)))
    else:
        columns = _labels(points, labels)
        names = list(range(len(points)) if dataset_ids is None else dataset_ids)
        if len(names) != len(points) or len(set(names)) < 2:
            raise InvalidInput(
                f"There are {len(points)} embeddings of {len(set(names))} data sets "
                f"({len(names)} dataset_ids); give one id per embedding, of at least 2 "
                "data sets."
            )
        ids = np.array(names)
        edges = _edges(columns, num_discretization_bins)
        fit = _binned(points, columns, [~rows for rows in held], edges)
        judged = fit
        if heldout is not None:
            judged = _binned(points, columns, held, edges)
    scores = _pairwise(fit, judged, names)
    pairs = np.array([pair for pair, _ in scores])
    return np.array([score for _, score in scores]).squeeze(), pairs.squeeze(), ids


def _pairwise(
    fit: list[np.ndarray], judged: list[np.ndarray], names: list[Hashable]
) -> list[tuple[tuple[Hashable, Hashable], float]]:
    """Score every ordered pair of different names, averaged over its embeddings."""
    found: dict[tuple[Hashable, Hashable], list[float]] = {}
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            if name != other:
                found.setdefault((name, other), []).append(
                    _r2(fit[i], fit[j], judged[i], judged[j])
                )
    return [(pair, float(np.mean(each))) for pair, each in found.items()]


def _r2(
    x: np.ndarray, y: np.ndarray, x_judged: np.ndarray, y_judged: np.ndarray
) -> float:
    """R² of a linear map from x to y, on rows known in both."""
    known = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    both = np.isfinite(x_judged).all(axis=1) & np.isfinite(y_judged).all(axis=1)
    if known.sum() < 2 or both.sum() < 2:
        raise InvalidInput(
            "Two embeddings have fewer than two points in common to compare; use more "
            "rows, fewer bins, or recordings whose labels overlap."
        )
    line = LinearRegression().fit(x[known], y[known])
    return float(line.score(x_judged[both], y_judged[both]))


def _edges(labels: list[np.ndarray], n_bins: int) -> np.ndarray:
    if n_bins < 2:
        raise InvalidInput(f"num_discretization_bins must be at least 2, not {n_bins}.")
    low = min(float(column.min()) for column in labels)
    high = max(float(column.max()) for column in labels)
    return np.linspace(low, high, n_bins)


def _binned(
    points: list[np.ndarray],
    labels: list[np.ndarray],
    rows: list[np.ndarray],
    edges: np.ndarray,
) -> list[np.ndarray]:
    """Mean embedding in each bin of the label, divided by its length.

    An empty bin takes its neighbours within one, then within two bins; one
    that finds none is NaN, and left out of the comparison.
    """
    out = []
    for embedding, column, used in zip(points, labels, rows, strict=True):
        used = used & np.isfinite(embedding).all(axis=1)
        bin_of = np.digitize(column[used], edges)
        values = embedding[used]
        means = np.full((len(edges) - 1, embedding.shape[1]), np.nan)
        for number in range(1, len(edges)):
            for reach in range(3):
                near = np.abs(bin_of - number) <= reach
                if near.any():
                    means[number - 1] = values[near].mean(axis=0)
                    break
        out.append(means / np.linalg.norm(means, axis=1, keepdims=True))
    return out


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if array.ndim != 2:
        raise InvalidInput(
            f"An embedding must be a table of rows × dimensions, not shape "
            f"{array.shape}."
        )
    return array


def _labels(points: list[np.ndarray], labels: Sequence[Any] | None) -> list[np.ndarray]:
    if labels is None or len(labels) != len(points):
        raise InvalidInput(
            f"There are {len(points)} embeddings but "
            f"{0 if labels is None else len(labels)} sets of labels; between data "
            "sets, each embedding needs its labels."
        )
    columns = []
    for number, (embedding, given) in enumerate(zip(points, labels, strict=True)):
        column = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if column.ndim != 1 or column.dtype.kind not in "fiub":
            raise InvalidInput(
                f"The labels of embedding {number} must be one column of numbers, not "
                f"{column.dtype} of shape {column.shape}."
            )
        if len(column) != len(embedding):
            raise InvalidInput(
                f"Embedding {number} has {len(embedding)} rows but {len(column)} "
                "labels; give one label per row."
            )
        columns.append(column)
    return columns


def _heldout(
    points: list[np.ndarray], heldout: Sequence[Any] | None
) -> list[np.ndarray]:
    if heldout is None:
        return [np.zeros(len(p), bool) for p in points]
    masks = [np.asarray(mask, bool) for mask in heldout]
    if [len(mask) for mask in masks] != [len(p) for p in points]:
        raise InvalidInput(
            "heldout must hold one mask per embedding, with "
            f"{[len(p) for p in points]} rows, not {[len(mask) for mask in masks]}."
        )
    for number, mask in enumerate(masks):
        if mask.all() or not mask.any():
            raise InvalidInput(
                f"The heldout rows of embedding {number} are all or none of its rows; "
                "hold out some, and leave some to fit on."
            )
    return masks
