"""Regions of interest on one field of view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, eq=False)
class RoiSet:
    """Weighted, possibly overlapping masks on one field of view.

    The masks are stored as rows of one compressed sparse matrix: mask ``k``
    covers ``pixels[indptr[k]:indptr[k + 1]]``.

    Parameters
    ----------
    pixels : (nnz,) int64
        Flat pixel indices, ``y * X + x`` (C order), sorted within each mask.
    weights : (nnz,) float32
        Weight of each pixel, positive and finite.
    indptr : (n + 1,) int64
        Start of each mask in `pixels`.
    shape : (Y, X)
        Size of the field of view in pixels.
    ids : (n,) int64, optional
        Unique numbers from 1 that never change once given; they are the
        values in the napari Labels layer. Default 1..n.
    source_ids : (n,) int64, optional
        The number each mask has in the file it came from. Default `ids`.
    accepted : (n,) bool, optional
        Curation: masks that are used. Default all.
    kind : {"cells", "grid"}
        Grid tiles cover the whole field and leave no neuropil ring.

    Raises
    ------
    InvalidInput
        If the arrays disagree in length, an id is repeated or below 1, a mask
        is empty, or a pixel lies outside the field of view.
    """

    pixels: np.ndarray
    weights: np.ndarray
    indptr: np.ndarray
    shape: tuple[int, int]
    ids: np.ndarray = None  # type: ignore[assignment]
    source_ids: np.ndarray = None  # type: ignore[assignment]
    accepted: np.ndarray = None  # type: ignore[assignment]
    kind: str = "cells"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "pixels", np.ascontiguousarray(self.pixels, dtype=np.int64))
        put(self, "weights", np.ascontiguousarray(self.weights, dtype=np.float32))
        put(self, "indptr", np.ascontiguousarray(self.indptr, dtype=np.int64))
        put(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        n = self.indptr.size - 1
        ids = np.arange(1, n + 1) if self.ids is None else self.ids
        put(self, "ids", np.ascontiguousarray(ids, dtype=np.int64))
        sources = ids if self.source_ids is None else self.source_ids
        put(self, "source_ids", np.ascontiguousarray(sources, dtype=np.int64))
        kept = np.ones(n, bool) if self.accepted is None else self.accepted
        put(self, "accepted", np.ascontiguousarray(kept, dtype=bool))
        self._validate(n)

    def _validate(self, n: int) -> None:
        if n < 0 or self.indptr[0] != 0 or self.indptr[-1] != self.pixels.size:
            raise InvalidInput(
                "The ROI masks are inconsistent: their row pointers do not span "
                "the pixel list; load the ROIs again from their source."
            )
        for name in ("ids", "source_ids", "accepted"):
            if getattr(self, name).shape != (n,):
                raise InvalidInput(
                    f"The ROI set has {n} masks but {getattr(self, name).size} "
                    f"{name}; give one per mask."
                )
        if self.weights.shape != self.pixels.shape:
            raise InvalidInput(
                f"The ROI set has {self.pixels.size} pixels but "
                f"{self.weights.size} weights; give one weight per pixel."
            )
        if np.any(np.diff(self.indptr) <= 0):
            empty = int(self.ids[np.flatnonzero(np.diff(self.indptr) <= 0)[0]])
            raise InvalidInput(f"ROI {empty} has no pixels; remove it or redraw it.")
        if n and (self.ids.min() < 1 or np.unique(self.ids).size != n):
            raise InvalidInput(
                "ROI ids must be unique numbers from 1 (0 is the background); "
                "relabel the masks."
            )
        if self.pixels.size and (
            self.pixels.min() < 0 or self.pixels.max() >= self.shape[0] * self.shape[1]
        ):
            raise InvalidInput(
                f"An ROI has pixels outside the {self.shape[0]}×{self.shape[1]} "
                "field of view; the ROIs belong to another movie or its axes are "
                "swapped."
            )
        if self.weights.size and not (
            np.isfinite(self.weights).all() and self.weights.min() > 0
        ):
            raise InvalidInput("ROI weights must be positive, finite numbers.")

    def __len__(self) -> int:
        return self.ids.size

    @classmethod
    def from_masks(
        cls,
        masks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray | None]],
        shape: tuple[int, int],
        **fields: object,
    ) -> RoiSet:
        """Build from one ``(y, x, weights or None)`` triple per mask."""
        pixels, weights, indptr = [], [], [0]
        for number, (y, x, w) in enumerate(masks, start=1):
            y, x = np.asarray(y, np.int64), np.asarray(x, np.int64)
            if y.size and not (
                y.min() >= 0
                and y.max() < shape[0]
                and x.min() >= 0
                and x.max() < shape[1]
            ):
                raise InvalidInput(
                    f"ROI number {number} has pixels outside the {shape[0]}×{shape[1]} "
                    "field of view; the ROIs belong to another movie or its axes are "
                    "swapped."
                )
            flat = y * shape[1] + x
            order = np.argsort(flat, kind="stable")
            pixels.append(flat[order])
            w = np.ones(flat.size, np.float32) if w is None else np.asarray(w)
            weights.append(w[order])
            indptr.append(indptr[-1] + flat.size)
        return cls(
            np.concatenate(pixels) if pixels else np.zeros(0, np.int64),
            np.concatenate(weights) if weights else np.zeros(0, np.float32),
            np.asarray(indptr),
            shape,
            **fields,  # type: ignore[arg-type]
        )

    @classmethod
    def from_labels(cls, labels: np.ndarray) -> RoiSet:
        """Build from a (Y, X) integer image; 0 is background, values are ids."""
        labels = np.asarray(labels)
        if labels.ndim != 2 or labels.dtype.kind not in "iub":
            raise InvalidInput(
                f"ROIs must be a 2-D integer label image, not {labels.ndim}-D "
                f"{labels.dtype}; choose a (Y, X) Labels layer."
            )
        flat = labels.ravel().astype(np.int64)
        inside = np.flatnonzero(flat)
        if inside.size == 0:
            raise InvalidInput(
                "The label image is empty; paint at least one ROI on it first."
            )
        order = np.argsort(flat[inside], kind="stable")
        pixels = inside[order]
        ids, starts = np.unique(flat[pixels], return_index=True)
        return cls(
            pixels,
            np.ones(pixels.size, np.float32),
            np.append(starts, pixels.size),
            labels.shape,
            ids=ids,
        )

    @classmethod
    def grid(cls, shape: tuple[int, int], tile: int) -> RoiSet:
        """Cover the field of view with square tiles of ``tile`` × ``tile`` pixels.

        Tiles cut by the right or lower edge are kept with the pixels they have.
        """
        if not 1 <= tile <= max(shape):
            raise InvalidInput(
                f"A grid tile of {tile} pixels does not fit a field of view of "
                f"{shape[0]}×{shape[1]}; choose between 1 and {max(shape)}."
            )
        rows, cols = np.indices(shape) // tile
        labels = rows * (-(-shape[1] // tile)) + cols + 1
        return replace(cls.from_labels(labels), kind="grid")

    def mask(self, roi_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ``(y, x, weights)`` of one mask by its id."""
        k = self.index_of(roi_id)
        span = slice(self.indptr[k], self.indptr[k + 1])
        y, x = np.divmod(self.pixels[span], self.shape[1])
        return y, x, self.weights[span]

    def index_of(self, roi_id: int) -> int:
        """Return the position of an id, which is also its column in the traces."""
        found = np.flatnonzero(self.ids == roi_id)
        if found.size == 0:
            raise InvalidInput(f"There is no ROI {roi_id} in this recording.")
        return int(found[0])

    def centroids(self) -> np.ndarray:
        """Return the (n, 2) weighted centre of each mask, in pixels (y, x)."""
        y, x = np.divmod(self.pixels, self.shape[1])
        starts = self.indptr[:-1]
        mass = np.add.reduceat(self.weights.astype(np.float64), starts)
        return np.stack(
            [np.add.reduceat(axis * self.weights, starts) / mass for axis in (y, x)],
            axis=1,
        )

    def to_labels(self) -> np.ndarray:
        """Return a (Y, X) int32 image of ids; where masks overlap, the last wins."""
        labels = np.zeros(self.shape[0] * self.shape[1], np.int32)
        labels[self.pixels] = np.repeat(self.ids, np.diff(self.indptr))
        return labels.reshape(self.shape)

    def select(self, keep: np.ndarray | Sequence[int]) -> RoiSet:
        """Return the masks at these positions (boolean or integer index)."""
        positions = np.arange(len(self))[np.asarray(keep)]
        spans = [np.arange(self.indptr[k], self.indptr[k + 1]) for k in positions]
        take = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        sizes = np.diff(self.indptr)[positions]
        return RoiSet(
            self.pixels[take],
            self.weights[take],
            np.concatenate([[0], np.cumsum(sizes)]),
            self.shape,
            self.ids[positions],
            self.source_ids[positions],
            self.accepted[positions],
            self.kind,
        )

    def with_mask(self, roi_id: int, y: np.ndarray, x: np.ndarray) -> RoiSet:
        """Return a set in which mask ``roi_id`` is replaced (or added, if new)."""
        known = {int(i): self.mask(int(i)) for i in self.ids}
        known[int(roi_id)] = (np.asarray(y), np.asarray(x), None)  # type: ignore[assignment]
        ids = np.asarray(list(known))
        extra = ids[len(self) :]
        return RoiSet.from_masks(
            known.values(),
            self.shape,
            ids=ids,
            source_ids=np.concatenate([self.source_ids, extra]),
            accepted=np.concatenate([self.accepted, np.ones(extra.size, bool)]),
            kind=self.kind,
        )
