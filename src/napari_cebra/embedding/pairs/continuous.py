"""Positives whose variables are as far from the reference as time makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.pairs.nearest import Search, build_search, nearest
from napari_cebra.embedding.pairs.rows import Batch, Groups, Pool, Rows, check_length
from napari_cebra.embedding.pairs.time import has_partner
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, eq=False)
class ContinuousPairs:
    """The ``time_delta`` rule of Schneider, Lee & Mathis, Nature 2023.

    A difference Δ = y(k) − y(k − `time_offset`) is drawn from anywhere in the
    recording, and the positive of row i is the row whose variables are nearest
    to y(i) + Δ. Both rows of a difference lie in one stretch, equal values are
    drawn from at random, and no row is its own positive.

    Parameters
    ----------
    values : (T,) or (T, d) float
        The variables; NaN where unknown.
    time_offset : int
        Lag of the differences in frames.
    periods : tuple of (float or None), optional
        Per column, the length of one turn of a circular variable. Angles are
        added as angles; distances between them grow with the chord (with a
        single column: the arc).
    standardize : bool
        Divide each column by its SD over the rows used, so that variables in
        different units weigh the same.
    """

    values: np.ndarray
    time_offset: int = 10
    periods: tuple[float | None, ...] | None = None
    standardize: bool = False

    def bind(self, rows: Rows, device: torch.device) -> ContinuousSampler:
        """Return a sampler of the rows with known variables."""
        return _bind(self, None, rows, device)


@dataclass(frozen=True, eq=False)
class MixedPairs:
    """Like `ContinuousPairs`, with a positive of the reference's own class.

    Parameters
    ----------
    continuous : ContinuousPairs
    classes : (T,) int
        Class of each row; negative where unknown.
    """

    continuous: ContinuousPairs
    classes: np.ndarray

    def bind(self, rows: Rows, device: torch.device) -> ContinuousSampler:
        """Return a sampler of the rows with known variables and class."""
        return _bind(self.continuous, np.asarray(self.classes), rows, device)


@dataclass(frozen=True, eq=False)
class ContinuousSampler:
    """Draws of `ContinuousPairs` and `MixedPairs`.

    Values are kept in columns as given (angles in radians), and searched among
    the distinct points they make.
    """

    values: Tensor
    deltas: Tensor
    space: _Space
    search: Search
    groups: Groups
    pool: Pool

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self.pool.draw(n, generator)
        negative = self.pool.draw(n, generator)
        pick = torch.randint(
            len(self.deltas), (n,), generator=generator, device=self.deltas.device
        )
        query = self.space.points(self.values[reference] + self.deltas[pick])
        own = self.groups.group_of[reference]
        alone = self.groups.count[own] == 1
        found = nearest(self.search, query, torch.where(alone, own, -1), generator)
        positive = self.groups.draw(found, reference, generator)
        return Batch(reference, (positive,), negative)


@dataclass(frozen=True)
class _Space:
    """Columns of values → points in which Euclidean distance is searched."""

    circular: tuple[bool, ...]
    separation: float
    """Distance between classes (the last column, if > 0); beyond any other."""

    @property
    def period(self) -> float | None:
        """2π if the only column is an angle: then the search is on a circle."""
        return 2 * np.pi if self.circular == (True,) else None

    def points(self, columns: Tensor) -> Tensor:
        """Return (n, d') points of (n, d) columns."""
        if self.period is not None:
            return columns % self.period
        parts = []
        for j, circular in enumerate(self.circular):
            column = columns[:, j]
            parts += [column.cos(), column.sin()] if circular else [column]
        return torch.stack(parts, dim=1)


def _bind(
    pairs: ContinuousPairs, classes: np.ndarray | None, rows: Rows, device: torch.device
) -> ContinuousSampler:
    values = np.asarray(pairs.values, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    check_length(values, rows, "the continuous variable")
    known = np.asarray(np.isfinite(values).all(axis=1))
    if classes is not None:
        check_length(classes, rows, "the discrete variable")
        known = known & (classes >= 0)
    rows = rows.having(known)
    used = np.flatnonzero(rows.references)
    lagged = np.flatnonzero(has_partner(rows, pairs.time_offset))
    if used.size < 3 or lagged.size == 0:
        raise InvalidInput(
            f"Only {used.size} usable rows have a known variable, and none has one "
            f"{pairs.time_offset} frames later in the same stretch; use more rows or "
            "a smaller time offset."
            if lagged.size == 0
            else f"Only {used.size} usable rows have a known variable; use more rows."
        )
    periods = pairs.periods or (None,) * values.shape[1]
    if len(periods) != values.shape[1]:
        raise InvalidInput(
            f"There are {values.shape[1]} variables but {len(periods)} periods."
        )
    columns = np.where(known[:, None], values, 0.0)
    for j, period in enumerate(periods):
        if period is not None:
            columns[:, j] *= 2 * np.pi / period
        elif pairs.standardize:
            columns[:, j] /= columns[used, j].std() or 1.0
    if np.ptp(columns[used], axis=0).max() == 0:
        raise InvalidInput(
            "The variable has the same value in all usable rows, so there is nothing "
            "to learn from it; choose another variable or other rows."
        )
    separation = 0.0
    if classes is not None:
        # farther apart than any query can be from any point of its own class
        separation = 8.0 * float(np.abs(columns[used]).max()) * values.shape[1] + 8.0
        _, index = np.unique(classes[used], return_inverse=True)
        column = np.zeros(len(columns))
        column[used] = index * separation
        columns = np.column_stack([columns, column])
        periods = (*periods, None)
    space = _Space(tuple(period is not None for period in periods), separation)
    points = space.points(torch.as_tensor(columns[used])).numpy()
    distinct, group = np.unique(points, axis=0, return_inverse=True)
    if classes is not None:
        used, group, distinct = _with_partner_in_class(used, group, distinct)
    deltas = columns[lagged + pairs.time_offset] - columns[lagged]
    if classes is not None:
        deltas[:, -1] = 0.0
    mask = np.zeros(len(columns), bool)
    mask[used] = True
    kind = torch.float32 if device.type == "mps" else torch.float64
    return ContinuousSampler(
        values=torch.as_tensor(columns, device=device, dtype=kind),
        deltas=torch.as_tensor(deltas, device=device, dtype=kind),
        space=space,
        search=build_search(distinct, space.period, device),
        groups=Groups(used, group.ravel(), len(columns), device),
        pool=Pool(mask, device),
    )


def _with_partner_in_class(
    used: np.ndarray, group: np.ndarray, distinct: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave out classes of a single row, for which there is no other."""
    group = group.ravel()
    _, index, count = np.unique(
        distinct[group, -1], return_inverse=True, return_counts=True
    )
    keep = count[index] > 1
    if not keep.any():
        raise InvalidInput(
            "No class of the discrete variable has two usable rows, so there is no "
            "pair to learn from; choose another variable or more rows."
        )
    left, group = np.unique(group[keep], return_inverse=True)
    return used[keep], group, distinct[left]
