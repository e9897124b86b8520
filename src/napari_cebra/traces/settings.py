"""Every choice between raw counts and the traces that are embedded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

Neuropil = Literal["fixed", "fitted", "Allen"]
Baseline = Literal["percentile", "maximin", "median"]
Divisor = Literal["F0", "none"]


@dataclass(frozen=True)
class DffSettings:
    """How dF/F, and events if wanted, are computed.

    Parameters
    ----------
    neuropil_coefficient : float
        Share r of the neuropil that is subtracted, 0 to 2.
    baseline : {"percentile", "maximin", "median"}
        Rolling percentile; suite2p's smoothed rolling minimum and maximum; or
        the Allen Institute's rolling median of inactive frames.
    window_s : float
        Length of the rolling window in seconds.
    percentile : float
        Percentile of the window that is taken for F0, 0 to 100; with
        "median", above which (and 3 times the noise) a frame is active.
    smooth_s : float or None
        Standard deviation in seconds of the Gaussian before the baseline, so
        that a low percentile finds quiet moments and not the noise. None takes
        `smooth_frames` whatever the rate.
    window_frames, smooth_frames : int, float
        Used instead where the frame rate is not known.
    follow_bleaching : bool
        Whether the exponential decay all ROIs share, if there is one, is
        divided out before the baseline is taken and put back on it.
    neuropil : {"fixed", "fitted", "Allen"}
        r is `neuropil_coefficient`, or fitted per ROI: by robust regression in
        quiet frames, or by the Allen Institute's objective.
    neuropil_centred : bool
        Subtract ``r (Fneu - median(Fneu))``, which keeps F0 where it was, and
        not ``r Fneu``.
    divide_by : {"F0", "none"}
        ``(F - F0) / max(F0, noise)``, or ``F - F0`` in counts.
    artefact_threshold : float
        Frames in which the median ROI jumps by more than this many times its
        noise are left out of every fit and marked as not valid; 0 for none.
    deconvolve : bool
        Give events instead of dF/F.
    decay_s : float or None
        Decay of the indicator in seconds; None estimates it for each ROI.
    decay_frames : float or None
        Used instead where the frame rate is not known.
    noise_constraint : bool
        Find as few events as the noise allows.
    minimal_event : float
        Smallest event in units of the noise; excludes `noise_constraint`.
    nonnegative_calcium : bool
        Whether deconvolution keeps the calcium from falling below F0.

    Raises
    ------
    InvalidInput
        If a value lies outside its range.
    """

    neuropil_coefficient: float = 0.7
    baseline: Baseline = "percentile"
    window_s: float = 60.0
    percentile: float = 8.0
    smooth_s: float | None = 0.33
    window_frames: int = 300
    smooth_frames: float = 3.0
    follow_bleaching: bool = True
    neuropil: Neuropil = "fixed"
    neuropil_centred: bool = True
    divide_by: Divisor = "F0"
    artefact_threshold: float = 0.0
    deconvolve: bool = False
    decay_s: float | None = None
    decay_frames: float | None = None
    noise_constraint: bool = False
    minimal_event: float = 0.0
    nonnegative_calcium: bool = True

    def __post_init__(self) -> None:
        kinds = {
            "baseline": get_args(Baseline),
            "neuropil": get_args(Neuropil),
            "divide_by": get_args(Divisor),
        }
        for name, known in kinds.items():
            if getattr(self, name) not in known:
                raise InvalidInput(
                    f"Unknown kind of {name}: {getattr(self, name)!r}; choose "
                    f"{', '.join(known[:-1])} or {known[-1]}."
                )
        limits = {
            "neuropil_coefficient": (0, 2),
            "window_s": (0, np.inf),
            "percentile": (0, 100),
            "smooth_s": (0, np.inf),
            "window_frames": (1, np.inf),
            "smooth_frames": (0, np.inf),
            "artefact_threshold": (0, np.inf),
            "decay_s": (1e-3, np.inf),
            "decay_frames": (1e-3, np.inf),
            "minimal_event": (0, np.inf),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is None and name in ("smooth_s", "decay_s", "decay_frames"):
                continue
            if not (np.isfinite(value) and low <= value <= high):
                raise InvalidInput(
                    f"{name} must lie between {low} and {high}, not {value}."
                )
        if self.noise_constraint and (
            self.minimal_event > 0 or not self.nonnegative_calcium
        ):
            raise InvalidInput(
                "noise_constraint needs minimal_event 0 and nonnegative_calcium true; "
                "set these, or noise_constraint to false."
            )

    @classmethod
    def preset(cls, name: str) -> DffSettings:
        """Return named settings: "napari-cebra" (the defaults), "suite2p", "Allen".

        The names of pipelines stand for the numbers they publish, see
        `PRESETS`.

        Raises
        ------
        InvalidInput
            If there is no preset of that name.
        """
        for known, changes in PRESETS.items():
            if known.lower() == name.lower():
                return cls(**changes)
        raise InvalidInput(
            f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}."
        )

    def frames(self, rate: float | None) -> tuple[int, float]:
        """Return the window and the smoothing in frames at this rate."""
        if rate is None:
            return self.window_frames, self.smooth_frames
        smooth = self.smooth_frames if self.smooth_s is None else self.smooth_s * rate
        return max(int(self.window_s * rate + 1e-6), 1), smooth

    def decay(self, rate: float | None) -> float | None:
        """Return the decay in frames at this rate; None if it is to be estimated.

        Raises
        ------
        InvalidInput
            If it is given in seconds alone and the rate is not known.
        """
        if rate is not None:
            return None if self.decay_s is None else self.decay_s * rate
        if self.decay_frames is None and self.decay_s is not None:
            raise InvalidInput(
                f"The decay is {self.decay_s:g} s but the frame rate is not known; "
                "give the rate, or leave the decay to be estimated."
            )
        return self.decay_frames

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DffSettings:
        """Return the settings from `to_json`; what is not a setting is ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: stored[name] for name in stored if name in known})


PRESETS: dict[str, dict[str, Any]] = {
    "napari-cebra": {},
    # F - 0.7 Fneu; Gaussian of 10 frames, rolling minimum and maximum over 60 s,
    # subtracted; deconvolved with a decay of 1 s and no penalty.
    "suite2p": {
        "neuropil_centred": False,
        "baseline": "maximin",
        "window_s": 60.0,
        "smooth_s": None,
        "smooth_frames": 10.0,
        "follow_bleaching": False,
        "divide_by": "none",
        "decay_s": 1.0,
        "nonnegative_calcium": False,
    },
    # F - r Fneu with r per ROI; median of inactive frames over 600 s.
    "Allen": {
        "neuropil": "Allen",
        "neuropil_centred": False,
        "baseline": "median",
        "window_s": 600.0,
        "percentile": 10.0,
        "smooth_s": 0.0,
        "smooth_frames": 0.0,
        "follow_bleaching": False,
    },
}
