"""Everything measured in one session, row by row on the imaging clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording.errors import InvalidInput
from napari_cebra.recording.windows import segments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.recording.rois import RoiSet
    from napari_cebra.recording.stimulus import Stimulus
    from napari_cebra.recording.traces import Traces
    from napari_cebra.recording.variable import Variable


@dataclass(frozen=True)
class Step:
    """One step of how a recording came about: name, parameters, source files."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """Traces and all that was measured beside them, one row per imaging frame.

    Parameters
    ----------
    traces : Traces
        (T, N); what the embedding sees. Column k belongs to ``rois.ids[k]``.
    rois : RoiSet, optional
        The N masks; None for a recording without a field of view.
    raw, neuropil : Traces, optional
        (T, N) counts from which `traces` were computed, kept so that the
        baseline can be fitted again without the held-out rows.
    variables : tuple of Variable
        Each of T rows, with unique names.
    stimulus : Stimulus, optional
        Movie and index of T rows.
    frame_times : (T,) float64, optional
        Seconds; default from ``traces.rate``, None where that is not known.
    trials : (T,) int64, optional
        Ids of contiguous stretches; default one trial. A window never crosses
        a trial border.
    valid : (T,) bool, optional
        False where a row must not be used; default all True.
    invalid_because : (T,) int, optional
        Index into `reasons` for rows that are not valid, 0 elsewhere. A row
        that is not valid and has no reason is given "excluded".
    reasons : tuple of str
        ``reasons[0]`` is "" (valid).
    seen : (T,) bool, optional
        Rows whose activity windows may look at: valid ones, and those set
        aside for what the animal did (not for what the microscope did).
        Default `valid`.
    name : str
        For titles and file names.
    provenance : tuple of Step
        Every step so far, oldest first.

    Raises
    ------
    InvalidInput
        If a part does not have T rows, or names are repeated.
    """

    traces: Traces
    rois: RoiSet | None = None
    raw: Traces | None = None
    neuropil: Traces | None = None
    variables: tuple[Variable, ...] = ()
    stimulus: Stimulus | None = None
    frame_times: np.ndarray | None = None
    trials: np.ndarray = None  # type: ignore[assignment]
    valid: np.ndarray = None  # type: ignore[assignment]
    invalid_because: np.ndarray = None  # type: ignore[assignment]
    reasons: tuple[str, ...] = ("",)
    seen: np.ndarray = None  # type: ignore[assignment]
    name: str = "recording"
    provenance: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__
        t = self.traces.n_frames
        put(self, "variables", tuple(self.variables))
        if self.frame_times is None and self.traces.rate is not None:
            put(self, "frame_times", np.arange(t) / self.traces.rate)
        trials = np.zeros(t, np.int64) if self.trials is None else self.trials
        put(self, "trials", np.ascontiguousarray(trials, dtype=np.int64))
        valid = np.ones(t, bool) if self.valid is None else self.valid
        put(self, "valid", np.ascontiguousarray(valid, dtype=bool))
        codes = np.zeros(t) if self.invalid_because is None else self.invalid_because
        put(self, "invalid_because", np.ascontiguousarray(codes, dtype=np.int64))
        put(self, "reasons", tuple(self.reasons))
        seen = self.valid if self.seen is None else self.valid | self.seen
        put(self, "seen", np.ascontiguousarray(seen, dtype=bool))
        self._validate(t)
        self._give_reasons()

    def _validate(self, t: int) -> None:
        parts: dict[str, int] = {
            "trial ids": self.trials.shape[0],
            "validity flags": self.valid.shape[0],
            "validity reasons": self.invalid_because.shape[0],
            "flags of rows to look at": self.seen.shape[0],
        }
        if self.frame_times is not None:
            times = np.ascontiguousarray(self.frame_times, dtype=np.float64)
            object.__setattr__(self, "frame_times", times)
            parts["frame times"] = times.shape[0]
        if self.stimulus is not None:
            parts["shown-frame indices"] = self.stimulus.shown.shape[0]
        for extra in ("raw", "neuropil"):
            part = getattr(self, extra)
            if part is not None:
                parts[f"{extra} traces"] = part.n_frames
        for variable in self.variables:
            parts[f"values of {variable.name!r}"] = variable.values.shape[0]
        for what, rows in parts.items():
            if rows != t:
                raise InvalidInput(
                    f"The recording has {t} imaging frames but {rows} {what}; both "
                    "must have one row per imaging frame."
                )
        if self.frame_times is not None and not (
            np.isfinite(self.frame_times).all()
            and np.all(np.diff(self.frame_times) > 0)
        ):
            raise InvalidInput(
                "The frame times must rise from row to row, without NaN; check the "
                "clock column."
            )
        names = [variable.name for variable in self.variables]
        if len(set(names)) != len(names):
            raise InvalidInput("Two variables have the same name; rename one.")
        for what in ("rois", "raw", "neuropil"):
            part = getattr(self, what)
            if part is None:
                continue
            count = len(part) if what == "rois" else part.n_rois
            if count != self.traces.n_rois:
                raise InvalidInput(
                    f"There are {self.traces.n_rois} traces but {count} "
                    f"{'ROIs' if what == 'rois' else what + ' traces'}; they must "
                    "belong to the same ROIs."
                )

    def _give_reasons(self) -> None:
        """Keep reasons in step with `valid`: none where valid, one elsewhere."""
        codes = self.invalid_because
        if codes.size and not 0 <= codes.min() <= codes.max() < len(self.reasons):
            raise InvalidInput(
                f"The validity reasons must be numbers from 0 to "
                f"{len(self.reasons) - 1}, one for each of the named reasons."
            )
        codes = np.where(self.valid, 0, codes)
        unexplained = ~self.valid & (codes == 0)
        if unexplained.any():
            if "excluded" not in self.reasons:
                object.__setattr__(self, "reasons", (*self.reasons, "excluded"))
            codes[unexplained] = self.reasons.index("excluded")
        object.__setattr__(self, "invalid_because", codes)

    @property
    def n_frames(self) -> int:
        """Number of imaging frames, T."""
        return self.traces.n_frames

    @property
    def roi_ids(self) -> np.ndarray:
        """(N,) ids, one per column of the traces."""
        if self.rois is not None:
            return self.rois.ids
        return np.arange(1, self.traces.n_rois + 1)

    @property
    def rate(self) -> float | None:
        """Imaging frames per second; None if unknown."""
        if self.traces.rate is not None:
            return self.traces.rate
        if self.frame_times is None:
            return None
        return float(1 / np.median(np.diff(self.frame_times)))

    def variable(self, name: str) -> Variable:
        """Return a variable by name.

        Raises
        ------
        InvalidInput
            If there is none of that name; the text lists those there are.
        """
        for variable in self.variables:
            if variable.name == name:
                return variable
        known = ", ".join(repr(v.name) for v in self.variables) or "none"
        raise InvalidInput(f"There is no variable {name!r}; there is: {known}.")

    def exclude(
        self, rows: np.ndarray, reason: str, *, look: bool = False
    ) -> Recording:
        """Return a recording in which these rows (bool (T,)) must not be used.

        With `look`, windows may still look at their activity: it is what the
        animal did in them that is not wanted.
        """
        unseen = np.asarray(rows, bool) & (not look)
        rows = np.asarray(rows, bool) & self.valid
        reasons = self.reasons if reason in self.reasons else (*self.reasons, reason)
        codes = np.where(rows, reasons.index(reason), self.invalid_because)
        return replace(
            self,
            valid=self.valid & ~rows,
            invalid_because=codes,
            reasons=reasons,
            seen=self.seen & ~unseen,
        )

    @property
    def stretches(self) -> np.ndarray:
        """(T,) int stretches in which windows may move; -1 in rows not seen."""
        return segments(self.trials, self.seen)

    def with_step(self, name: str, *sources: str, **parameters: object) -> Recording:
        """Return a recording whose provenance ends with this step."""
        step = Step(name, parameters, sources)
        return replace(self, provenance=(*self.provenance, step))
