"""What every section of the settings is checked for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from napari_cebra.recording import InvalidInput

_T = TypeVar("_T")


def section(cls: type[_T], name: str, stored: Any) -> _T:
    """Build a section from a JSON object; refuse what it does not know."""
    if not hasattr(stored, "keys"):
        raise InvalidInput(f"The settings {name!r} must be a JSON object.")
    known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(stored) - known)
    if unknown:
        raise InvalidInput(
            f"Unknown settings in {name!r}: {', '.join(unknown)}; known are "
            f"{', '.join(sorted(known))}."
        )
    try:
        return cls(**stored)
    except TypeError as error:
        raise InvalidInput(
            f"A setting in {name!r} has the wrong type ({error}); correct it."
        ) from error


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is none of those allowed."""
    if value not in allowed:
        raise InvalidInput(
            f"{name} must be one of {', '.join(allowed)}, not {value!r}."
        )


def positive(name: str, value: float | None) -> None:
    """Refuse what is given and not a positive number."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} must be a number, not {value!r}.")
    if not 0 < value < float("inf"):
        raise InvalidInput(f"{name} must be a positive number, not {value!r}.")
