"""Our frozen dataclasses as JSON with the arrays set aside, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import PurePath
from typing import Any, TypeAlias

import numpy as np

from napari_cebra.decoding import Scores, Split
from napari_cebra.embedding import AttributionConfig
from napari_cebra.pipeline.attribution import RoiShares
from napari_cebra.pipeline.config import PipelineConfig
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.embedding_result import Embedding, TrainingLog
from napari_cebra.pipeline.hypothesis_table import (
    HypothesisComparison,
    HypothesisRow,
    HypothesisScore,
    Interval,
)
from napari_cebra.recording import Recording, RoiSet, Step, Stimulus, Traces, Variable
from napari_cebra.traces.motion import Motion, MotionQuality, MotionSettings

Json: TypeAlias = Any
Arrays: TypeAlias = dict[str, dict[str, np.ndarray]]
"""Arrays by part (one file each) and by key within it."""

_KNOWN: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Recording, RoiSet, Step, Stimulus, Traces, Variable),
        *(Decoding, Embedding, Scores, Split, TrainingLog),
        *(AttributionConfig, RoiShares),
        *(Motion, MotionQuality, MotionSettings),
        *(HypothesisComparison, HypothesisRow, HypothesisScore, Interval),
    )
}
# Kept in files of their own, so that a new dF/F does not write the raw counts
# again. The encoder and the stimulus movie are saved by other means.
_OWN_PART = (Traces, RoiSet)
_LEFT_OUT = {("Embedding", "encoder"), ("Stimulus", "movie")}


def encode(value: object, part: str, arrays: Arrays, key: str = "") -> Json:
    """Return `value` as JSON types; its arrays are put into ``arrays[part]``.

    Parameters
    ----------
    value : object
        Dataclass instance of a type we save, array, settings, mapping, tuple
        or scalar.
    part : str
        Name of the file the arrays go to.
    arrays : dict
        Added to.
    key : str
        Where in the part this value stands.

    Raises
    ------
    TypeError
        If there is something in it that we do not save.
    """
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{part}/{key} holds Python objects")
        arrays.setdefault(part, {})[key] = value
        return {"array": [part, key]}
    if isinstance(value, PipelineConfig):
        return {"is": "PipelineConfig", **value.to_dict()}
    kind = type(value).__name__
    if kind in _KNOWN and isinstance(value, _KNOWN[kind]):
        node: dict[str, Json] = {"is": kind}
        for field in fields(value):
            if (kind, field.name) in _LEFT_OUT:
                continue
            inner = getattr(value, field.name)
            path = f"{key}.{field.name}" if key else field.name
            if isinstance(inner, _OWN_PART):
                node[field.name] = encode(inner, f"{part}.{path}", arrays)
            else:
                node[field.name] = encode(inner, part, arrays, path)
        return node
    if isinstance(value, tuple | list):
        return [encode(v, part, arrays, f"{key}.{i}") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        # Wrapped, so that no setting of someone's can be taken for our marks.
        return {"is": "mapping", "values": plain(value)}
    return plain(value)


def decode(node: Json, arrays: Arrays, **given: object) -> Any:
    """Return what `encode` was given; lists in our objects become tuples.

    Parameters
    ----------
    node : JSON types
        From `encode`.
    arrays : dict
        As filled by `encode`.
    given : object
        Fields of the outermost object that are kept elsewhere.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is not something `encode` wrote.
    """
    if isinstance(node, list):
        return tuple(decode(inner, arrays) for inner in node)
    if not isinstance(node, dict):
        return node
    if "array" in node:
        part, key = node["array"]
        return arrays[part][key]
    if node["is"] == "mapping":
        return node["values"]
    found = {name: inner for name, inner in node.items() if name != "is"}
    if node["is"] == "PipelineConfig":
        return PipelineConfig.from_dict(found)
    values = {name: decode(inner, arrays) for name, inner in found.items()}
    return _KNOWN[node["is"]](**values, **given)


def plain(value: object) -> Json:
    """Return settings as JSON types.

    Raises
    ------
    TypeError
        If something in it has no JSON type.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} cannot be saved")
