"""What is remembered from one session to the next."""

from __future__ import annotations

import json
import os
from typing import Any

from qtpy.QtCore import QSettings

from napari_cebra.simulate.files import CACHE_VARIABLE

_MAX_RECENT = 8


def _store() -> QSettings:
    return QSettings("napari-cebra", "napari-cebra")


def remember(name: str, value: Any) -> None:
    """Keep a value (JSON types) under a name."""
    _store().setValue(name, json.dumps(value))


def recall(name: str, default: Any = None) -> Any:
    """Return the value kept under a name; the default if there is none."""
    kept = _store().value(name)
    if kept is None:
        return default
    try:
        return json.loads(str(kept))
    except ValueError:
        # Written by hand or by an older version: the default is always right.
        return default


def recent_projects() -> list[str]:
    """Return the projects opened last, the newest first."""
    return [str(path) for path in recall("recent_projects", [])]


def add_recent_project(path: str) -> None:
    """Put a project at the head of the list."""
    others = [kept for kept in recent_projects() if kept != path]
    remember("recent_projects", [path, *others][:_MAX_RECENT])


def use_cache_folder() -> None:
    """Keep built-in recordings where napari's preferences say, if they do."""
    chosen = plugin_setting("projects", "cache_folder", "")
    if chosen:
        os.environ[CACHE_VARIABLE] = chosen


def plugin_setting(category: str, name: str, default: Any) -> Any:
    """Return what was set for this plugin in napari's preferences."""
    from napari.settings import get_plugin_settings

    try:
        settings = get_plugin_settings("napari-cebra")
    except KeyError:  # not installed as a plugin, such as in a source checkout
        return default
    return getattr(getattr(settings, category, None), name, default)
