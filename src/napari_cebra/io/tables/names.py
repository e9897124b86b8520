"""What the name of a column says: its unit, and whether it is a clock."""

from __future__ import annotations

import re

_UNIT = (
    r"cm/s(?:\^?2|²)?|mm/s|m/s|deg/s|rad/s|°/s|°C|cm|mm|[µu]m|km|m|deg(?:rees?)?|°|"
    r"rad(?:ians?)?|m?Hz|kHz|mV|V|[µu]s|ms|s|sec|seconds?|min|px|pixels?|lux|a\.?u\.?|%"
)
# "speed (cm/s)", "speed [cm/s]", "pos_cm", "speed cm/s", "speed_cm_s"
_BRACKETED = re.compile(r"[(\[]\s*([^()\[\]]{1,20}?)\s*[)\]](?:_\d+)?\s*$")
_SUFFIX = re.compile(rf"[A-Za-z0-9][ _.]({_UNIT})$")
_PER_SECOND = re.compile(r"[_ ](cm|mm|m|deg|rad)_s$", re.IGNORECASE)

_CLOCK = re.compile(
    r"^(time|times|timestamps?|time[_ ]?stamps?|t|seconds?|sec|frame[_ ]?times?|"
    r"system[_ ]?time|date|datetime|date[_ ]?time)$",
    re.IGNORECASE,
)
_SECONDS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6,
    "µs": 1e-6, "min": 60.0,
}  # fmt: skip


def unit_in(name: str) -> str:
    """Return the unit that a column's name states, as in "pos_cm"; else empty."""
    bracketed = _BRACKETED.search(name)
    if bracketed:
        return bracketed.group(1)
    per_second = _PER_SECOND.search(name)
    if per_second:
        return f"{per_second.group(1)}/s"
    suffix = _SUFFIX.search(name)
    return suffix.group(1) if suffix else ""


def without_unit(name: str) -> str:
    """Return the name without the unit at its end."""
    for pattern in (_BRACKETED, _PER_SECOND):
        if pattern.search(name):
            return pattern.sub("", name).strip(" _.")
    suffix = _SUFFIX.search(name)
    return name[: suffix.start(1)].strip(" _.") if suffix else name


def leaf(name: str) -> str:
    """Return the last part of a name inside a file, as "time" of "beh.time"."""
    return re.split(r"[./]", without_unit(name))[-1] if name else name


def is_clock(name: str) -> bool:
    """Whether a name is one of a clock, as "time_s" or "Timestamp (ms)"."""
    return bool(_CLOCK.match(leaf(name)))


def seconds_per_unit(name: str) -> float:
    """Return the length of the unit of a clock; a second where none is stated."""
    return _SECONDS.get(unit_in(name).lower(), 1.0)
