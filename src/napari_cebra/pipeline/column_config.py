"""Which columns of a table are variables, and how their numbers are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from napari_cebra.pipeline.checks import one_of, positive, section
from napari_cebra.recording import InvalidInput
from napari_cebra.recording.variable import VariableKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = get_args(VariableKind)


@dataclass(frozen=True)
class ColumnConfig:
    """One column taken as a variable.

    Parameters
    ----------
    column : str
        Its name.
    kind : {"continuous", "circular", "discrete"}, optional
        Default: as its values look.
    units : str
        For axis labels; default what the file says.
    period : float, optional
        One turn of a circular variable; default as its values look.
    """

    column: str
    kind: VariableKind | None = None
    units: str = ""
    period: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.column, str) or not self.column:
            raise InvalidInput(
                f"A column to keep must be named by its text, not {self.column!r}."
            )
        if self.kind is not None:
            one_of(f"The kind of {self.column!r}", self.kind, _KINDS)
        positive(f"The period of {self.column!r}", self.period)

    @classmethod
    def of(cls, given: ColumnConfig | str | Mapping[str, Any]) -> ColumnConfig:
        """Return a column that is given as itself, as text or as a JSON object."""
        if isinstance(given, ColumnConfig):
            return given
        if isinstance(given, str):
            return cls.parse(given)
        return section(cls, "columns", given)

    @classmethod
    def parse(cls, text: str) -> ColumnConfig:
        """Build from "NAME", "NAME:KIND" or "NAME:circular:PERIOD".

        Raises
        ------
        InvalidInput
            If the period is not a positive number.
        """
        head, _, last = text.rpartition(":")
        if head and last in _KINDS:
            return cls(head, last)  # type: ignore[arg-type]
        name, _, kind = head.rpartition(":")
        if name and kind == "circular":
            try:
                period = float(last)
            except ValueError:
                raise InvalidInput(
                    f"The period of {name!r} must be a positive number, not {last!r}."
                ) from None
            return cls(name, "circular", period=period)
        return cls(text)
