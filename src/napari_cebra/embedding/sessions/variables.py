"""The variables that link recordings: what they share, brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cebra.embedding.pairs import (
    ContinuousPairs,
    DiscretePairs,
    MixedPairs,
    Rows,
)
from napari_cebra.embedding.pairs.nearest import build_search
from napari_cebra.embedding.pairs.rows import ByClass, Groups, Pool, check_length
from napari_cebra.embedding.pairs.time import has_partner
from napari_cebra.embedding.sessions.linked import Linked, points
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.embedding.pairs import Pairs


@dataclass(frozen=True, eq=False)
class _Columns:
    """The variables of one recording."""

    values: np.ndarray
    classes: np.ndarray | None
    rows: Rows
    offset: int


def link(
    pairs: Sequence[Pairs],
    rows: Sequence[Rows],
    device: torch.device,
    exclude_self: bool = True,
) -> Linked:
    """Put the variables of all recordings into one space.

    Raises
    ------
    InvalidInput
        If they share no range or class, or a recording has too few rows.
    """
    parts = [
        _columns(s, p, r) for s, (p, r) in enumerate(zip(pairs, rows, strict=True))
    ]
    widths = {part.values.shape[1] for part in parts}
    if len(widths) > 1:
        raise InvalidInput(
            "The recordings have different numbers of variables "
            f"({', '.join(str(p.values.shape[1]) for p in parts)}); give all of them "
            "the same ones."
        )
    parts = _common_classes(parts, 2 if exclude_self else 1)
    rule = _continuous(pairs[0])
    periods = (rule.periods if rule else None) or (None,) * widths.pop()
    parts = [_scaled(part, periods) for part in parts]
    _check_ranges(parts, periods)
    if rule is not None and rule.standardize:
        parts = _standardized(parts, periods)
    circular = tuple(period is not None for period in periods)
    has_class = parts[0].classes is not None
    if has_class:
        parts = _with_class_column(parts)
        circular = (*circular, False)
    deltas = noise = None
    if rule is not None and rule.delta is None:
        deltas = _deltas(parts, has_class)
    elif rule is not None and rule.delta is not None:
        width = parts[0].values.shape[1] - has_class
        scale = [1.0 if p is None else 2 * np.pi / p for p in periods]
        noise = np.array([rule.delta * scale[j] for j in range(width)])
        noise = np.append(noise, 0.0) if has_class else noise
    classed = pairs[0] if isinstance(pairs[0], DiscretePairs | MixedPairs) else None
    uniform = classed is not None and classed.prior == "uniform"
    return _build(parts, (deltas, noise), circular, uniform, device)


def _columns(s: int, pairs: Pairs, rows: Rows) -> _Columns:
    rule = _continuous(pairs)
    classes = None
    if isinstance(pairs, MixedPairs | DiscretePairs):
        classes = np.asarray(pairs.classes)
        check_length(classes, rows, f"the discrete variable of recording {s}")
        rows = rows.having(classes >= 0)
    elif rule is None:
        raise InvalidInput(
            "Pairs by movie frame are drawn within one recording; to link several, "
            "use the frame that was shown as a discrete or continuous variable."
        )
    if rule is None:
        return _Columns(np.empty((len(rows.segment), 0)), classes, rows, 0)
    values = np.asarray(rule.values, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    check_length(values, rows, f"the continuous variable of recording {s}")
    known = np.asarray(np.isfinite(values).all(axis=1))
    rows = rows.having(known)
    values = np.where(known[:, None], values, 0.0)
    return _Columns(values, classes, rows, rule.time_offset)


def _continuous(pairs: Pairs) -> ContinuousPairs | None:
    if isinstance(pairs, MixedPairs):
        return pairs.continuous
    return pairs if isinstance(pairs, ContinuousPairs) else None


def _common_classes(parts: list[_Columns], least: int) -> list[_Columns]:
    """Keep the rows of classes that every recording has often enough."""
    if parts[0].classes is None:
        for s, part in enumerate(parts):
            if part.rows.references.sum() < 3:
                raise InvalidInput(
                    f"Recording {s} has only {int(part.rows.references.sum())} usable "
                    "rows with a known variable; use more rows, or leave it out."
                )
        return parts
    common: set[int] | None = None
    for part in parts:
        assert part.classes is not None
        names, count = np.unique(part.classes[part.rows.references], return_counts=True)
        own = set(names[count >= least].tolist())
        common = own if common is None else common & own
    if not common:
        raise InvalidInput(
            "There is no class of the discrete variable that every recording has in "
            f"{least} usable rows or more, so nothing links them; choose another "
            "variable, or other recordings."
        )
    kept = np.array(sorted(common))
    return [
        _Columns(
            part.values,
            np.searchsorted(kept, part.classes).clip(0, len(kept) - 1),
            part.rows.having(np.isin(part.classes, kept)),
            part.offset,
        )
        for part in parts
        if part.classes is not None
    ]


def _scaled(part: _Columns, periods: Sequence[float | None]) -> _Columns:
    if len(periods) != part.values.shape[1]:
        raise InvalidInput(
            f"There are {part.values.shape[1]} variables but {len(periods)} periods."
        )
    values = part.values.copy()
    for j, period in enumerate(periods):
        if period is not None:
            values[:, j] *= 2 * np.pi / period
    return _Columns(values, part.classes, part.rows, part.offset)


def _check_ranges(parts: Sequence[_Columns], periods: Sequence[float | None]) -> None:
    for j, period in enumerate(periods):
        if period is not None:  # an angle: half a turn of the other is never far
            continue
        used = [part.values[part.rows.references, j] for part in parts]
        lows, highs = [u.min() for u in used], [u.max() for u in used]
        a, b = int(np.argmax(lows)), int(np.argmin(highs))
        if lows[a] > highs[b]:
            raise InvalidInput(
                f"Recordings {b} and {a} share no range of variable {j}: it lies "
                f"between {lows[b]:g} and {highs[b]:g} in one, between {lows[a]:g} and "
                f"{highs[a]:g} in the other; bring both to the same units and zero, or "
                "link them by another variable."
            )
        if max(highs) == min(lows):
            raise InvalidInput(
                f"Variable {j} has the same value in all usable rows, so there is "
                "nothing to learn from it; choose another variable or other rows."
            )


def _standardized(
    parts: Sequence[_Columns], periods: Sequence[float | None]
) -> list[_Columns]:
    used = np.concatenate([part.values[part.rows.references] for part in parts])
    scale = np.array(
        [
            1.0 if p is not None else used[:, j].std() or 1.0
            for j, p in enumerate(periods)
        ]
    )
    return [
        _Columns(part.values / scale, part.classes, part.rows, part.offset)
        for part in parts
    ]


def _with_class_column(parts: Sequence[_Columns]) -> list[_Columns]:
    """Set classes farther apart than any query can be from its own class."""
    width = parts[0].values.shape[1]
    most = max(
        (float(np.abs(p.values[p.rows.references]).max()) if width else 0.0)
        for p in parts
    )
    separation = 8.0 * most * width + 8.0
    return [
        _Columns(
            np.column_stack([part.values, part.classes * separation]),
            part.classes,
            part.rows,
            part.offset,
        )
        for part in parts
        if part.classes is not None
    ]


def _deltas(parts: Sequence[_Columns], has_class: bool) -> np.ndarray:
    """Differences that time makes within a stretch, of all recordings."""
    found = []
    for part in parts:
        lagged = np.flatnonzero(has_partner(part.rows, part.offset))
        found.append(part.values[lagged + part.offset] - part.values[lagged])
    deltas = np.concatenate(found)
    if len(deltas) == 0:
        raise InvalidInput(
            f"No recording has a usable row with another {parts[0].offset} frames "
            "later in the same stretch; use a smaller time offset, or longer trials."
        )
    if has_class:
        deltas[:, -1] = 0.0
    return deltas


def _build(
    parts: Sequence[_Columns],
    differences: tuple[np.ndarray | None, np.ndarray | None],
    circular: tuple[bool, ...],
    uniform: bool,
    device: torch.device,
) -> Linked:
    period = 2 * np.pi if circular == (True,) else None
    start = group_start = 0
    total = sum(len(part.values) for part in parts)
    rows, group, pools, searches, group_starts = [], [], [], [], []
    priors: list[Pool | ByClass] = []
    for part in parts:
        used = np.flatnonzero(part.rows.references)
        where = points(torch.as_tensor(part.values[used]), circular).numpy()
        distinct, index = np.unique(where, axis=0, return_inverse=True)
        searches.append(build_search(distinct, period, device))
        group_starts.append(group_start)
        group.append(index.ravel() + group_start)
        group_start += len(distinct)
        rows.append(used + start)
        pool = Pool(part.rows.references, device)
        pool.rows = pool.rows + start
        pools.append(pool)
        if uniform and part.classes is not None:
            _, own = np.unique(part.classes[used], return_inverse=True)
            priors.append(ByClass(Groups(used + start, own, total, device)))
        else:
            priors.append(pool)
        start += len(part.values)
    groups = Groups(np.concatenate(rows), np.concatenate(group), total, device)
    kind = torch.float32 if device.type == "mps" else torch.float64
    values = np.concatenate([part.values for part in parts])

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, device=device, dtype=kind)

    deltas, noise = differences
    return Linked(
        values=tensor(values),
        deltas=None if deltas is None else tensor(deltas),
        circular=circular,
        searches=tuple(searches),
        group_starts=tuple(group_starts),
        groups=groups,
        pools=tuple(pools),
        priors=tuple(priors),
        noise=None if noise is None else tensor(noise),
    )
