"""Between a project folder and what is open in a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.pipeline.motion import corrected_stack
from napari_cebra.recording import Progress
from napari_cebra.widgets.opening import Accompaniment, contrast_limits

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.io import SourceFile, Stack
    from napari_cebra.pipeline.project import Project
    from napari_cebra.widgets.session import Session

    Reopened = tuple[Project, Stack | None, tuple[float, float] | None]


def snapshot(session: Session) -> Project:
    """Return everything that is open as one value to be saved."""
    from napari_cebra.pipeline.project import Project, StackReference

    workspace, stack = session.workspace, session.workspace.stack
    source = session.config.source
    reference = None
    if stack is not None and stack.source is not None:
        reference = StackReference(
            stack.source,
            stack.axes,
            source.dataset,
            stack.rate,
            dict(session.select) or None,
            stack.pixel_um,
        )
    elif stack is None and session.missing_stack is not None:
        reference = session.missing_stack  # not found here, but not forgotten
    movie = session.accompaniment.movie
    return Project(
        stack=reference,
        movie=session.movie_source if movie is None else movie.source,
        rois=workspace.rois,
        mean_image=workspace.mean_image,
        recording=workspace.recording,
        embedding=workspace.embedding,
        decoding=workspace.decoding,
        shares=workspace.shares,
        comparison=workspace.comparison,
        motion=workspace.motion,
        config=session.config,
        view_state={**workspace.view_state, "frame": workspace.timeline.frame},
    )


def saving(project: Project, folder: Path) -> Generator[Progress, None, Path]:
    """Save a snapshot; return the folder."""
    from napari_cebra.pipeline.project import save_project

    yield Progress(0, 0, "", f"Saving {folder.name}")
    return save_project(project, folder).parent


def reopening(path: Path) -> Generator[Progress, None, Reopened]:
    """Read a project folder and open its stack, where that is found."""
    from napari_cebra.pipeline.project import open_project

    yield Progress(0, 0, "", f"Opening {path.name}")
    return _with_stack(open_project(path))


def relinking(
    project: Project, source: SourceFile, place: Path
) -> Generator[Progress, None, Reopened]:
    """Look whether a file is the one that is missed, and open it."""
    from napari_cebra.pipeline.project import relink

    yield Progress(0, 0, "", f"Comparing {place.name}")
    return _with_stack(relink(project, source, place))


def restore(session: Session, reopened: Reopened, folder: Path) -> None:
    """Open everything that was saved; called on the GUI thread."""
    project, stack, limits = reopened
    workspace = session.workspace
    previous = workspace.stack
    session.config = project.config
    session.accompaniment = Accompaniment()  # was that of another recording
    session.movie_source = project.movie
    session.select = dict(project.stack.select or {}) if project.stack else {}
    session.missing_stack = project.stack if stack is None else None
    session.main_view.expect(None, limits)
    workspace.view_state.clear()
    workspace.view_state.update(project.view_state)
    workspace.set_stack(stack)
    if previous is not None:
        previous.close()
    workspace.set_motion(project.motion)
    if stack is not None and project.motion is not None:  # ROIs were drawn on it
        session.main_view.show_frames(corrected_stack(stack, project.motion).lazy)
    if project.rois is not None:
        workspace.set_rois(project.rois, forget_history=True)
    workspace.set_mean_image(project.mean_image)
    workspace.set_recording(project.recording)
    workspace.set_embedding(project.embedding)
    workspace.set_decoding(project.decoding)
    workspace.set_shares(project.shares)
    workspace.set_comparison(project.comparison)
    workspace.timeline.set(int(project.view_state.get("frame", 0)))
    session.configChanged.emit()
    workspace.mark_saved(folder)


def missing_text(project: Project) -> str:
    """Return which raw files were not found, and what can be done."""
    names = " and ".join(source.name for source in project.missing)
    return (
        f"{names} is not where it was when the project was saved; everything else is "
        "open. Press Relink to say where it is now."
    )


def _with_stack(project: Project) -> Reopened:
    reference = project.stack
    if reference is None or reference.source in project.missing:
        return project, None, None
    stack = reference.open()
    return project, stack, contrast_limits(stack)
