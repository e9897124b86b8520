"""The whole way, from the files to the results in a folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from napari_cebra.pipeline.decode import decode
from napari_cebra.pipeline.fit import fit
from napari_cebra.pipeline.load import load_recording
from napari_cebra.pipeline.results import writable_folder, write_results

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    import numpy as np

    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.decoding_result import Decoding
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.recording import Recording

R = TypeVar("R")
Y = TypeVar("Y")


def exhaust(
    work: Generator[Y, None, R], on_report: Callable[[Y], object] | None = None
) -> R:
    """Run long work to its end and return its result.

    Parameters
    ----------
    work : generator
        Yields reports and returns a result.
    on_report : callable, optional
        Called with each report.
    """
    try:
        while True:
            report = next(work)
            if on_report is not None:
                on_report(report)
    except StopIteration as end:
        return end.value
    finally:
        work.close()


@dataclass(frozen=True, eq=False)
class Results:
    """Everything one run made.

    Parameters
    ----------
    recording : Recording
    embedding : Embedding
    decoding : Decoding or None
        None without a target.
    summary : dict
        As in ``summary.json``.
    """

    recording: Recording
    embedding: Embedding
    decoding: Decoding | None
    summary: dict[str, Any]


def run(
    config: PipelineConfig,
    out: str | Path,
    true_dff: np.ndarray | None = None,
) -> Generator[Any, None, Results]:
    """Load, fit, decode, and write the results into a folder.

    Parameters
    ----------
    config : PipelineConfig
    out : path
        Folder; made if it is not there. Files of an earlier run are replaced.
    true_dff : (T, N), optional
        Noiseless dF/F of a simulation, one column per ROI id from 1.

    Yields
    ------
    Progress, FitReport or DecodeReport
        All have ``done``, ``total`` and ``text``.

    Raises
    ------
    InvalidInput
        If an input cannot be used or the folder cannot be written to.
    """
    folder = writable_folder(out)
    seconds: dict[str, float] = {}
    begun = last = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal last
        now = time.perf_counter()
        seconds[part], last = round(now - last, 3), now

    recording = yield from load_recording(config)
    lap("loading")
    embedding = yield from fit(recording, config)
    lap("fitting")
    decoding = None
    if config.target.name is not None:
        decoding = yield from decode(recording, embedding)
        lap("decoding")
        seconds["controls"] = decoding.seconds.get("controls", 0.0)
    seconds["until_writing"] = round(time.perf_counter() - begun, 3)
    summary = yield from write_results(
        folder,
        recording,
        embedding,
        decoding,
        true_dff=true_dff,
        seconds=seconds,
    )
    return Results(recording, embedding, decoding, summary)
