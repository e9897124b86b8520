"""What belongs to one napari viewer: its workspace and its jobs."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from napari_cebra.viewer import _compat
from napari_cebra.viewer.jobs import Jobs
from napari_cebra.workspace import Workspace


@dataclass(eq=False)
class _Belongings:
    workspace: Workspace = field(default_factory=Workspace)
    jobs: Jobs = field(default_factory=Jobs)


# Weak on the viewer: nothing kept here may hold a viewer strongly.
_of_viewer: weakref.WeakKeyDictionary[Any, _Belongings] = weakref.WeakKeyDictionary()


def workspace_of(viewer: Any) -> Workspace:
    """Return the one workspace of this viewer, made on first use.

    `viewer` may be the viewer or the proxy napari hands to plugins.
    """
    return _belongings(viewer).workspace


def jobs_of(viewer: Any) -> Jobs:
    """Return the jobs of this viewer."""
    return _belongings(viewer).jobs


def _belongings(viewer: Any) -> _Belongings:
    return _of_viewer.setdefault(_compat.unwrap(viewer), _Belongings())
