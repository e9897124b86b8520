"""Every choice of a registration, in one typed object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

MotionKind = Literal["rigid", "piecewise"]
ShiftUnit = Literal["share", "px", "um"]
Filling = Literal["linear", "nearest"]

_LIMITS: dict[str, tuple[float, float]] = {
    "max_shift": (1e-3, 1e4),
    "pixel_um": (1e-3, 1e3),
    "smooth_px": (0, 50),
    "high_pass_px": (0, 500),
    "smooth_frames": (0, 100),
    "block_px": (32, 4096),
    "block_max_shift_px": (1, 100),
    "template_frames": (2, 10_000),
}
_WHOLE = ("block_px", "template_frames")


@dataclass(frozen=True)
class MotionSettings:
    """How the motion of a stack is estimated and undone.

    Parameters
    ----------
    kind : {"rigid", "piecewise"}
        One shift per frame, or in addition one per block of the frame.
    max_shift : float
        Largest shift that is looked for along each axis, in `max_shift_unit`.
    max_shift_unit : {"share", "px", "um"}
        Share of the frame's shorter side, pixels, or micrometres.
    pixel_um : float, optional
        Width of a pixel in micrometres; needed where a shift is given in them.
    smooth_px : float
        Standard deviation in pixels of the Gaussian that smooths the
        correlation (a low-pass of the spectra). More finds shifts in more
        noise, less exactly.
    high_pass_px : float
        Structure wider than this (standard deviation of a Gaussian, pixels) is
        taken out first; 0 for none. For one-photon movies, whose blurred
        background does not move with the tissue: about the radius of a cell.
    smooth_frames : float
        Standard deviation in frames of a Gaussian over time, for estimating
        alone; 0 for none. For movies in which one frame shows next to nothing.
    block_px : int
        Side of the square blocks of "piecewise", which overlap by half.
    block_max_shift_px : float
        Largest shift of a block beyond that of its frame.
    template_frames : int
        Frames, evenly spread, of which the template is made.
    interpolation : {"linear", "nearest"}
        How the corrected movie is made: between pixels, or by whole pixels,
        which leaves every value as it was recorded (rigid alone).
    device : str
        "auto" (a CUDA GPU where there is one), "cpu", "cuda" or "cuda:1".

    Raises
    ------
    InvalidInput
        If a value lies outside its range.
    """

    kind: MotionKind = "rigid"
    max_shift: float = 0.1
    max_shift_unit: ShiftUnit = "share"
    pixel_um: float | None = None
    smooth_px: float = 1.5
    high_pass_px: float = 0.0
    smooth_frames: float = 0.0
    block_px: int = 128
    block_max_shift_px: float = 5.0
    template_frames: int = 100
    interpolation: Filling = "linear"
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (
            ("kind", get_args(MotionKind)),
            ("max_shift_unit", get_args(ShiftUnit)),
            ("interpolation", get_args(Filling)),
        ):
            if getattr(self, name) not in known:
                raise InvalidInput(
                    f"{name} must be one of {', '.join(known)}, not "
                    f"{getattr(self, name)!r}."
                )
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if value is None and name == "pixel_um":
                continue
            kinds = int if name in _WHOLE else (int, float)
            is_number = isinstance(value, kinds) and not isinstance(value, bool)
            if not (is_number and low <= value <= high):
                raise InvalidInput(
                    f"{name} must be a {'whole ' if name in _WHOLE else ''}number "
                    f"from {low:g} to {high:g}, not {value!r}."
                )
        if self.max_shift_unit == "share" and self.max_shift > 0.5:
            raise InvalidInput(
                "max_shift must be at most 0.5 of the frame's shorter side, not "
                f"{self.max_shift:g}; beyond that frames share too little."
            )
        if self.max_shift_unit == "um" and self.pixel_um is None:
            raise InvalidInput(
                "The largest shift is given in micrometres but the width of a pixel "
                "is not known; give it, or the shift in pixels."
            )
        if self.kind == "piecewise" and self.interpolation == "nearest":
            raise InvalidInput(
                "A piecewise correction needs linear interpolation: whole pixels "
                "would tear the picture at the borders of the blocks."
            )

    def max_shift_px(self, shape: tuple[int, int]) -> float:
        """Return the largest shift in pixels for frames of this shape (Y, X).

        It is cut to half of the frame's shorter side.
        """
        shorter = min(shape)
        pixels = self.max_shift
        if self.max_shift_unit == "share":
            pixels *= shorter
        elif self.max_shift_unit == "um":
            assert self.pixel_um is not None
            pixels /= self.pixel_um
        return min(max(pixels, 1.0), shorter / 2)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> MotionSettings:
        """Return the settings from `to_json`; what is not a setting is ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: stored[name] for name in stored if name in known})
