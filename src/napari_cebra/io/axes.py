"""Which axis of a stored array is time, which are rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_CHANNELS = 4
AXIS_NAMES = {"C": "channel", "Z": "plane", "S": "colour sample"}


@dataclass(frozen=True)
class AxisPlan:
    """How to take (T, Y, X) frames out of a stored array.

    Parameters
    ----------
    axes : str
        One letter per stored axis.
    shape : tuple of int
        Stored shape.
    fixed : mapping of int to int
        Position held on each axis that is neither T, Y nor X.
    """

    axes: str
    shape: tuple[int, ...]
    fixed: Mapping[int, int]

    @property
    def frames_shape(self) -> tuple[int, int, int]:
        """Shape (T, Y, X) of what is taken out."""
        t, y, x = (self.shape[self.axes.index(a)] for a in "TYX")
        return t, y, x

    def key(self, start: int, stop: int) -> tuple[slice | int, ...]:
        """Index into the stored array for frames ``start:stop``."""
        return tuple(
            slice(start, stop) if axis == "T" else self.fixed.get(position, slice(None))
            for position, axis in enumerate(self.axes)
        )

    @property
    def order(self) -> tuple[int, int, int]:
        """Transposition from what `key` takes out to (T, Y, X)."""
        left = [axis for axis in self.axes if axis in "TYX"]
        return left.index("T"), left.index("Y"), left.index("X")


def guess_axes(shape: Sequence[int]) -> str:
    """Guess the axes of an array that carries no names.

    Time first, unless the last axis alone fits better: two equal axes in
    front, or a last axis at least twice as long as the others. Of four axes, one
    of up to four positions is taken for the channels.
    """
    if len(shape) == 3:
        a, b, c = shape
        if b != c and (a == b or c >= 2 * max(a, b)):
            return "YXT"
        return "TYX"
    if len(shape) == 2:
        return "YX"
    if len(shape) == 4 and shape[1] > _MOST_CHANNELS:
        if shape[-1] <= _MOST_CHANNELS:
            return "TYXC"
        if shape[0] <= _MOST_CHANNELS:
            return "CTYX"
    return ("TZCYX" if len(shape) == 5 else "TCYX")[-len(shape) :].rjust(
        len(shape), "Q"
    )


def name_axes(axes: str, shape: Sequence[int]) -> tuple[str, str]:
    """Give the letters T, Y and X to axes as a file names them.

    Returns
    -------
    axes : str
        With T in it where it could be told.
    note : str
        What was assumed, for the person who loads the file; "" if nothing.
    """
    if "T" in axes or "Y" not in axes or "X" not in axes:
        return axes, ""
    others = [k for k, a in enumerate(axes) if a not in "YXS" and shape[k] > 1]
    # Beside channels, what is left can only be time or depth.
    for unlikely in ("", "C", "CZ"):
        left = [k for k in others if axes[k] not in unlikely]
        if len(left) == 1:
            others = left
            break
    else:
        return axes, ""
    k = others[0]
    note = ""
    if axes[k] in AXIS_NAMES:
        note = (
            f"The file calls its {shape[k]} frames {AXIS_NAMES[axes[k]]}s; they are "
            "read as time."
        )
    return axes[:k] + "T" + axes[k + 1 :], note


def plan_axes(
    axes: str, shape: Sequence[int], name: str, select: Mapping[str, int] | None = None
) -> AxisPlan:
    """Plan how (T, Y, X) frames come out of a stored array.

    Parameters
    ----------
    axes : str
        One letter per stored axis; T, Y and X once each.
    shape : sequence of int
        Stored shape.
    name : str
        Name of the file, for errors.
    select : mapping of str to int, optional
        Position, from 0, on each further axis longer than one, as ``{"C": 1}``.

    Raises
    ------
    InvalidInput
        If the axes do not fit the shape, or a channel or plane must be chosen.
    """
    axes = axes.upper()
    shape = tuple(int(n) for n in shape)
    size = "×".join(map(str, shape))
    if axes in ("YX", "YXS", "SYX") or (len(shape) == 2 and "T" not in axes):
        kind = "colour picture" if "S" in axes else "picture"
        raise InvalidInput(
            f"{name} holds one {kind} ({size}), not a stack; choose a file with "
            "frames over time (T, Y, X)."
        )
    if len(axes) != len(shape):
        raise InvalidInput(
            f"The axes {axes!r} name {len(axes)} axes but {name} has {len(shape)} "
            f"({size}); give one letter for each, as TYX."
        )
    if len(set(axes)) != len(axes) or not set("TYX") <= set(axes):
        raise InvalidInput(
            f"The axes {axes!r} of {name} ({size}) do not name T, Y and X once each; "
            "write the order in which they are stored, as TYX or YXT or TCYX."
        )
    fixed = {}
    chosen = {key.upper(): int(value) for key, value in (select or {}).items()}
    for axis, position in chosen.items():
        if position and axis not in axes:
            what = AXIS_NAMES.get(axis, f"position on axis {axis}")
            raise InvalidInput(
                f"{name} ({axes}, {size}) has only one {what}, number 0, not "
                f"{position}; leave the choice out."
            )
    for k, axis in enumerate(axes):
        if axis in "TYX":
            continue
        if shape[k] > 1 and axis not in chosen:
            what = AXIS_NAMES.get(axis, f"position on axis {axis}")
            raise InvalidInput(
                f"{name} has {shape[k]} {what}s (axes {axes}, {size}); choose one of "
                "them to load."
            )
        fixed[k] = chosen.get(axis, 0)
        if not 0 <= fixed[k] < shape[k]:
            raise InvalidInput(
                f"{name} has positions 0 to {shape[k] - 1} on axis {axis}, not "
                f"{fixed[k]}; choose one of those."
            )
    plan = AxisPlan(axes, shape, fixed)
    t, y, x = plan.frames_shape
    if t < 2 or y < 1 or x < 1:
        raise InvalidInput(
            f"{name} has {t} frame(s) of {y}×{x} pixels along the axes {axes}; a "
            "stack needs at least 2 frames: check the axis order."
        )
    return plan
