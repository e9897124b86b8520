"""What a run found, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_cebra.pipeline import HypothesisComparison, SearchResult
    from napari_cebra.recording import Recording
    from napari_cebra.traces.motion import Motion

_SCORES = (
    ("within_1s", "within 1 s", "{:.3f}", "max"),
    ("median_frame_error", "median frame error", "{:.1f}", "min"),
    ("mean_frame_error", "mean frame error", "{:.1f}", "min"),
    ("r2", "R²", "{:.3f}", "max"),
    ("median_error", "median error", "{:.3g}", "min"),
    ("median_angular_error", "median angular error", "{:.3g}", "min"),
    ("balanced_accuracy", "balanced accuracy", "{:.3f}", "max"),
)
_COMPARED = ("", "fit (bits)", "shuffled (bits)", "decoded", "seeds agree (R²)")
_HEADER = ("", "latents", "chance", "control", "best control", "raw population")


def print_alignment(recording: Recording) -> None:
    """Print how logs came onto the imaging clock, where they had one of their own."""
    from napari_cebra.pipeline.align import ALIGNED

    for step in recording.provenance:
        if step.name == ALIGNED:
            print("\n".join(step.parameters["report"]))


def print_notes(recording: Recording) -> None:
    """Print what is to be known of the recording before its results are believed."""
    from napari_cebra.pipeline.trace_report import notes_of

    for note in notes_of(recording):
        print(f"Note: {note}")


def print_results(summary: Mapping[str, Any], folder: Path) -> None:
    """Print scores beside what they are compared with, and where the files are."""
    training = summary["training"]
    fit = training["goodness_of_fit_bits"]
    held = "unknown" if fit is None else f"{fit:.2f} bits on held-out rows"
    print(
        f"{summary['name']}: {summary['n_rois']} ROIs, {summary['n_frames']} frames; "
        f"{training['steps']} steps in {training['seconds']:.1f} s on "
        f"{summary['device']}, goodness of fit {held}."
    )
    truth = summary["traces"]["median_correlation_with_truth"]
    if truth is not None:
        print(f"Traces correlate with the truth at {truth:.3f} (median over ROIs).")
    rows = _rows(summary["decoding"])
    if rows:
        name, n = summary["target"]["name"], summary["decoding"]["n_rows"]
        print(f"{name} decoded on {n} rows that nothing was fitted to:")
        for row in (_HEADER, *rows):
            print(f"  {row[0]:<22}" + "".join(f"{cell:>16}" for cell in row[1:]))
    if summary["target"]["kind"] == "movie" and rows:
        print("Frames are looked up in the movie, not painted.")
    print(f"Results: {folder}")


def print_comparison(found: HypothesisComparison, name: str, folder: Path) -> None:
    """Print each variable beside its control, and what that supports."""
    from napari_cebra.pipeline.hypothesis_words import (
        interval_text,
        main_scores,
        score_text,
        verdict,
    )

    print(
        f"{name}: {len(found.hypotheses)} candidates on {len(found.folds)} held-out "
        f"blocks, {len(found.seeds)} seeds and {found.n_controls} controls each, in "
        f"{found.seconds:.0f} s (95 % intervals)."
    )
    table = [_COMPARED]
    for row in found.rows:
        if row.kind == "shuffled":
            continue
        control = found.control(row)
        scores = main_scores(row) if row.kind != "time" else ()
        table.append(
            (
                row.name if row.kind != "time" else "time alone (not comparable)",
                interval_text(row.goodness_of_fit),
                "–" if control is None else interval_text(control.goodness_of_fit),
                ", ".join(map(score_text, scores)) or "–",
                interval_text(row.consistency),
            )
        )
    widths = [max(map(len, column)) + 2 for column in zip(*table, strict=True)]
    for cells in table:
        print("  " + "".join(map(str.ljust, cells, widths)).rstrip())
    for row in found.hypotheses:
        print(verdict(row))
    print(f"Results: {folder}")


def print_motion(motion: Motion, name: str) -> None:
    """Print how far frames moved, and how much better they agree now."""
    from napari_cebra.pipeline.motion_words import motion_lines

    print(f"{name}: {motion.settings.kind} registration.")
    for line in motion_lines(motion):
        print(line)


def print_search(result: SearchResult) -> None:
    """Print what was tried, what is proposed, and what judged it."""
    header = ("window", "kernel", "temperature", "latents", result.heading, "spread")
    print("".join(f"{cell:>15}" for cell in header))
    for line in result.lines:
        mark = "  proposed" if line is result.proposed else ""
        print("".join(f"{cell:>15}" for cell in result.cells(line)) + mark)
    print(result.verdict())
    print(result.judged())


def _rows(decoding: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for key, name, form, best in _SCORES:
        if decoding[key] is None:
            continue
        keys = (
            key,
            f"chance_{key}",
            f"shuffled_{key}",
            f"shuffled_{key}_{best}",
            f"raw_knn_{key}",
        )
        values = (decoding[k] for k in keys)
        cells = ("–" if value is None else form.format(value) for value in values)
        rows.append((name, *cells))
    return rows
