"""k-nearest-neighbour decoding of a point by the training points around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_cebra.recording import InvalidInput

Task = Literal["index", "regression", "angle", "class"]
Weighting = Literal["auto", "uniform", "distance"]

_BLOCK_BYTES = 64 * 2**20  # of similarities held at a time
_EXACT_BELOW = 512  # dimensions in which float64 costs next to nothing


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a decoder says about Q points.

    Parameters
    ----------
    value : (Q,) or (Q, d)
        The decoded index, class, angle or value.
    candidates : (Q, c) int64
        Most likely indices or classes, best first, -1 where there are fewer;
        for regression and angle the nearest training rows (their position in
        what was fitted).
    weights : (Q, c) float32
        Share of the vote of each candidate.
    confidence : (Q,) float32
        From 0 to 1: share of the vote for the winner (index, class), mean
        resultant length of the neighbours (angle), or one minus their spread
        relative to the training values' (regression).
    """

    value: np.ndarray
    candidates: np.ndarray
    weights: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest training rows of Q points, nearest first."""

    rows: np.ndarray
    distance: np.ndarray


class KnnDecoder:
    """Cosine k-nearest-neighbour decoder.

    Equally distant neighbours and equal votes are settled at random, from the
    seed, so that no repeat and no low index is favoured. Similarities are
    computed in blocks, so memory stays bounded whatever the number of rows.

    Parameters
    ----------
    k : int
        Number of neighbours; limited to the number of training rows.
    task : {"index", "regression", "angle", "class"}
        Vote for a movie frame or a class, mean of a value, or circular mean.
    weighting : {"auto", "uniform", "distance"}
        How the neighbours are weighed. "auto" is equally for frames and classes,
        as in the published protocol, and by 1/distance for values and angles,
        where far neighbours would pull towards the mean.
    period : float
        One turn in the units of the target, for ``task="angle"``.
    n_candidates : int
        How many candidates a prediction keeps.
    seed : int
        For ties.
    """

    def __init__(
        self,
        k: int = 9,
        task: Task = "index",
        weighting: Weighting = "auto",
        period: float = 2 * np.pi,
        n_candidates: int = 5,
        seed: int = 0,
    ) -> None:
        if k < 1:
            raise InvalidInput(f"The number of neighbours must be at least 1, not {k}.")
        self.k = int(k)
        self.task = task
        self.weighting = weighting
        self.period = period
        self.n_candidates = n_candidates
        self.seed = seed

    def fit(self, latents: np.ndarray, y: np.ndarray) -> KnnDecoder:
        """Keep the training points and their targets.

        Parameters
        ----------
        latents : (n, D)
            Without NaN.
        y : (n,) or (n, d)
            Integers for "index" and "class".

        Raises
        ------
        InvalidInput
            If there are no points, NaN among them, or another number of targets.
        """
        unit = _unit(latents)
        y = np.asarray(y)
        if unit.shape[0] == 0 or unit.shape[0] != y.shape[0]:
            raise InvalidInput(
                f"The decoder got {unit.shape[0]} points and {y.shape[0]} targets to "
                "learn from; give one target per point, and at least one."
            )
        shuffled = np.random.default_rng(self.seed).permutation(unit.shape[0])
        self._order = shuffled
        self._unit = unit[shuffled]
        self._y = y
        return self

    def predict(self, latents: np.ndarray) -> Prediction:
        """Decode (Q, D) points, without NaN."""
        return self.vote(self.neighbours(latents))

    def neighbours(self, latents: np.ndarray, k: int | None = None) -> Neighbours:
        """Find the nearest training rows of (Q, D) points."""
        points = _unit(latents)
        if points.shape[1] != self._unit.shape[1]:
            raise InvalidInput(
                f"The decoder was fitted on points of {self._unit.shape[1]} "
                f"dimensions, not {points.shape[1]}."
            )
        n = self._unit.shape[0]
        k = min(self.k if k is None else k, n)
        rows = np.empty((points.shape[0], k), np.int64)
        distance = np.empty((points.shape[0], k), np.float64)
        block = max(1, _BLOCK_BYTES // (n * points.itemsize))
        for start in range(0, points.shape[0], block):
            span = slice(start, start + block)
            away = 1 - points[span] @ self._unit.T
            if k < n:
                near = np.argpartition(away, k - 1, axis=1)[:, :k]
            else:
                near = np.broadcast_to(np.arange(n), away.shape)
            found = np.take_along_axis(away, near, axis=1)
            order = np.argsort(found, axis=1, kind="stable")
            rows[span] = self._order[np.take_along_axis(near, order, axis=1)]
            distance[span] = np.take_along_axis(found, order, axis=1)
        return Neighbours(rows, np.clip(distance, 0, None))

    def vote(self, neighbours: Neighbours, k: int | None = None) -> Prediction:
        """Decode from neighbours already found, using the first k of them."""
        k = min(self.k if k is None else k, neighbours.rows.shape[1])
        rows = neighbours.rows[:, :k]
        weight = self._weigh(neighbours.distance[:, :k])
        if self.task in ("index", "class"):
            return self._most_votes(self._y[rows], weight)
        if self.task == "angle":
            return self._mean_angle(rows, weight)
        return self._mean(rows, weight)

    def _weigh(self, distance: np.ndarray) -> np.ndarray:
        votes = self.task in ("index", "class")
        if self.weighting == "uniform" or (self.weighting == "auto" and votes):
            weight = np.ones_like(distance)
        else:
            same = distance == 0
            weight = 1 / np.where(same, 1, distance)
            exact = same.any(axis=1)  # an identical point outvotes all others
            weight[exact] = same[exact]
        return weight / weight.sum(axis=1, keepdims=True)

    def _most_votes(self, codes: np.ndarray, weight: np.ndarray) -> Prediction:
        q, k = codes.shape
        order = np.argsort(codes, axis=1, kind="stable")
        codes = np.take_along_axis(codes, order, axis=1)
        weight = np.take_along_axis(weight, order, axis=1)
        group = np.zeros((q, k), np.int64)
        group[:, 1:] = np.cumsum(codes[:, 1:] != codes[:, :-1], axis=1)
        flat = (np.arange(q)[:, None] * k + group).ravel()
        votes = np.bincount(flat, weight.ravel(), minlength=q * k).reshape(q, k)
        label = np.full(q * k, -1, np.int64)
        label[flat] = codes.ravel()
        tie = np.random.default_rng([self.seed, 1]).random((q, k))
        best = np.lexsort((tie, -votes), axis=1)[:, : self.n_candidates]
        candidates = np.take_along_axis(label.reshape(q, k), best, axis=1)
        share = np.take_along_axis(votes, best, axis=1).astype(np.float32)
        return Prediction(
            candidates[:, 0],
            _padded(candidates, self.n_candidates, -1),
            _padded(share, self.n_candidates, 0),
            share[:, 0],
        )

    def _mean(self, rows: np.ndarray, weight: np.ndarray) -> Prediction:
        y = self._y.astype(np.float64)
        near = y[rows]
        w = weight if y.ndim == 1 else weight[..., None]
        value = (near * w).sum(axis=1)
        spread = (w * (near - value[:, None]) ** 2).sum(axis=1)
        total = y.var(axis=0)
        if y.ndim == 2:
            spread, total = spread.sum(axis=1), total.sum()
        relative = np.sqrt(spread / total) if total > 0 else np.zeros(len(rows))
        return self._nearest(value, rows, weight, np.clip(1 - relative, 0, 1))

    def _mean_angle(self, rows: np.ndarray, weight: np.ndarray) -> Prediction:
        turn = np.exp(2j * np.pi * self._y[rows] / self.period)
        mean = (turn * weight).sum(axis=1)
        value = np.mod(np.angle(mean) * self.period / (2 * np.pi), self.period)
        return self._nearest(value, rows, weight, np.abs(mean))

    def _nearest(
        self,
        value: np.ndarray,
        rows: np.ndarray,
        weight: np.ndarray,
        confidence: np.ndarray,
    ) -> Prediction:
        c = self.n_candidates
        return Prediction(
            value,
            _padded(rows[:, :c], c, -1),
            _padded(weight[:, :c].astype(np.float32), c, 0),
            confidence.astype(np.float32),
        )


def _unit(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points)
    if points.ndim != 2:
        raise InvalidInput(
            f"The decoder needs points of shape (rows, dimensions), not {points.shape}."
        )
    dtype = np.float64 if points.shape[1] <= _EXACT_BELOW else np.float32
    points = points.astype(dtype)
    if not np.isfinite(points).all():
        raise InvalidInput(
            "The decoder got points that are NaN or infinite; leave out the rows "
            "without an embedding."
        )
    norm = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(norm > 0, norm, 1)


def _padded(columns: np.ndarray, width: int, fill: float) -> np.ndarray:
    missing = width - columns.shape[1]
    if missing <= 0:
        return columns
    return np.pad(columns, ((0, 0), (0, missing)), constant_values=fill)
