"""Turning embeddings onto each other, and averaging them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK = 4096
"""Rows whose neighbours are held at a time."""

_TREE_DIMENSIONS = 8
_BLOCK_DISTANCES = 2**21


class OrthogonalProcrustesAlignment:
    """The rotation (or reflection) that brings one embedding onto another.

    Each row is paired with the `top_k` rows of the reference whose labels are
    nearest to its own; the orthogonal R minimises the summed squared distance
    of all pairs (Schönemann, Psychometrika 1966). As
    `cebra.data.helper.OrthogonalProcrustesAlignment`, in memory that does not
    grow with the product of the two lengths: neighbours are searched in a tree
    (or block by block), and only the D × D cross product is kept.

    Parameters
    ----------
    top_k : int
        Rows of the reference paired with each row.
    subsample : int, optional
        Use so many randomly drawn pairs instead of all.
    random_state : int
        Of that draw.
    """

    def __init__(
        self, top_k: int = 5, subsample: int | None = None, random_state: int = 0
    ) -> None:
        self.top_k = top_k
        self.subsample = subsample
        self.random_state = random_state
        self._transform: np.ndarray | None = None

    def fit(
        self, ref_data: Any, data: Any, ref_label: Any = None, label: Any = None
    ) -> OrthogonalProcrustesAlignment:
        """Find the rotation of `data` onto `ref_data`.

        Parameters
        ----------
        ref_data, data : (M, D), (N, D)
            Embeddings.
        ref_label, label : (M,) or (M, d), (N,) or (N, d), optional
            What says which rows belong together; without both, the row number,
            for embeddings of equal length.

        Raises
        ------
        InvalidInput
            If shapes disagree, labels are missing, or there are fewer
            reference rows than `top_k`.
        """
        reference, points = _columns(ref_data), _columns(data)
        given = [part is not None for part in (ref_label, label)]
        if not all(given) and (any(given) or len(reference) != len(points)):
            raise InvalidInput(
                f"The embeddings have {len(reference)} and {len(points)} rows; give "
                "both ref_label and label to say which belong together (or neither, "
                "for the same rows)."
            )
        if not any(given):
            ref_label = label = np.arange(len(points))
        theirs, ours = _columns(ref_label), _columns(label)
        for what, part, labels in (
            ("ref_data", reference, theirs),
            ("data", points, ours),
        ):
            if len(part) != len(labels):
                raise InvalidInput(
                    f"{what} has {len(part)} rows but {len(labels)} labels; give one "
                    "label per row."
                )
        if reference.shape[1] != points.shape[1]:
            raise InvalidInput(
                f"The embeddings have {reference.shape[1]} and {points.shape[1]} "
                "dimensions; only equal numbers can be turned onto each other."
            )
        if len(reference) < self.top_k:
            raise InvalidInput(
                f"The reference has {len(reference)} rows, fewer than top_k="
                f"{self.top_k}; use a smaller top_k."
            )
        times = self._drawn(len(points))
        cross = np.zeros((points.shape[1], points.shape[1]))
        for start, near in _neighbours(ours, theirs, self.top_k):
            rows = slice(start, start + len(near))
            paired = reference[near]
            if times is not None:
                paired = paired * times[rows, :, None]
            cross += points[rows].T @ paired.sum(axis=1)
        u, _, vt = np.linalg.svd(cross)
        self._transform = u @ vt
        return self

    def transform(self, data: Any) -> np.ndarray:
        """Return (N, D) data turned as `fit` found.

        Raises
        ------
        InvalidInput
            If `fit` was not called before.
        """
        if self._transform is None:
            raise InvalidInput(
                "The alignment has not been fitted yet; call fit before transform."
            )
        return _columns(data) @ self._transform

    def fit_transform(
        self, ref_data: Any, data: Any, ref_label: Any = None, label: Any = None
    ) -> np.ndarray:
        """Return `data` turned onto `ref_data`; parameters as of `fit`."""
        return self.fit(ref_data, data, ref_label, label).transform(data)

    def _drawn(self, n_rows: int) -> np.ndarray | None:
        """How often each (row, neighbour) pair counts; None for once."""
        pairs = n_rows * self.top_k
        if self.subsample is None or self.subsample > pairs:
            return None
        rng = np.random.default_rng(self.random_state)
        drawn = rng.integers(pairs, size=self.subsample)
        return np.bincount(drawn, minlength=pairs).reshape(n_rows, self.top_k)


def ensemble_embeddings(
    embeddings: Sequence[Any],
    labels: Sequence[Any] | None = None,
    post_norm: bool = False,
    n_jobs: int = 0,
) -> np.ndarray:
    """Return the mean of embeddings turned onto the first.

    As `cebra.data.helper.ensemble_embeddings`.

    Parameters
    ----------
    embeddings : sequence of (T, D)
        Of the same rows.
    labels : sequence, optional
        Of each embedding, to align by; default the row number.
    post_norm : bool
        Divide each row of the mean by its length.
    n_jobs : int
        Taken for compatibility; an alignment is too quick to be shared out.

    Raises
    ------
    InvalidInput
        If shapes or numbers disagree.
    """
    points = [_columns(embedding) for embedding in embeddings]
    if len({p.shape for p in points}) != 1:
        raise InvalidInput(
            "Only embeddings of the same rows and dimensions can be averaged, not of "
            f"shapes {[p.shape for p in points]}."
        )
    keys = [None] * len(points) if labels is None else list(labels)
    if len(keys) != len(points):
        raise InvalidInput(
            f"There are {len(points)} embeddings but {len(keys)} sets of labels; give "
            "one for each."
        )
    align = OrthogonalProcrustesAlignment()
    total = points[0].astype(np.float64)
    for embedding, key in zip(points[1:], keys[1:], strict=True):
        total += align.fit_transform(points[0], embedding, keys[0], key)
    mean = total / len(points)
    if post_norm:
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    return mean


def _neighbours(
    ours: np.ndarray, theirs: np.ndarray, k: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row of each block, and its (n, k) nearest reference rows."""
    if theirs.shape[1] <= _TREE_DIMENSIONS:
        tree = cKDTree(theirs)
        for start in range(0, len(ours), _BLOCK):
            block = ours[start : start + _BLOCK]
            yield start, tree.query(block, k=list(range(1, k + 1)))[1]
        return
    size = np.square(theirs).sum(axis=1)
    step = max(1, _BLOCK_DISTANCES // len(theirs))
    for start in range(0, len(ours), step):
        # without the length of our own row, which moves all its distances alike
        away = size - 2 * ours[start : start + step] @ theirs.T
        yield start, np.argpartition(away, k - 1, axis=1)[:, :k]


def _columns(values: Any) -> np.ndarray:
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    return array[:, None] if array.ndim == 1 else array
