"""The encoders of the reference implementation, by name, as descriptions.

A description is a line of the small language that `descriptions` reads. All
147 names that ``cebra==0.6.1`` registers are here, its three old names for the
subsampling encoders included.
"""

from __future__ import annotations

import re

_OFFSETS = (1, 5, 10, 15, 20, 36, 40, 50)
_BOUNDS = (1000, 100, 50, 25, 20, 15, 10, 5, 1)
_DEPTHS = range(1, 11)

_MSE = "30d1 30d1 10d1 d1"
_SKIPS_OF_36 = " ".join(["+3"] * 16)
_DROPPED_SKIPS_OF_36 = " ".join(["+3%10"] * 16)
_OF_40_AT_A_QUARTER = "u4/2&- u3/2 +3 +3 +3 d3"
_OF_20_AT_A_QUARTER = "u4/2&- u3/2 +3 d2"
_OF_4_AT_A_HALF = "u4/2&- u1 u1 h1 d1"

DESCRIPTIONS = {
    "offset1-model": "u1 u1 h1 d1",
    "offset1-model-v2": "u1 u1 u1 d1",
    "offset1-model-v3": "u1 ~1 ~1 d1",
    "offset1-model-v4": "u1 +1 +1 +1 +1 d1",
    "offset1-model-v5": "u1 ~1 ~1 ~1 ~1 d1",
    "offset1-model-mse": f"{_MSE} linear",
    "offset1-model-mse-tanh": f"{_MSE} tanh",
    "offset10-model-mse": "u2 +3 +3 +3 d3 linear",
    "offset10-model-mse-tanh": "u2 +3 +3 +3 d3 tanh",
    "offset36-model-dropout": f"u2%10 {_SKIPS_OF_36} d3",
    "offset36-model-more-dropout": f"u2%10 {_DROPPED_SKIPS_OF_36} d3",
    "offset40-model-4x-subsample": _OF_40_AT_A_QUARTER,
    "offset20-model-4x-subsample": _OF_20_AT_A_QUARTER,
    "offset4-model-2x-subsample": _OF_4_AT_A_HALF,
    "resample-model": _OF_40_AT_A_QUARTER,
    "resample5-model": _OF_20_AT_A_QUARTER,
    "resample1-model": _OF_4_AT_A_HALF,
    # the features before the classifier, which the reference adds by itself
    "supervised1-model": "u1 u1 h1 d1 relu",
    "supervised10-model": "u2 +3 +3 +3 d3 relu",
}
"""Names that follow no rule; for the others see `describe`."""

_OFFSET = re.compile(r"offset(\d+)(?:-model)?")
_CLIPPED = re.compile(r"offset1-model-mse-clip-(\d+)-(\d+)")
_DEEP = re.compile(r"offset1-model-mse-(v2|resnet)-(\d+)layers(-tanh)?")


def published_names() -> tuple[str, ...]:
    """Return every name that the reference registers."""
    names = [f"offset{n}-model" for n in _OFFSETS]
    names += [name for name in DESCRIPTIONS if name not in names]
    names += [f"offset1-model-mse-clip-{a}-{b}" for a in _BOUNDS for b in _BOUNDS]
    names += [
        f"offset1-model-mse-{kind}-{n}layers{head}"
        for kind in ("v2", "resnet")
        for n in _DEPTHS
        for head in ("", "-tanh")
    ]
    return tuple(names)


def describe(name: str, first_kernel: int | None = None, tied: bool = False) -> str:
    """Return the description of a published name; any other text as it is.

    Parameters
    ----------
    name : str
        A published name, or ``offsetN`` for any number of frames N.
    first_kernel : int, optional
        Of an ``offsetN-model``; the published ones have 2.
    tied : bool
        The hidden layers of the ``mse-v2`` and ``mse-resnet`` encoders share
        one set of weights, as they do in the reference, which repeats one
        layer where it means several. Only for weights that come from there.
    """
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    offset = _OFFSET.fullmatch(name)
    if offset and 1 <= int(offset[1]) <= 1000:
        return offset_description(int(offset[1]), first_kernel)
    clipped = _CLIPPED.fullmatch(name)
    if clipped:
        return f"{_MSE} [-{clipped[1]},{clipped[2]}]"
    deep = _DEEP.fullmatch(name)
    if deep and int(deep[2]) in _DEPTHS:
        skip = "~" if deep[1] == "resnet" else ""
        hidden = "~1" if skip else "u1"
        more = ["=" if tied else hidden] * (int(deep[2]) - 1)
        head = "tanh" if deep[3] else "linear"
        return " ".join([f"{skip}u1", hidden, *more, f"{skip}h1", "d1", head])
    return name


def offset_description(length: int, first_kernel: int | None = None) -> str:
    """Describe an encoder that sees `length` frames.

    With a first kernel of 2 (the default) these are the published
    ``offset5-model`` … ``offset50-model``: skips of kernel 3, closed by a
    kernel of 2 or 3. A wider first kernel takes the place of as many skips.
    """
    if length == 1:
        return DESCRIPTIONS["offset1-model"]
    first = min(2 if first_kernel is None else first_kernel, length)
    rest = length - first
    last = 1 if rest == 0 else 2 + (rest % 2 == 0)
    skips = (rest - (last - 1)) // 2
    if skips == 0:  # one hidden layer alone would be nearly linear
        return f"u{first} u1 d{last}"
    return " ".join([f"u{first}", *["+3"] * skips, f"d{last}"])
