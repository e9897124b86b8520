"""How logs on clocks of their own come onto the imaging clock, on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import argparse

    from napari_cebra.pipeline.align_config import AlignConfig, LogConfig, TimesConfig

_METHODS = ("same-rows", "times", "pulses", "onsets", "rates")
_KEYS = ("column", "edges", "threshold", "time", "per-second")
_TIMES = (
    "FILE, then what is not as usual: column=NAME, edges=rising or falling (the "
    "column is a signal), threshold=X, time=NAME (of the signal's samples), "
    "per-second=N (1000 for milliseconds)"
)


def add_clock_options(group: argparse._ArgumentGroup) -> None:
    """Add the options of the group "clocks"."""
    add = group.add_argument
    add(
        "--frame-times",
        nargs="+",
        metavar=("FILE", "KEY=VALUE"),
        help=f"when each imaging frame was taken: {_TIMES}",
    )
    add(
        "--frame-skip",
        type=int,
        metavar="N",
        help="frame times before the first frame of the stack",
    )
    for option, what in (("align", "--variables"), ("stimulus-align", "--stimulus")):
        add(
            f"--{option}",
            choices=_METHODS if option == "align" else _METHODS[1:],
            help=f"how {what} comes onto the imaging clock"
            + (" (default same-rows)" if option == "align" else " (default times)"),
        )
        add(
            f"--{option}-times",
            nargs="+",
            metavar=("FILE", "KEY=VALUE"),
            help="time of each of its rows, as for --frame-times, such as the pulses "
            "of a camera (default: its time column)",
        )
        add(
            f"--{option}-pulses",
            nargs="+",
            metavar=("FILE", "KEY=VALUE"),
            help="pulses or onsets on its clock, as for --frame-times (default: the "
            "times of its rows)",
        )
        add(
            f"--{option}-imaging",
            nargs="+",
            metavar=("FILE", "KEY=VALUE"),
            help="the same on the imaging clock (default: the imaging frames)",
        )
        add(
            f"--{option}-pin",
            choices=("first", "last", "both"),
            help="pulses known to be the same in both, where intervals are all alike",
        )
        add(
            f"--{option}-tolerance",
            type=float,
            metavar="S",
            help="largest residual of a pair, in seconds (default 0.01)",
        )
        add(
            f"--{option}-match",
            type=float,
            metavar="SHARE",
            help="of the pulses that must find a partner (default 0.8)",
        )
        add(
            f"--{option}-rate",
            type=float,
            metavar="HZ",
            help="its rows per second, for the method rates",
        )
        add(
            f"--{option}-start",
            type=float,
            metavar="S",
            help="imaging time of its first row (rates), or of its time 0 (times)",
        )
        add(
            f"--{option}-per-second",
            type=float,
            metavar="N",
            help="units of its time column in a second (1000: milliseconds)",
        )
    add(
        "--resample",
        choices=("mean", "interpolate", "nearest", "hold"),
        help="of continuous and circular variables (default: the mean within each "
        "frame where there are two samples or more, else interpolated)",
    )
    add(
        "--resample-discrete",
        choices=("hold", "majority"),
        help="of discrete variables (default hold)",
    )
    add(
        "--resample-gap",
        type=float,
        metavar="S",
        help="frames between two samples farther apart are not used (default 1)",
    )


def clock_settings(base: AlignConfig, chosen: argparse.Namespace) -> AlignConfig:
    """Return the settings with what was chosen on the command line."""
    given = vars(chosen)
    behaviour = _log(base.behaviour, given, "align")
    resampling = {
        "resampling": chosen.resample,
        "discrete": chosen.resample_discrete,
        "longest_gap_s": chosen.resample_gap,
    }
    behaviour = replace(behaviour, **_named(resampling))
    changes = {
        "frames": _times(chosen.frame_times, "--frame-times"),
        "skip": chosen.frame_skip,
    }
    return replace(
        base,
        behaviour=behaviour,
        stimulus=_log(base.stimulus, given, "stimulus_align"),
        **_named(changes),
    )


def _log(base: LogConfig, given: dict[str, Any], option: str) -> LogConfig:
    method = given[option]
    flag = f"--{option.replace('_', '-')}"
    changes = {
        "method": None if method is None else method.replace("-", " "),
        "times": _times(given[f"{option}_times"], f"{flag}-times"),
        "pulses": _times(given[f"{option}_pulses"], f"{flag}-pulses"),
        "imaging": _times(given[f"{option}_imaging"], f"{flag}-imaging"),
        "pin": given[f"{option}_pin"],
        "tolerance_s": given[f"{option}_tolerance"],
        "min_match": given[f"{option}_match"],
        "rate": given[f"{option}_rate"],
        "start_s": given[f"{option}_start"],
        "per_second": given[f"{option}_per_second"],
    }
    return replace(base, **_named(changes))


def _times(words: list[str] | None, option: str) -> TimesConfig | None:
    """Read a file, and what is not as usual about it."""
    from napari_cebra.pipeline.align_config import TimesConfig

    if words is None:
        return None
    settings: dict[str, Any] = {}
    for word in words[1:]:
        key, _, value = word.partition("=")
        if key not in _KEYS or not value:
            raise InvalidInput(
                f"{option} does not know {word!r}; after the file it takes "
                f"{', '.join(f'{k}=…' for k in _KEYS)}."
            )
        if key in ("threshold", "per-second"):
            settings[key.replace("-", "_")] = _number(value, word, option)
        else:
            settings["time_column" if key == "time" else key] = value
    return TimesConfig(words[0], **settings)


def _number(value: str, word: str, option: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidInput(f"{option} needs a number in {word!r}.") from None


def _named(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}
