"""Every choice between a stack and the ROIs found in it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

_FEW_BINS = 100
Method = Literal["activity", "cellpose"]
Image = Literal["mean", "max", "correlation", "peak_to_noise"]


@dataclass(frozen=True)
class DetectionSettings:
    """How ROIs are found.

    Parameters
    ----------
    method : {"activity", "cellpose"}
        By what they do, or by how they look in `image`, where Cellpose is
        installed; only the former uses `threshold` and `min_quality`.
    image : {"mean", "max", "correlation", "peak_to_noise"}
        Shown to Cellpose.
    diameter : float, optional
        Of a cell body, in pixels. Default: from `diameter_um`, or estimated.
    diameter_um : float, optional
        The same in µm, for stacks that know the size of a pixel.
    threshold : float
        A cell must stand out by this much: the root of the sum, over time bins,
        of its squared activity beyond 3 standard deviations of the noise, in
        such standard deviations. Lower it to find dimmer cells.
    min_quality : float
        What is found and looks less like a cell than this, 0 to 1, is left out.
    max_rois : int
        Only the best ones are kept.
    average_s : float
        Seconds of frames that are averaged before the search: about the decay of
        the indicator.
    average_frames : int
        The same in frames, where the rate is not known.
    memory_mb : float
        Largest binned movie; bins are made longer to stay below it, but never
        fewer than 100.

    Raises
    ------
    InvalidInput
        If a value lies outside its range.
    """

    method: Method = "activity"
    image: Image = "mean"
    diameter: float | None = None
    diameter_um: float | None = None
    threshold: float = 4.0
    min_quality: float = 0.5
    max_rois: int = 2000
    average_s: float = 0.5
    average_frames: int = 5
    memory_mb: float = 800.0

    def __post_init__(self) -> None:
        for name, known in (("method", get_args(Method)), ("image", get_args(Image))):
            if getattr(self, name) not in known:
                raise InvalidInput(
                    f"{name} must be one of {', '.join(known)}, not "
                    f"{getattr(self, name)!r}."
                )
        for name in ("max_rois", "average_frames"):
            if not isinstance(getattr(self, name), int):
                raise InvalidInput(
                    f"{name} must be a whole number, not {getattr(self, name)!r}."
                )
        limits = {
            "diameter": (3, 500),
            "diameter_um": (1e-3, 1e4),
            "threshold": (1, 1000),
            "min_quality": (0, 1),
            "max_rois": (1, 100_000),
            "average_s": (0, 600),
            "average_frames": (1, 100_000),
            "memory_mb": (1, 1e6),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is None and name in ("diameter", "diameter_um"):
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and math.isfinite(value) and low <= value <= high):
                raise InvalidInput(
                    f"{name} must lie between {low} and {high}, not {value!r}."
                )

    def pixels(
        self, shape: tuple[int, int], pixel_um: tuple[float, float] | None = None
    ) -> float | None:
        """Return the diameter in pixels; None if it is to be estimated.

        Parameters
        ----------
        shape : (Y, X)
            Field of view.
        pixel_um : (y, x), optional
            Size of a pixel in µm.

        Raises
        ------
        InvalidInput
            If a cell would not fit the (Y, X) field of view, is smaller than 3
            pixels, or is given in µm alone and the size of a pixel is not known.
        """
        diameter = self.diameter
        if diameter is None and self.diameter_um is not None:
            if pixel_um is None:
                raise InvalidInput(
                    f"The cells' diameter is {self.diameter_um:g} µm but the size of a "
                    "pixel is not known; give the diameter in pixels, or the size of a "
                    "pixel where the stack is loaded."
                )
            diameter = self.diameter_um / math.sqrt(pixel_um[0] * pixel_um[1])
            if diameter < 3:
                raise InvalidInput(
                    f"Cells of {self.diameter_um:g} µm are {diameter:.1f} pixels wide, "
                    "and at least 3 are needed; check the size of a pixel."
                )
        if diameter is not None and 2 * diameter > min(shape):
            raise InvalidInput(
                f"Cells of {diameter:g} pixels are too large for a field of view of "
                f"{shape[0]}×{shape[1]} pixels; give at most "
                f"{min(shape) // 2} pixels."
            )
        return diameter

    def bin_width(self, n_frames: int, rate: float | None, bin_bytes: int) -> int:
        """Return how many of T frames go into one bin.

        Parameters
        ----------
        n_frames : int
        rate : float or None
        bin_bytes : int
            Size of one bin in memory.
        """
        wanted = self.average_frames if rate is None else round(self.average_s * rate)
        room = max(int(self.memory_mb * 2**20 / bin_bytes), _FEW_BINS)
        # A short stack is cut finer: with few bins there is no noise to measure.
        width = min(max(wanted, 1), max(n_frames // _FEW_BINS, 1))
        return max(width, -(-n_frames // room))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DetectionSettings:
        """Return the settings from `to_json`; what is not a setting is ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: stored[name] for name in stored if name in known})
