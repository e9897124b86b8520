"""CEBRA for calcium imaging, inside napari.

Everything named here is loaded when it is first asked for, so that importing
the package costs nothing and needs neither torch nor a window.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("napari-cebra")

_WHERE = {
    "InvalidInput": "recording",
    "Recording": "recording",
    "RoiSet": "recording",
    "Stimulus": "recording",
    "Traces": "recording",
    "Variable": "recording",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
