"""The decoders of the published package, under their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Lasso
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from napari_cebra.decoding.knn import KnnDecoder, Neighbours
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Decoder(BaseEstimator):
    """What both decoders share: a score that fits the kind of target."""

    _discrete: bool

    def fit(self, X: Any, y: Any) -> Self:
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray:
        raise NotImplementedError

    def score(self, X: Any, y: Any) -> float:
        """Return how well the targets of X are predicted.

        Parameters
        ----------
        X : (n, D)
            Points.
        y : (n,) or (n, d)
            Their true targets.

        Returns
        -------
        float
            R² (uniform average over columns), or the share of rows decoded
            rightly where the targets are whole numbers. The published decoder
            gives R² for classes too, which depends on how they are numbered.
        """
        check_is_fitted(self)
        y, predicted = _array(y), self.predict(X)
        if self._discrete:
            return float(accuracy_score(y.ravel(), predicted.ravel()))
        return float(r2_score(y, predicted))


class KNNDecoder(_Decoder):
    """k nearest neighbours, as `cebra.KNNDecoder`.

    Float targets are averaged over the neighbours, whole numbers are voted
    on. Equally many votes, and equally distant neighbours, are settled at
    random from the seed; the published decoder favours the lowest class.

    Parameters
    ----------
    n_neighbors : int
        At most the number of rows fitted.
    metric : str
        "cosine", or any metric of `sklearn.neighbors.NearestNeighbors`.
    random_state : int
        Of ties.
    """

    def __init__(
        self, n_neighbors: int = 3, metric: str = "cosine", random_state: int = 0
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> KNNDecoder:
        """Keep (n, D) points and their (n,) or (n, d) targets.

        Raises
        ------
        InvalidInput
            If numbers of rows disagree, there are fewer rows than neighbours,
            or the targets are not numbers.
        """
        X, y = _points_and_targets(X, y)
        if not 1 <= self.n_neighbors <= len(X):
            raise InvalidInput(
                f"n_neighbors={self.n_neighbors} cannot be found among {len(X)} rows; "
                "use fewer neighbours or more rows."
            )
        self._discrete = y.dtype.kind in "iub"
        task = "class" if self._discrete else "regression"
        columns = y.reshape(len(y), -1).T if self._discrete else [y]
        self.decoders_ = [
            KnnDecoder(
                self.n_neighbors,
                task,  # type: ignore[arg-type]
                "uniform",
                n_candidates=1,
                seed=self.random_state,
            ).fit(X, column.astype(np.int64) if self._discrete else column)
            for column in columns
        ]
        self._one_column = y.ndim == 1
        # in random order, so that of equally distant rows none is favoured
        self._order = np.random.default_rng(self.random_state).permutation(len(X))
        self.neighbours_ = None
        if self.metric != "cosine":
            search = NearestNeighbors(n_neighbors=self.n_neighbors, metric=self.metric)
            self.neighbours_ = search.fit(X[self._order])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the (n,) or (n, d) targets decoded from (n, D) points."""
        check_is_fitted(self)
        points = _array(X)
        if self.neighbours_ is None:
            near = self.decoders_[0].neighbours(points)
        else:
            distance, index = self.neighbours_.kneighbors(points)
            near = Neighbours(self._order[index], distance)
        votes = [decoder.vote(near).value for decoder in self.decoders_]
        return votes[0] if not self._discrete or self._one_column else np.array(votes).T

    @staticmethod
    def iter_hyperparams() -> Iterator[dict[str, Any]]:
        """Yield the settings that the published package tries."""
        for root in range(1, 6):
            yield {"n_neighbors": root**2, "metric": "cosine"}


class L1LinearRegressor(_Decoder):
    """Linear regression with an L1 penalty, as `cebra.L1LinearRegressor`.

    Parameters
    ----------
    alpha : float
        Weight of the penalty, see `sklearn.linear_model.Lasso`.
    """

    _discrete = False

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> L1LinearRegressor:
        """Fit (n,) or (n, d) targets of (n, D) points.

        Raises
        ------
        InvalidInput
            If numbers of rows disagree, or the targets are not numbers.
        """
        X, y = _points_and_targets(X, y)
        self.model_ = Lasso(alpha=self.alpha).fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the targets decoded from (n, D) points."""
        check_is_fitted(self)
        return np.asarray(self.model_.predict(_array(X)))

    @staticmethod
    def iter_hyperparams() -> Iterator[dict[str, Any]]:
        """Yield the settings that the published package tries."""
        for alpha in (0.001, 0.01, 0.1, 1, 10, 100):
            yield {"alpha": alpha}


def _array(values: Any) -> np.ndarray:
    """Return an array; a PyTorch tensor is taken off its device."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _points_and_targets(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    X, y = _array(X), _array(y)
    if len(X) != len(y):
        raise InvalidInput(
            f"The decoder got {len(X)} points in X and {len(y)} targets in y; give one "
            "target per point."
        )
    if y.dtype.kind not in "fiub":
        raise InvalidInput(
            "The targets y must be numbers (floats, or whole numbers for classes), "
            f"not {y.dtype}."
        )
    return X, y
