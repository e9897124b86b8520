"""What an alignment found, as a person reads it; window and command line alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.pipeline.align_clocks import has_own_times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_cebra.pipeline.align import Aligned, LogAlignment
    from napari_cebra.recording import Recording


LEAST_COVERED = 0.9
"""Of the time of imaging: an unchecked log that spans less is told."""


def to_align(name: str, n_rows: int, n_frames: int) -> str:
    """Return what is to be done with a table that has not a row per frame."""
    hint = ""
    if abs(n_rows - n_frames) == 1:
        hint = (
            " A header line that looks like data, or a dropped frame, is the usual "
            "cause of one row more or less."
        )
    return (
        f"{name} has {n_rows} rows for {n_frames} frames: align them in the Align "
        f"step.{hint}"
    )


def log_facts(log: LogAlignment) -> dict[str, str]:
    """Return scale, offset, match and residuals of one log, each in words."""
    clock, fit = log.clock, log.fit
    facts = {
        "Clock": _speed(1 / clock.scale - 1),
        "Scale": f"{clock.scale:.7g}",
        "Offset": f"{clock.offset:.4f} s",
    }
    if clock.by == "rates":
        facts = {
            "Rate": f"{1 / clock.scale:.6g} rows per second",
            "Start": f"{clock.offset:.4f} s",
        }
    if fit is None:
        return facts
    n, residuals = fit.residuals.size, 1e3 * np.abs(fit.residuals)
    what = "pairs" if clock.by == "onsets" else "pulses"
    facts |= {
        "Matched": f"{n} of {min(fit.n_source, fit.n_target)} {what} "
        f"({clock.match_rate or 0:.0%})",
        "Residual": f"median {np.median(residuals):.3f} ms, largest "
        f"{residuals.max():.3f} ms",
    }
    if clock.by == "pulses":
        facts["Without partner"] = (
            f"{fit.n_target - n} missing in the log, {fit.n_source - n} extra in it"
        )
    return facts


def unchecked(logs: Iterable[LogAlignment]) -> list[str]:
    """Return what nothing has checked of logs that are placed as was said."""
    notes = []
    for log in logs:
        if log.fit is not None:
            continue
        notes.append(
            f"Nothing has checked the clock of the {log.what} log: it is as given."
        )
        if log.covered < LEAST_COVERED:
            notes.append(
                f"Warning: the {log.what} log spans only {log.covered:.0%} of the time "
                "of imaging; check its start and the unit of its times."
            )
    return notes


def frame_facts(made: Aligned) -> dict[str, str]:
    """Return what was found of the imaging frames, each in words."""
    facts = {"Dropped frames": dropped(made)}
    without = rows_without_data(made.recording)
    if without:
        facts["Not used"] = "; ".join(
            f"{n} frames, {why}" for why, n in without.items()
        )
    return facts


def dropped(made: Aligned, most: int = 5) -> str:
    """Return where frames were dropped."""
    gaps = made.gaps
    if gaps is None:
        if has_own_times(made.recording):
            return "not known: the frame times are too uneven"
        return "not known: the frames have no times of their own"
    if not gaps.after.size:
        return "none"
    where = [
        f"{length} after frame {row}"
        for row, length in zip(gaps.after[:most], gaps.lengths, strict=False)
    ]
    more = gaps.after.size - most
    rest = f", and {more} more gaps" if more > 0 else ""
    return f"{gaps.lengths.sum()} in {gaps.after.size} gaps: {', '.join(where)}{rest}"


def rows_without_data(recording: Recording) -> dict[str, int]:
    """Return how many frames a log says nothing about, by reason."""
    counts = np.bincount(recording.invalid_because, minlength=len(recording.reasons))
    return {
        reason: int(n)
        for reason, n in zip(recording.reasons, counts, strict=True)
        if n and reason.endswith(" log")
    }


def report(made: Aligned) -> list[str]:
    """Return everything as lines of text, for a terminal and the provenance."""
    said = []
    for log in made.logs:
        facts = "; ".join(f"{k.lower()} {v}" for k, v in log_facts(log).items())
        said.append(f"{log.what.capitalize()} log: {facts}.")
        said += [f"  {name}: {method}." for name, method in log.methods.items()]
    said += [f"{key}: {value}." for key, value in frame_facts(made).items()]
    return [*said, *made.notes]


def _speed(error: float) -> str:
    """Return how much faster a log's clock runs than the imaging clock."""
    if abs(error) < 5e-8:
        return "as fast as imaging"
    much = f"{abs(error):.2%}" if abs(error) >= 1e-3 else f"{1e6 * abs(error):.1f} ppm"
    return f"{much} {'fast' if error > 0 else 'slow'}"
