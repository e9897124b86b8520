"""Everything that was made of one recording, in one folder ``NAME.cebra``.

Arrays stand in files named after their content and are never changed, so an
autosave writes only what is new. Then ``project.cebra.json``, which names
them, is replaced in one step, and what it no longer names is removed: a crash
at any moment leaves the last good state. Raw files are referred to, never
copied.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io import SourceFile, open_movie, open_stack, replacing
from napari_cebra.pipeline.config import PipelineConfig
from napari_cebra.pipeline.project_codec import Arrays, decode, encode, plain
from napari_cebra.pipeline.project_files import (
    read_arrays,
    read_encoder,
    remove_others,
    write_arrays,
    write_encoder,
)
from napari_cebra.pipeline.project_manifest import (
    FORMAT,
    NAME,
    SCHEMA,
    Manifest,
    damaged,
    manifest_text,
    read_manifest,
)
from napari_cebra.recording import InvalidInput
from napari_cebra.recording.atomic import why_not_written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.io import Stack
    from napari_cebra.pipeline.attribution import RoiShares
    from napari_cebra.pipeline.decoding_result import Decoding
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.pipeline.hypothesis_table import HypothesisComparison
    from napari_cebra.recording import Recording, RoiSet
    from napari_cebra.traces.motion import Motion

SUFFIX = ".cebra"


@dataclass(frozen=True)
class StackReference:
    """A raw stack and how to open it.

    Parameters
    ----------
    source : SourceFile
        By which it is recognised.
    axes, dataset : str, optional
        As for `io.open_stack`.
    rate : float, optional
        Frames per second.
    select : mapping, optional
        Channel or plane, as for `io.open_stack`.
    pixel_um : (y, x), optional
        Size of a pixel in µm.
    """

    source: SourceFile
    axes: str | None = None
    dataset: str | None = None
    rate: float | None = None
    select: Mapping[str, int] | None = None
    pixel_um: tuple[float, float] | None = None

    def open(self) -> Stack:
        """Open the stack lazily; raises InvalidInput as `io.open_stack`."""
        return open_stack(
            self.source.path,
            self.axes,
            self.dataset,
            self.rate,
            self.select,
            self.source.series,
            self.pixel_um,
        )


@dataclass(frozen=True, eq=False)
class Project:
    """What is open, as one value to be saved and opened again.

    Parameters
    ----------
    stack : StackReference, optional
        The raw stack.
    movie : SourceFile, optional
        File of the stimulus movie. A movie that came from no file is kept in
        the project.
    rois : RoiSet, optional
        As drawn or loaded now, perhaps not extracted yet.
    mean_image : (Y, X) float32, optional
        Mean of the stack.
    recording : Recording, optional
        With raw counts, neuropil, dF/F, variables, alignment and provenance.
    embedding : Embedding, optional
        With its encoder.
    decoding : Decoding, optional
    config : PipelineConfig
        What was chosen in the steps.
    view_state : mapping
        Whatever the window wants to find again (JSON types).
    missing : tuple of SourceFile
        Raw files that were not where they used to be; see `relink`.
    shares : RoiShares, optional
        Of the ROIs in the embedding.
    comparison : HypothesisComparison, optional
    motion : Motion, optional
        Of the stack.
    """

    stack: StackReference | None = None
    movie: SourceFile | None = None
    rois: RoiSet | None = None
    mean_image: np.ndarray | None = None
    recording: Recording | None = None
    embedding: Embedding | None = None
    decoding: Decoding | None = None
    config: PipelineConfig = field(default_factory=PipelineConfig)
    view_state: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[SourceFile, ...] = ()
    shares: RoiShares | None = None
    comparison: HypothesisComparison | None = None
    motion: Motion | None = None


def save_project(project: Project, folder: str | os.PathLike[str]) -> Path:
    """Save into a folder, writing only what does not stand there already.

    Parameters
    ----------
    project : Project
    folder : path
        ``NAME.cebra``; made if it is not there.

    Returns
    -------
    Path
        The ``project.cebra.json`` in it.

    Raises
    ------
    InvalidInput
        If the folder has another name, cannot be written to, or the disk is
        full; what was saved before is then still there.
    """
    folder = Path(folder).absolute()
    if folder.suffix != SUFFIX:
        raise InvalidInput(
            f"A project is a folder NAME{SUFFIX}, not {folder.name}; choose a name "
            f"that ends in {SUFFIX}."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InvalidInput(why_not_written(folder, error)) from error
    manifest, arrays = _manifest(project, folder)
    if project.embedding is not None:
        manifest["encoder"] = write_encoder(folder, project.embedding.encoder)
    for part, content in arrays.items():
        manifest["files"][part] = write_arrays(folder, part, content)
    named = [*manifest["files"].values(), manifest["encoder"]]
    text = manifest_text(manifest)
    lost = [name for name in named if name and not (folder / name).exists()]
    if lost:
        raise InvalidInput(
            f"While {folder.name} was being saved, another program removed "
            f"{lost[0]} from it; close the other window and save again."
        )
    with replacing(folder / NAME) as draft:
        draft.write_text(text, "utf-8")
    remove_others(folder, named)
    return folder / NAME


def open_project(path: str | os.PathLike[str]) -> Project:
    """Open a project folder or the ``project.cebra.json`` in it.

    Raw files are looked for where they were, where they lie relative to the
    folder, and beside it; those not found are listed in ``missing``.

    Raises
    ------
    InvalidInput
        If it is no project, is from a later version, or a file in it is
        missing, damaged or was changed.
    """
    path = Path(path).absolute()
    path = path / NAME if path.is_dir() else path
    manifest = read_manifest(path)
    folder = path.parent
    arrays = {
        part: read_arrays(folder / name) for part, name in manifest["files"].items()
    }
    encoder = manifest.get("encoder")
    given = {} if encoder is None else {"encoder": read_encoder(folder / encoder)}
    try:
        project = _project(manifest, arrays, given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(damaged(path, "its parts do not fit together")) from error
    return _found(project, manifest, folder)


def relink(project: Project, old: SourceFile, new: str | os.PathLike[str]) -> Project:
    """Return the project with a raw file that moved at its new place.

    Parameters
    ----------
    project : Project
    old : SourceFile
        One of ``project.missing``, or the stack's or the movie's source.
    new : path
        Where it is now.

    Raises
    ------
    InvalidInput
        If the file there is another one.
    """
    if not old.matches(new):
        raise InvalidInput(
            f"{Path(new).name} is not the file this project was made from: its size "
            f"or content differs from that of {old.name} ({old.size} bytes); choose "
            "the original or an exact copy of it."
        )
    moved = replace(old, path=os.path.abspath(new))
    missing = tuple(source for source in project.missing if source != old)
    project = replace(project, missing=missing)
    if project.stack is not None and project.stack.source == old:
        project = replace(project, stack=replace(project.stack, source=moved))
    if project.movie == old:
        project = _with_movie(replace(project, movie=moved))
    return project


def _manifest(project: Project, folder: Path) -> tuple[Manifest, Arrays]:
    arrays: Arrays = {}
    recording, stack, movie = project.recording, project.stack, project.movie
    of_recording = recording is not None and project.rois is recording.rois
    shown = None if recording is None or movie is not None else recording.stimulus
    kept = None if shown is None or shown.movie is None else np.asarray(shown.movie)
    manifest: Manifest = {
        "format": FORMAT,
        "schema": SCHEMA,
        "written_by": _version(),
        "files": {},
        "encoder": None,
        "stack": None if stack is None else _stack_node(stack, folder),
        "movie": None if movie is None else _source_node(movie, folder),
        "rois": "recording" if of_recording else encode(project.rois, "rois", arrays),
        "mean_image": encode(project.mean_image, "mean_image", arrays, "pixels"),
        "kept_movie": encode(kept, "movie", arrays, "frames"),
        "recording": encode(recording, "recording", arrays),
        "embedding": encode(project.embedding, "embedding", arrays),
        "decoding": encode(project.decoding, "decoding", arrays),
        "shares": encode(project.shares, "shares", arrays),
        "comparison": encode(project.comparison, "comparison", arrays),
        "motion": encode(project.motion, "motion", arrays),
        "config": encode(project.config, "config", arrays),
        "view_state": plain(project.view_state),
    }
    return manifest, arrays


def _project(manifest: Manifest, arrays: Arrays, given: dict[str, Any]) -> Project:
    recording = decode(manifest.get("recording"), arrays)
    movie = decode(manifest.get("kept_movie"), arrays)
    if movie is not None:
        stimulus = replace(recording.stimulus, movie=movie)
        recording = replace(recording, stimulus=stimulus)
    rois = manifest.get("rois")
    stack = manifest.get("stack")
    if stack is not None:
        stack = {name: value for name, value in stack.items() if name != "hint"}
        stack = StackReference(**stack | {"source": _source(stack)})
    return Project(
        stack,
        None if manifest.get("movie") is None else _source(manifest["movie"]),
        recording.rois if rois == "recording" else decode(rois, arrays),
        decode(manifest.get("mean_image"), arrays),
        recording,
        decode(manifest.get("embedding"), arrays, **given),
        decode(manifest.get("decoding"), arrays),
        decode(manifest["config"], arrays),
        manifest.get("view_state", {}),
        shares=decode(manifest.get("shares"), arrays),
        comparison=decode(manifest.get("comparison"), arrays),
        motion=decode(manifest.get("motion"), arrays),
    )


def _found(project: Project, manifest: Manifest, folder: Path) -> Project:
    """Look for the raw files; note those that are not found."""
    missing = []
    for name in ("stack", "movie"):
        node = manifest.get(name)
        if node is None:
            continue
        source = _source(node)
        place = source.find(folder, node["hint"])
        try:
            if place is not None:
                project = relink(project, source, place)
        except InvalidInput:  # it cannot be opened here: `relink` will say why
            place = None
        if place is None:
            missing.append(source)
    return replace(project, missing=tuple(missing))


def _with_movie(project: Project) -> Project:
    """Attach the stimulus movie's frames, read when they are looked at."""
    recording, source = project.recording, project.movie
    if recording is None or recording.stimulus is None or source is None:
        return project
    movie = open_movie(source.path)
    stimulus = replace(recording.stimulus, movie=movie.array)
    return replace(project, recording=replace(recording, stimulus=stimulus))


def _stack_node(stack: StackReference, folder: Path) -> dict[str, Any]:
    return {
        **_source_node(stack.source, folder),
        "axes": stack.axes,
        "dataset": stack.dataset,
        "rate": stack.rate,
        "select": None if stack.select is None else plain(stack.select),
        "pixel_um": None if stack.pixel_um is None else list(stack.pixel_um),
    }


def _source_node(source: SourceFile, folder: Path) -> dict[str, Any]:
    return {"source": source.to_json(), "hint": source.hint_from(folder)}


def _source(node: Mapping[str, Any]) -> SourceFile:
    return SourceFile.from_json(node["source"])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"napari-cebra {version('napari-cebra')}"
    except PackageNotFoundError:
        return "napari-cebra"
