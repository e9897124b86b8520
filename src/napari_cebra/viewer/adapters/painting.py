"""What a stroke of the brush does to the masks of a RoiSet."""

from __future__ import annotations

import numpy as np

from napari_cebra.recording import RoiSet


def painted(
    rois: RoiSet | None, before: np.ndarray, after: np.ndarray, *, overlap: bool
) -> RoiSet | None:
    """Return the ROIs after a Labels image was painted on.

    Parameters
    ----------
    rois : RoiSet or None
        The masks before; None if there were none.
    before, after : (Y, X) int
        The image of ids before and after; 0 is background.
    overlap : bool
        True for a stroke: painting id k changes mask k alone, and a mask that
        was painted over keeps its pixels, as cells that overlap do. False for
        an edit of another kind: each pixel leaves the mask it showed.

    Returns
    -------
    RoiSet or None
        The same object where nothing changed; None if no mask is left.
    """
    changed = np.flatnonzero(before.ravel() != after.ravel())
    if changed.size == 0:
        return rois
    old, new = before.ravel()[changed], after.ravel()[changed]
    masks = {} if rois is None else _masks(rois)
    lost = (old > 0) & ((new == 0) | (not overlap))
    for roi in np.unique(old[lost]):
        if int(roi) in masks:
            pixels, weights = masks[int(roi)]
            stay = ~np.isin(pixels, changed[lost & (old == roi)])
            masks[int(roi)] = pixels[stay], weights[stay]
    for roi in np.unique(new[new > 0]):
        pixels, weights = masks.get(int(roi), (np.zeros(0, np.int64), np.zeros(0)))
        fresh = np.setdiff1d(changed[new == roi], pixels)
        # A painted pixel counts as much as the mask's others do on average.
        weight = float(weights.mean()) if weights.size else 1.0
        pixels = np.concatenate([pixels, fresh])
        weights = np.concatenate([weights, np.full(fresh.size, weight)])
        order = np.argsort(pixels, kind="stable")
        masks[int(roi)] = pixels[order], weights[order]
    return _assemble(rois, {i: m for i, m in masks.items() if m[0].size}, before.shape)


def _masks(rois: RoiSet) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    spans = zip(rois.indptr[:-1], rois.indptr[1:], strict=True)
    return {
        int(roi): (rois.pixels[a:b], rois.weights[a:b])
        for roi, (a, b) in zip(rois.ids, spans, strict=True)
    }


def _assemble(
    rois: RoiSet | None,
    masks: dict[int, tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, ...],
) -> RoiSet | None:
    if not masks:
        return None
    ids = np.array(list(masks))
    source_ids, accepted = ids.copy(), np.ones(ids.size, bool)
    if rois is not None:
        known = {int(roi): place for place, roi in enumerate(rois.ids)}
        for place, roi in enumerate(ids):
            if int(roi) in known:
                source_ids[place] = rois.source_ids[known[int(roi)]]
                accepted[place] = rois.accepted[known[int(roi)]]
    pixels, weights = zip(*masks.values(), strict=True)
    return RoiSet(
        np.concatenate(pixels),
        np.concatenate(weights),
        np.concatenate([[0], np.cumsum([p.size for p in pixels])]),
        (shape[0], shape[1]),
        ids,
        source_ids,
        accepted,
        "cells" if rois is None else rois.kind,
    )
