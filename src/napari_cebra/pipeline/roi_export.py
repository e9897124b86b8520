"""ROIs with their measures and their curation, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.quality import overlap_shares

if TYPE_CHECKING:
    import os

    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.recording import RoiSet


def roi_measures(rois: RoiSet, report: TraceReport | None) -> dict[str, np.ndarray]:
    """Return the (n,) values of each measure; NaN for ROIs without a trace.

    "size" in pixels, "overlap" as a share, and those of `TraceQuality`.
    """
    found = {
        "size": np.diff(rois.indptr).astype(np.float64),
        "overlap": overlap_shares(rois) if len(rois) else np.zeros(0),
    }
    column = {} if report is None else {int(r): k for k, r in enumerate(report.ids)}
    at = np.array([column.get(int(roi), -1) for roi in rois.ids], np.int64)
    for key in ("snr", "skewness", "neuropil_correlation"):
        values = np.full(len(rois), np.nan)
        if report is not None:
            values[at >= 0] = getattr(report.quality, key)[at[at >= 0]]
        found[key] = values
    return found


def write_rois(
    path: str | os.PathLike[str], rois: RoiSet, report: TraceReport | None = None
) -> tuple[str, ...]:
    """Write ROIs in the form that the ending of the file names.

    Parameters
    ----------
    path : path
        .zip for a RoiSet of ImageJ and .tif for a label image, both of the accepted
        ROIs; .csv for a table of all ROIs with measures and curation.
    rois : RoiSet
    report : TraceReport, optional
        What is known of their traces.

    Returns
    -------
    tuple of str
        What the file cannot hold, in sentences.

    Raises
    ------
    InvalidInput
        If the ending is another, no ROI is accepted, or the file cannot be written.
    """
    from napari_cebra import io

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        io.write_decoded_csv(path, _table(rois, report))
        return ()
    if suffix not in (".zip", ".tif", ".tiff"):
        raise InvalidInput(
            f"ROIs are not written as {path.name}; end the name in .zip (ImageJ), .tif "
            "(label image) or .csv (table)."
        )
    kept = rois.select(rois.accepted)
    if len(kept) == 0:
        raise InvalidInput("Every ROI is rejected; accept at least one to write it.")
    if suffix == ".zip":
        return io.write_imagej_rois(path, kept)
    return io.write_label_image(path, kept)


def _table(rois: RoiSet, report: TraceReport | None) -> dict[str, np.ndarray]:
    centre = rois.centroids()
    warnings = {} if report is None else report.warnings
    said = [" ".join(warnings.get(int(roi), ())) for roi in rois.ids]
    return {
        "roi": rois.ids,
        "source_id": rois.source_ids,
        "accepted": rois.accepted.astype(np.int64),
        "y": centre[:, 0],
        "x": centre[:, 1],
        **roi_measures(rois, report),
        "warnings": np.array(said, object),
    }
