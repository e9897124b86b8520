"""Activity of each ROI over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

TraceKind = Literal["raw", "neuropil", "dff", "events", "rates", "other"]


@dataclass(frozen=True, eq=False)
class Traces:
    """One value per imaging frame and ROI.

    Parameters
    ----------
    values : (T, N) float32
        Time first. Units by kind: ``raw`` and ``neuropil`` in counts of the
        movie, ``dff`` as a share of F0, ``events`` in arbitrary units,
        ``rates`` in spikes per bin, ``other`` in a unit of its own (z-scores).
    kind : {"raw", "neuropil", "dff", "events", "rates", "other"}
        What the values are.
    rate : float or None
        Samples per second; None where it is not known.
    made_by : mapping
        How they were made: the step's name and its parameters (JSON types).

    Raises
    ------
    InvalidInput
        If `values` is not a 2-D numeric array with at least two rows and one
        column, holds NaN or infinity, or `rate` is not positive.
    """

    values: np.ndarray
    kind: TraceKind = "dff"
    rate: float | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.dtype.kind not in "fiub":
            raise InvalidInput(
                "Traces must be a numeric table of time × ROIs (T, N), not "
                f"{values.dtype} of shape {values.shape}."
            )
        if values.shape[0] < 2 or values.shape[1] < 1:
            raise InvalidInput(
                f"Traces need at least 2 time points and 1 ROI, not {values.shape}."
            )
        values = np.ascontiguousarray(values, dtype=np.float32)
        bad = ~np.isfinite(values).all(axis=0)
        if bad.any():
            raise InvalidInput(
                f"The traces of {int(bad.sum())} of {values.shape[1]} ROIs hold NaN or "
                f"infinity (first: column {int(np.flatnonzero(bad)[0])}); remove those "
                "columns or mend the file, and load it again."
            )
        if self.kind not in get_args(TraceKind):
            raise InvalidInput(f"Unknown kind of traces: {self.kind!r}.")
        if self.rate is not None and not (np.isfinite(self.rate) and self.rate > 0):
            raise InvalidInput(
                f"The frame rate must be a positive number of Hz, not {self.rate}."
            )
        object.__setattr__(self, "values", values)

    @property
    def n_frames(self) -> int:
        """Number of time points, T."""
        return self.values.shape[0]

    @property
    def n_rois(self) -> int:
        """Number of ROIs, N."""
        return self.values.shape[1]
