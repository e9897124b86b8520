"""CEBRA for calcium imaging, inside napari.

Everything named here is loaded when it is first asked for, so that importing
the package costs nothing and needs neither torch nor a window.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cebra import metrics
    from napari_cebra.decoding import KNNDecoder, L1LinearRegressor
    from napari_cebra.embedding import CEBRA, Encoder, TrainConfig
    from napari_cebra.embedding.recommendation import recommended
    from napari_cebra.io import open_stack
    from napari_cebra.pipeline import PipelineConfig, decode, exhaust, fit
    from napari_cebra.recording import (
        InvalidInput,
        Recording,
        RoiSet,
        Stimulus,
        Traces,
        Variable,
    )
    from napari_cebra.traces import DffSettings, dff, extract

__version__ = version("napari-cebra")

_ROOM = {
    "CEBRA": "embedding",
    "DffSettings": "traces",
    "Encoder": "embedding",
    "InvalidInput": "recording",
    "KNNDecoder": "decoding",
    "L1LinearRegressor": "decoding",
    "PipelineConfig": "pipeline",
    "Recording": "recording",
    "RoiSet": "recording",
    "Stimulus": "recording",
    "Traces": "recording",
    "TrainConfig": "embedding",
    "Variable": "recording",
    "decode": "pipeline",
    "dff": "traces",
    "exhaust": "pipeline",
    "extract": "traces",
    "fit": "pipeline",
    "open_stack": "io",
    "recommended": "embedding.recommendation",
}

__all__ = [
    "CEBRA",
    "DffSettings",
    "Encoder",
    "InvalidInput",
    "KNNDecoder",
    "L1LinearRegressor",
    "PipelineConfig",
    "Recording",
    "RoiSet",
    "Stimulus",
    "Traces",
    "TrainConfig",
    "Variable",
    "__version__",
    "decode",
    "dff",
    "exhaust",
    "extract",
    "fit",
    "metrics",
    "open_stack",
    "recommended",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module(f"{__name__}.metrics")
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
