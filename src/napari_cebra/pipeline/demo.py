"""The built-in recording, all the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cebra.pipeline.config import (
    STIMULUS,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
)
from napari_cebra.pipeline.run import Results, run
from napari_cebra.simulate import V1Movie, make_v1_files

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.simulate import V1Files


def demo_config(files: V1Files, seed: int = 0) -> PipelineConfig:
    """Return the default settings for the built-in recording."""
    return PipelineConfig(
        source=SourceConfig(
            stack=str(files.stack),
            rois=str(files.rois),
            variables=str(files.frames),
            shown_column="shown",
            repeat_column="repeat",
            movie=str(files.movie),
            movie_rate=files.rate,
        ),
        target=TargetConfig(STIMULUS),
        seed=seed,
    )


def run_demo(
    out: str | Path,
    seed: int = 0,
    movie: V1Movie | None = None,
    config: PipelineConfig | None = None,
) -> Generator[Any, None, Results]:
    """Make the built-in recording if need be, and run everything on it.

    Parameters
    ----------
    out : path
        Folder for the results.
    seed : int
        Of the recording and of everything random after it.
    movie : V1Movie, optional
        Another size of the same simulation.
    config : PipelineConfig, optional
        Settings other than the default; its source is replaced.

    Yields
    ------
    Progress, FitReport or DecodeReport
    """
    files = yield from make_v1_files(V1Movie(seed=seed) if movie is None else movie)
    default = demo_config(files, seed)
    if config is not None:
        default = replace(config, source=default.source, target=default.target)
    return (yield from run(default, out, files.true_dff()))
