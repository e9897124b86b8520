"""What the commands do. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import argparse

    from napari_cebra.pipeline import PipelineConfig
    from napari_cebra.recording import Recording

_MOVIE_NAMES = ("stimulus", "movie", "shown")


def demo(chosen: argparse.Namespace) -> int:
    """Open the built-in recording, or run everything on it."""
    seed = 0 if chosen.seed is None else chosen.seed
    if chosen.screenshots and (chosen.headless or chosen.out is None):
        raise InvalidInput(
            "--screenshots are of the window and go into a folder: leave --headless "
            "out and add --out DIR."
        )
    if not chosen.headless:
        _need_display()
        from napari_cebra.widgets.launch import open_demo

        return open_demo(seed, chosen.out, chosen.screenshots)
    if chosen.out is None:
        raise InvalidInput("--headless needs a folder for the results: add --out DIR.")
    from napari_cebra.cli.progress import ProgressLine
    from napari_cebra.cli.report import print_results
    from napari_cebra.pipeline import exhaust
    from napari_cebra.pipeline.demo import run_demo
    from napari_cebra.pipeline.results import writable_folder

    folder = writable_folder(chosen.out)
    with ProgressLine() as line:
        results = exhaust(run_demo(folder, seed), line.show)
    print_results(results.summary, folder)
    return 0


def _need_display() -> None:
    """Refuse where Qt would abort the process instead of raising."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, named)):
        raise InvalidInput(
            "There is no display to open a window on; add --headless --out DIR, or "
            "start it under xvfb-run."
        )


def run(chosen: argparse.Namespace) -> int:
    """Run everything on a recording."""
    from napari_cebra.cli.progress import ProgressLine
    from napari_cebra.cli.report import print_alignment, print_notes, print_results
    from napari_cebra.pipeline import exhaust
    from napari_cebra.pipeline import run as run_pipeline

    config = configuration(chosen)
    with ProgressLine() as line:
        results = exhaust(run_pipeline(config, chosen.out), line.show)
    print_alignment(results.recording)
    print_notes(results.recording)
    print_results(results.summary, Path(chosen.out))
    return 0


def compare(chosen: argparse.Namespace) -> int:
    """Compare variables, and write the table."""
    from napari_cebra.cli.progress import ProgressLine
    from napari_cebra.cli.report import print_alignment, print_comparison, print_notes
    from napari_cebra.io import replacing, write_decoded_csv
    from napari_cebra.pipeline import compare_hypotheses, exhaust, load_recording
    from napari_cebra.pipeline.results import writable_folder

    config = configuration(chosen)
    folder = writable_folder(chosen.out)
    with ProgressLine() as line:
        recording = exhaust(load_recording(config), line.show)
        candidates = _candidates(chosen.candidates, recording)
        found = exhaust(
            compare_hypotheses(
                recording, candidates, config, chosen.n_seeds, chosen.n_shuffled
            ),
            line.show,
        )
    with replacing(folder / "config.json") as draft:
        draft.write_text(found.config.to_json(), encoding="utf-8")
    write_decoded_csv(folder / "comparison.csv", found.columns())
    print_alignment(recording)
    print_notes(recording)
    print_comparison(found, recording.name, folder)
    return 0


def _candidates(
    names: list[str] | None, recording: Recording
) -> list[str | tuple[str, ...]]:
    """Return what was asked for; a + joins variables, unless it is in a name."""
    from napari_cebra.pipeline import STIMULUS

    there = [variable.name for variable in recording.variables]
    if recording.stimulus is not None:
        there = [STIMULUS, *there]
    asked = there if names is None else names
    return [name if name in there else tuple(name.split("+")) for name in asked]


def search(chosen: argparse.Namespace) -> int:
    """Search settings for a recording."""
    from napari_cebra.cli.progress import ProgressLine
    from napari_cebra.cli.report import print_alignment, print_notes, print_search
    from napari_cebra.io import replacing
    from napari_cebra.pipeline import exhaust, load_recording, search_settings

    config = configuration(chosen)
    saved = None if chosen.save is None else Path(chosen.save)
    if saved is not None and (saved.is_dir() or not saved.parent.is_dir()):
        raise InvalidInput(
            f"The settings cannot be saved as {saved}; name a file in a folder that "
            "exists."
        )
    with ProgressLine() as line:
        recording = exhaust(load_recording(config), line.show)
        result = exhaust(search_settings(recording, config), line.show)
    print_alignment(recording)
    print_notes(recording)
    print_search(result)
    if saved is not None:
        with replacing(saved) as draft:
            draft.write_text(result.settings().to_json(), encoding="utf-8")
        print(f"Settings: {saved}")
    return 0


def register(chosen: argparse.Namespace) -> int:
    """Estimate the motion of a stack; write shifts and the corrected movie."""
    from napari_cebra.cli.motion_options import motion_settings
    from napari_cebra.cli.progress import ProgressLine
    from napari_cebra.cli.report import print_motion
    from napari_cebra.io import open_stack
    from napari_cebra.io.stack_writer import check_new_stack, write_stack
    from napari_cebra.pipeline import SourceConfig, exhaust
    from napari_cebra.pipeline.motion import (
        check_shifts_path,
        corrected_stack,
        write_shifts,
    )
    from napari_cebra.traces.motion import MotionSettings
    from napari_cebra.traces.motion import register as estimate

    settings = motion_settings(MotionSettings(), chosen)
    if settings is None or (chosen.shifts is None and chosen.movie is None):
        raise InvalidInput(
            "There is nothing to write: give --shifts FILE or --movie FILE, and "
            "--motion rigid or piecewise."
        )
    shifts = None if chosen.shifts is None else check_shifts_path(chosen.shifts)
    movie = None if chosen.movie is None else check_new_stack(chosen.movie)
    source = SourceConfig(channel=chosen.channel, plane=chosen.plane)
    with open_stack(
        chosen.stack, chosen.axes, chosen.dataset, chosen.rate, source.select
    ) as stack:
        with ProgressLine() as line:
            motion = exhaust(estimate(stack, settings), line.show)
            if shifts is not None:
                write_shifts(shifts, motion, stack.rate)
            if movie is not None:
                exhaust(write_stack(movie, corrected_stack(stack, motion)), line.show)
        print_motion(motion, stack.name)
    for written in filter(None, (shifts, movie)):
        print(f"Written: {written}")
    return 0


def configuration(chosen: argparse.Namespace) -> PipelineConfig:
    """Return the settings that the arguments describe.

    Raises
    ------
    InvalidInput
        If one cannot be used, or two contradict each other.
    """
    from napari_cebra.cli.clock_options import clock_settings
    from napari_cebra.cli.detection_options import detection_settings
    from napari_cebra.cli.motion_options import motion_settings
    from napari_cebra.cli.trace_options import trace_settings
    from napari_cebra.pipeline import PipelineConfig
    from napari_cebra.pipeline.encoder_shape import KINDS

    base = PipelineConfig()
    if chosen.config is not None:
        base = PipelineConfig.from_json(_read_text(Path(chosen.config)))
    given = vars(chosen)
    source = replace(base.source, **_given(base.source, given))
    target = {key: given[key] for key in ("kind", "period", "mode") if given[key]}
    name = _target_name(chosen.target, source.shown_column)
    untargeted = name is None and base.target.name is None
    if untargeted and target and target.get("mode") != "time":
        raise InvalidInput(
            f"--{next(iter(target))} needs a --target: name the column of the "
            "variables table that is to be decoded."
        )
    if name is not None:
        target["name"] = name
        target.setdefault("mode", "behavior")
    training = {
        "max_iterations": chosen.steps,
        "device": chosen.device,
        "threads": chosen.threads,
        "num_hidden_units": chosen.hidden_units,
        "output_dimension": chosen.dimensions,
        "temperature": chosen.temperature,
    }
    encoder = {
        "seconds": chosen.receptive_field,
        "frames": chosen.receptive_frames,
        "first_kernel": chosen.first_kernel,
    }
    if chosen.encoder in KINDS:
        encoder["kind"] = chosen.encoder
    elif chosen.encoder is not None:
        training["model_architecture"] = chosen.encoder
    training = {key: value for key, value in training.items() if value is not None}
    encoder = {key: value for key, value in encoder.items() if value is not None}
    return replace(
        base,
        source=source,
        motion=motion_settings(base.motion, chosen),
        align=clock_settings(base.align, chosen),
        detection=detection_settings(base.detection, chosen),
        dff=trace_settings(base.dff, chosen),
        target=replace(base.target, **target),
        decoding=replace(base.decoding, **_given(base.decoding, given)),
        training_changes={**base.training_changes, **training},
        encoder=replace(base.encoder, **encoder),
        seed=base.seed if chosen.seed is None else chosen.seed,
    )


def _given(section: Any, given: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(section)}
    return {k: v for k, v in given.items() if k in names and v is not None}


def _target_name(name: str | None, shown_column: str | None) -> str | None:
    from napari_cebra.pipeline import STIMULUS

    if shown_column is None:
        return name
    if name is None or name == shown_column or name in _MOVIE_NAMES:
        return STIMULUS
    return name


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"The settings {path} cannot be read ({error}); choose a config.json that "
            "an earlier run wrote, or a NAME_summary.json of the window."
        ) from error
