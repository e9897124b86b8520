"""The docks a person clicks through. Layout and wiring only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "AlignDock": "step_docks",
    "CebraDock": "cebra_dock",
    "LatentsDock": "latents_dock",
    "LoadDock": "step_docks",
    "RoisDock": "step_docks",
    "TracesDock": "traces_dock",
}

__all__ = [
    "AlignDock",
    "CebraDock",
    "LatentsDock",
    "LoadDock",
    "RoisDock",
    "TracesDock",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
