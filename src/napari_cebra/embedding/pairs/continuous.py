"""Positives whose variables are as far from the reference as time makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.pairs.nearest import (
    DifferenceTable,
    Search,
    build_search,
    nearest,
)
from napari_cebra.embedding.pairs.rows import (
    Batch,
    ByClass,
    Groups,
    Pool,
    Rows,
    check_length,
)
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
    drawn from at random, and no row is its own positive. With `delta` it is the
    ``delta_normal`` rule: Δ is normal noise.

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
    delta : float or None
        SD of normal differences, in units of the variables (of their SD if
        they are standardised); None draws differences from the recording.
    break_ties : bool
        Draw from equally near rows; False takes the first, as the reference
        package does.
    exclude_self : bool
        No row is its own positive; False allows it, as the reference does.
    """

    values: np.ndarray
    time_offset: int = 10
    periods: tuple[float | None, ...] | None = None
    standardize: bool = False
    delta: float | None = None
    break_ties: bool = True
    exclude_self: bool = True

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
    prior : {"empirical", "uniform"}
        References as the classes occur, or each class equally often (as the
        reference package draws them).
    """

    continuous: ContinuousPairs
    classes: np.ndarray
    prior: Literal["empirical", "uniform"] = "empirical"

    def bind(self, rows: Rows, device: torch.device) -> ContinuousSampler:
        """Return a sampler of the rows with known variables and class."""
        classes = np.asarray(self.classes)
        sampler = _bind(self.continuous, classes, rows, device)
        if self.prior == "empirical":
            return sampler
        used = sampler.groups.members.cpu().numpy()
        _, group = np.unique(classes[used], return_inverse=True)
        by_class = ByClass(Groups(used, group, len(classes), device))
        return replace(sampler, pool=by_class)


@dataclass(frozen=True, eq=False)
class ContinuousSampler:
    """Draws of `ContinuousPairs` and `MixedPairs`.

    Values are kept in columns as given (angles in radians), and searched among
    the distinct points they make.
    """

    values: Tensor
    deltas: Tensor | None
    noise: Tensor
    space: _Space
    search: Search
    table: DifferenceTable | None
    groups: Groups
    pool: Pool | ByClass
    break_ties: bool
    exclude_self: bool

    def draw(self, n: int, generator: Generator) -> Batch:
        """Draw n references, their positives, and n negatives."""
        reference = self.pool.draw(n, generator)
        negative = self.pool.draw(n, generator)
        own = self.groups.group_of[reference]
        candidates = self._candidates(reference, own, generator)
        excluded = torch.full_like(own, -1)
        if self.exclude_self:
            excluded = torch.where(self.groups.count[own] == 1, own, excluded)
        order = None if self.break_ties else self.groups.first
        found = nearest(candidates, excluded, generator, order)
        positive = self.groups.draw(
            found, reference, generator, self.exclude_self, not self.break_ties
        )
        return Batch(reference, (positive,), negative)

    def _candidates(
        self, reference: Tensor, own: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        n, device = len(reference), self.noise.device
        columns = self.values[reference]
        if self.deltas is None:
            normal = torch.randn(
                columns.shape, generator=generator, device=device, dtype=columns.dtype
            )
            return self.search.candidates(
                self.space.points(columns + normal * self.noise)
            )
        pick = torch.randint(len(self.deltas), (n,), generator=generator, device=device)
        if self.table is not None:
            return self.table.candidates(own, pick)
        return self.search.candidates(self.space.points(columns + self.deltas[pick]))


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
    drawn = pairs.delta is None
    if pairs.delta is not None and not (0 < pairs.delta < np.inf):
        raise InvalidInput(
            f"The spread delta must be a number above 0, not {pairs.delta!r}; give it "
            "in units of the variable."
        )
    if used.size < 3 or (drawn and lagged.size == 0):
        raise InvalidInput(
            f"Only {used.size} usable rows have a known variable, and none has one "
            f"{pairs.time_offset} frames later in the same stretch; use more rows or "
            "a smaller time offset."
            if used.size >= 3
            else f"Only {used.size} usable rows have a known variable; use more rows."
        )
    periods = pairs.periods or (None,) * values.shape[1]
    if len(periods) != values.shape[1]:
        raise InvalidInput(
            f"There are {values.shape[1]} variables but {len(periods)} periods."
        )
    columns = np.where(known[:, None], values, 0.0)
    noise = np.full(values.shape[1], pairs.delta or 0.0)
    for j, period in enumerate(periods):
        if period is not None:
            columns[:, j] *= 2 * np.pi / period
            noise[j] *= 2 * np.pi / period
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
        noise = np.append(noise, 0.0)
        periods = (*periods, None)
    space = _Space(tuple(period is not None for period in periods), separation)
    points = space.points(torch.as_tensor(columns[used])).numpy()
    distinct, group = np.unique(points, axis=0, return_inverse=True)
    if classes is not None:
        used, group, distinct = _with_partner_in_class(used, group, distinct)
    mask = np.zeros(len(columns), bool)
    mask[used] = True
    kind = torch.float32 if device.type == "mps" else torch.float64
    deltas = table = None
    if drawn:
        difference = columns[lagged + pairs.time_offset] - columns[lagged]
        if classes is not None:
            difference[:, -1] = 0.0
        deltas = torch.as_tensor(difference, device=device, dtype=kind)
        if not any(space.circular):
            table = DifferenceTable.of(distinct, difference, device)
    return ContinuousSampler(
        values=torch.as_tensor(columns, device=device, dtype=kind),
        deltas=deltas,
        noise=torch.as_tensor(noise, device=device, dtype=kind),
        space=space,
        search=build_search(distinct, space.period, device),
        table=table,
        groups=Groups(used, group.ravel(), len(columns), device),
        pool=Pool(mask, device),
        break_ties=pairs.break_ties,
        exclude_self=pairs.exclude_self,
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
