"""How stimulus and behaviour come from clocks of their own onto the imaging clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from napari_cebra.pipeline.checks import one_of, positive, section
from napari_cebra.recording import InvalidInput

AlignMethod = Literal["same rows", "times", "pulses", "onsets", "rates"]
Edges = Literal["rising", "falling"]
Pin = Literal["first", "last", "both"]
Continuous = Literal["mean", "interpolate", "nearest", "hold"]
Discrete = Literal["hold", "majority"]


@dataclass(frozen=True)
class TimesConfig:
    """Moments that a file holds: of imaging frames, of pulses, or of onsets.

    Parameters
    ----------
    file : str, optional
        Table; default the log whose clock is to be aligned.
    column : str, optional
        Default the only column, or the one that is called time.
    edges : {"rising", "falling"}, optional
        The column is a signal, such as a recorded TTL, and the moments are its
        edges. Default: the column holds the moments.
    threshold : float, optional
        Level an edge crosses; default halfway between lowest and highest.
    time_column : str, optional
        When each sample of the signal was taken; default the sample's number.
    per_second : float
        Units of the times in a second: 1 for seconds (or what the column's name
        states, as in time_ms), 1000 for milliseconds, the sampling rate for
        sample numbers.
    """

    file: str | None = None
    column: str | None = None
    edges: Edges | None = None
    threshold: float | None = None
    time_column: str | None = None
    per_second: float = 1.0

    def __post_init__(self) -> None:
        positive("per_second", self.per_second)
        if self.edges is not None:
            one_of("edges", self.edges, get_args(Edges))
        if self.threshold is not None:
            _finite("threshold", self.threshold)


@dataclass(frozen=True)
class LogConfig:
    """How the rows of one log come onto the imaging clock.

    Parameters
    ----------
    method : {"same rows", "times", "pulses", "onsets", "rates"}
        One row per imaging frame; its times are on the imaging clock; fitted to
        pulses that both clocks have recorded, of which nobody knows which is
        which; fitted to onsets, given pair by pair; or by its nominal rate.
    pulses : TimesConfig, optional
        Pulses or onsets on the clock of the log; default its rows' times.
    imaging : TimesConfig, optional
        The same on the imaging clock; default the times of the imaging frames.
    times : TimesConfig, optional
        File with the time of each row, such as the pulses of a camera; default
        the time column of the log.
    pin : {"first", "last", "both"}, optional
        Which pulses are known to be the same, where all intervals are alike.
    tolerance_s : float
        Largest residual of a pair.
    min_match : float
        Share of the pulses that must find a partner.
    rate : float, optional
        Rows per second, for "rates".
    start_s : float
        Time on the imaging clock of the first row ("rates"), or at which the
        clock of the log says 0 ("times").
    per_second : float
        Units of the log's time column in a second.
    resampling : {"mean", "interpolate", "nearest", "hold"}, optional
        Of continuous and circular variables; default the mean within each frame
        where there are two samples a frame or more, else linear interpolation.
    discrete : {"hold", "majority"}
        Of discrete variables.
    longest_gap_s : float, optional
        As in `recording.resample`.
    """

    method: AlignMethod = "same rows"
    pulses: TimesConfig | None = None
    imaging: TimesConfig | None = None
    times: TimesConfig | None = None
    pin: Pin | None = None
    tolerance_s: float = 0.01
    min_match: float = 0.8
    rate: float | None = None
    start_s: float = 0.0
    per_second: float = 1.0
    resampling: Continuous | None = None
    discrete: Discrete = "hold"
    longest_gap_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("times", "pulses", "imaging"):
            _nested(self, name, TimesConfig)
        one_of("method", self.method, get_args(AlignMethod))
        one_of("discrete", self.discrete, get_args(Discrete))
        if self.pin is not None:
            one_of("pin", self.pin, get_args(Pin))
        if self.resampling is not None:
            one_of("resampling", self.resampling, get_args(Continuous))
        for name in ("tolerance_s", "rate", "per_second", "longest_gap_s"):
            positive(name, getattr(self, name))
        _finite("start_s", self.start_s)
        _finite("min_match", self.min_match)
        if not 0.5 <= self.min_match <= 1:
            raise InvalidInput(
                f"min_match must be a share from 0.5 to 1, not {self.min_match}: with "
                "fewer pulses in common a wrong log would pass."
            )


@dataclass(frozen=True)
class AlignConfig:
    """When the imaging frames were taken, and how each log comes onto their clock.

    Parameters
    ----------
    frames : TimesConfig, optional
        Time stamps or TTL pulses of the imaging frames. Default: those that came
        with the recording, else its frame rate.
    skip : int, optional
        Number of those times before the first frame; times after the last frame
        are left out then. Default: there must be one time per frame.
    behaviour, stimulus : LogConfig
        The table of variables, and the stimulus log, where there is one.
    """

    frames: TimesConfig | None = None
    skip: int | None = None
    behaviour: LogConfig = field(default_factory=LogConfig)
    stimulus: LogConfig = field(default_factory=lambda: LogConfig("times"))

    def __post_init__(self) -> None:
        _nested(self, "frames", TimesConfig)
        for name in ("behaviour", "stimulus"):
            _nested(self, name, LogConfig)
        if self.frames is not None and self.frames.file is None:
            raise InvalidInput(
                "The times of the imaging frames need a file; name the one that holds "
                "them, or leave them out to count frames by the rate."
            )
        if self.skip is not None and (
            not isinstance(self.skip, int)
            or isinstance(self.skip, bool)
            or self.skip < 0
        ):
            raise InvalidInput(
                "The times to skip before the first frame must be a whole number from "
                f"0, not {self.skip!r}."
            )

    @property
    def files(self) -> tuple[str, ...]:
        """Files beside the logs themselves."""
        of_logs = [
            times
            for log in (self.behaviour, self.stimulus)
            for times in (log.times, log.pulses, log.imaging)
        ]
        named = [t.file for t in (self.frames, *of_logs) if t is not None]
        return tuple(dict.fromkeys(file for file in named if file is not None))


def _nested(config: object, name: str, kind: type) -> None:
    """Build a part that comes as a JSON object."""
    value = getattr(config, name)
    if value is not None and not isinstance(value, kind):
        object.__setattr__(config, name, section(kind, name, value))


def _finite(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} must be a number, not {value!r}.")
    if not math.isfinite(value):
        raise InvalidInput(f"{name} must be a finite number, not {value!r}.")
