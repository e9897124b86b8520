"""Settings that go to JSON and come back. Loads without PyTorch."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, ClassVar

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class JsonSettings:
    """Base of frozen dataclasses of settings, which hold JSON types only."""

    what: ClassVar[str] = ""
    """What they are the settings of, for error texts."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return asdict(self)  # type: ignore[call-overload]

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Build from a mapping; names that are missing take their default.

        Raises
        ------
        InvalidInput
            If a name is unknown or a value is out of range.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(settings) - known)
        if unknown:
            raise InvalidInput(
                f"Unknown {cls.what} settings: {', '.join(unknown)}; known are "
                f"{', '.join(sorted(known))}."
            )
        return cls(**settings)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Build from JSON text.

        Raises
        ------
        InvalidInput
            If the text is not a JSON object of known settings.
        """
        return cls.from_dict(json_object(text, f"The {cls.what} settings"))


def json_object(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object in a text; `what` begins the sentence if there is none.

    Raises
    ------
    InvalidInput
        If the text is not a JSON object.
    """
    try:
        stored = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{what} are not valid JSON ({error}); write them again from the program."
        ) from error
    if not isinstance(stored, dict):
        raise InvalidInput(f"{what} must be a JSON object.")
    return stored
