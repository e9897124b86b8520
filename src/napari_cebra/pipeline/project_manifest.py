"""``project.cebra.json``: checked on opening, brought up to date if older."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

import jsonschema

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Manifest: TypeAlias = dict[str, Any]

NAME = "project.cebra.json"
FORMAT = "napari-cebra project"
SCHEMA = 1


def _from_0(old: Manifest) -> Manifest:
    """Bring a manifest from before the first release up to schema 1.

    Its view state stood under "view", and a stack was its source alone.
    """
    new = {**old, "view_state": old.get("view", {})}
    new.pop("view", None)
    stack = old.get("stack")
    if stack is not None and "source" not in stack:
        new["stack"] = {"source": stack, "hint": ""}
    return new


_MIGRATIONS: dict[int, Callable[[Manifest], Manifest]] = {0: _from_0}
"""What brings a manifest of each older schema to the next."""


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; one of an older schema is brought up to date.

    Raises
    ------
    InvalidInput
        If it is not a project, is damaged, or is from a later version.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"There is no readable project at {path} ({error.strerror or error}); "
            "choose a folder NAME.cebra that holds project.cebra.json."
        ) from error
    except ValueError as error:
        raise InvalidInput(damaged(path, "it is not JSON")) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InvalidInput(
            f"{path} is not a project of this program; choose a folder NAME.cebra "
            "that holds project.cebra.json."
        )
    schema = found.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 0:
        raise InvalidInput(damaged(path, "it names no schema"))
    if schema > SCHEMA:
        raise InvalidInput(
            f"The project {path.parent.name} was saved by a later version of "
            f"napari-cebra (schema {schema}; this one knows {SCHEMA}); update "
            "napari-cebra to open it."
        )
    try:
        while schema < SCHEMA:
            found = {**_MIGRATIONS[schema](found), "schema": schema + 1}
            schema += 1
        _validator().validate(found)
    except jsonschema.ValidationError as error:
        where = "/".join(str(step) for step in error.absolute_path) or "the top"
        raise InvalidInput(damaged(path, f"at {where}")) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(damaged(path, "it cannot be brought up to date")) from error
    return found


def manifest_text(manifest: Manifest) -> str:
    """Return a manifest as text, once it is sure that it can be read again.

    Raises
    ------
    TypeError, jsonschema.ValidationError
        If it is not what the schema says.
    """
    text = json.dumps(manifest, indent=1) + "\n"
    _validator().validate(json.loads(text))
    return text


def damaged(path: Path, why: str) -> str:
    """Say in one sentence that a project cannot be opened."""
    return (
        f"The project file {path} is damaged or was changed from outside ({why}); "
        f"copy the folder {path.parent.name} again, or open a backup of it."
    )


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = files("napari_cebra.pipeline").joinpath("project.schema.json")
    return jsonschema.Draft202012Validator(json.loads(schema.read_text("utf-8")))
