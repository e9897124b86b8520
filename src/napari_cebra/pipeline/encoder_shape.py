"""How many frames an encoder sees, and in which kind of layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_cebra.embedding.config import hidden_kernel
from napari_cebra.embedding.descriptions import parse
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.embedding import TrainConfig

Kind = Literal["mean", "linear", "offset", "wide"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST = 1000
"""Most frames of the published offset layers."""

_MEAN = re.compile(r"m(\d+) u(\d+) d1")
_LINEAR = re.compile(r"(?:m(\d+) )?d(\d+)")
_OFFSET = re.compile(r"offset(\d+)(?:-model)?")


@dataclass(frozen=True)
class EncoderShape:
    """The encoders a person chooses among by length, not by name.

    Parameters
    ----------
    kind : {"mean", "linear", "offset", "wide"}
        A running mean before one hidden layer; before none; the published
        offset layers; those with one first convolution over the whole window.
    frames : int
        Receptive field.
    first_kernel : int, optional
        Frames the first layer with weights sees; None is what the kind has by
        itself. The running mean is over the rest.

    Raises
    ------
    InvalidInput
        If a length is out of range.
    """

    kind: Kind
    frames: int
    first_kernel: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput(
                f"The kind of encoder must be one of {', '.join(KINDS)}, not "
                f"{self.kind!r}."
            )
        for what, frames in (
            ("receptive field", self.frames),
            ("first kernel", self.first_kernel),
        ):
            if frames is not None and frames < 1:
                raise InvalidInput(f"The {what} must be 1 frame or more, not {frames}.")
        if self.frames > LONGEST and self.kind in ("offset", "wide"):
            raise InvalidInput(
                f"The published layers see up to {LONGEST} frames, not {self.frames}; "
                "choose a shorter receptive field, or the kind mean or linear."
            )
        if self.first_kernel is not None and self.first_kernel > self.frames:
            raise InvalidInput(
                f"A first kernel of {self.first_kernel} frames does not fit into a "
                f"receptive field of {self.frames}; choose {self.frames} or fewer."
            )

    @classmethod
    def of(cls, training: TrainConfig) -> EncoderShape | None:
        """Return the shape of an encoder; None where it is none of these kinds."""
        name, first = training.model_architecture, training.first_kernel
        if match := _OFFSET.fullmatch(name):
            frames = int(match[1])
            if not 1 <= frames <= LONGEST:
                return None
            kernel = min(2 if first is None else first, frames)
            kind: Kind = "wide" if kernel == frames > 2 else "offset"
        elif match := _MEAN.fullmatch(name):
            kernel, kind = int(match[2]), "mean"
            frames = int(match[1]) + kernel - 1
        elif match := _LINEAR.fullmatch(name):
            kernel, kind = int(match[2]), "linear"
            frames = int(match[1] or 1) + kernel - 1
        else:
            return None
        if not 1 <= kernel <= frames:
            return None
        shape = cls(kind, frames)
        return shape if shape.kernel == kernel else cls(kind, frames, kernel)

    @property
    def kernel(self) -> int:
        """Return the frames that the first layer with weights sees."""
        if self.first_kernel is not None:
            return self.first_kernel
        if self.kind == "mean":
            return hidden_kernel(self.frames)
        return {"linear": 1, "offset": min(2, self.frames), "wide": self.frames}[
            self.kind
        ]

    def settings(self) -> dict[str, Any]:
        """Return the keywords of `TrainConfig` that make such an encoder."""
        kernel = self.kernel
        mean_over = self.frames - kernel + 1
        if self.kind == "mean":
            return _settings(f"m{mean_over} u{kernel} d1")
        if self.kind == "linear":
            mean = f"m{mean_over} " if mean_over > 1 else ""
            return _settings(f"{mean}d{kernel}")
        published = kernel == min(2, self.frames)
        return _settings(f"offset{self.frames}-model", None if published else kernel)


def _settings(name: str, first_kernel: int | None = None) -> dict[str, Any]:
    return {"model_architecture": name, "first_kernel": first_kernel}


def _check_name(training: TrainConfig) -> None:
    """Refuse a name that is no encoder, and say what there is."""
    try:
        parse(training.model_architecture, training.first_kernel)
    except InvalidInput as error:
        raise InvalidInput(
            f"There is no encoder called {training.model_architecture!r}; use "
            f"{', '.join(KINDS[:-1])} or {KINDS[-1]}, a published name such as "
            'offset10-model, or a description such as "u2 +3 +3 d3".'
        ) from error


@dataclass(frozen=True)
class EncoderConfig:
    """Changes of the recommended encoder, in seconds where the rate is known.

    Parameters
    ----------
    kind : {"mean", "linear", "offset", "wide"}, optional
        As of `EncoderShape`.
    seconds : float, optional
        Receptive field.
    frames : int, optional
        Receptive field in imaging frames, instead.
    first_kernel : int, optional
        In imaging frames.

    Raises
    ------
    InvalidInput
        If a value is out of range, or both lengths are given.
    """

    kind: Kind | None = None
    seconds: float | None = None
    frames: int | None = None
    first_kernel: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and self.frames is not None:
            raise InvalidInput(
                "Give the receptive field in seconds or in frames, not in both."
            )
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise InvalidInput(
                f"The receptive field must be a positive number of seconds, not "
                f"{self.seconds!r}."
            )
        for name in ("frames", "first_kernel"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InvalidInput(
                    f"The encoder's {name} must be a whole number from 1, not "
                    f"{value!r}."
                )
        if self.kind is not None:
            EncoderShape(self.kind, self.frames or LONGEST)

    def settings(self, training: TrainConfig, rate: float | None) -> dict[str, Any]:
        """Return the keywords of `TrainConfig` that these changes come to.

        Raises
        ------
        InvalidInput
            If there is no such encoder, it is of another kind, or seconds need a
            rate.
        """
        shape = EncoderShape.of(training)
        if shape is None:
            _check_name(training)
        if self == EncoderConfig():
            return {}
        if shape is None and (self.kind is None or not self._length):
            raise InvalidInput(
                f"The encoder {training.model_architecture!r} is written out, with a "
                "receptive field of its own; name a kind of encoder with a length, or "
                "leave out both."
            )
        frames = self.frames if shape is None else self.frames or shape.frames
        if self.seconds is not None:
            if rate is None:
                raise InvalidInput(
                    "A receptive field in seconds needs the imaging rate; give the "
                    "rate, or the receptive field in frames."
                )
            frames = max(1, round(self.seconds * rate))
        assert frames is not None
        kind = self.kind or (None if shape is None else shape.kind)
        assert kind is not None
        kernel = self.first_kernel
        if kernel is None and shape is not None and kind == shape.kind:
            kernel = shape.first_kernel
        return EncoderShape(kind, frames, kernel).settings()

    @property
    def _length(self) -> bool:
        return self.seconds is not None or self.frames is not None
