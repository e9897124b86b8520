"""Scores in words and numbers a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.decoding.scores import MORE_IS_BETTER
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import NapariCebraError
from napari_cebra.widgets.scores_table import ScoreRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.pipeline import Decoding
    from napari_cebra.recording import Recording

_SHARE: Callable[[float], str] = "{:.0%}".format
_FRAMES: Callable[[float], str] = "{:.0f}".format
_PLAIN: Callable[[float], str] = "{:.2f}".format
_VALUE: Callable[[float], str] = "{:.3g}".format

# Name, field of `decoding.Scores`, how it is written, what it means.
_ROWS = (
    (
        "Within 1 s",
        "within_1s",
        _SHARE,
        "Share of held-out frames decoded less than one second from the frame shown",
    ),
    (
        "Median frame error",
        "median_frame_error",
        _FRAMES,
        "Median distance between decoded and shown frame, in movie frames",
    ),
    (
        "Mean frame error",
        "mean_frame_error",
        _FRAMES,
        "Mean distance between decoded and shown frame, in movie frames",
    ),
    (
        "R²",
        "r2",
        _PLAIN,
        "Pooled 1 − SSE/SST over all held-out rows, SST about the mean of each "
        "fold's training rows: 0 is what that mean alone reaches, below 0 is worse",
    ),
    (
        "Median error",
        "median_error",
        _VALUE,
        "Median distance between decoded and true value, in the variable's unit",
    ),
    (
        "Median angle error",
        "median_angular_error",
        _VALUE,
        "Median angle between decoded and true value the short way round, in the "
        "variable's unit",
    ),
    (
        "Balanced accuracy",
        "balanced_accuracy",
        _SHARE,
        "Mean over classes of the share of rows decoded as their class",
    ),
)
_IN_FRAMES = ("median_frame_error", "mean_frame_error")
_IN_UNITS = ("median_error", "median_angular_error")


def score_rows(
    decoding: Decoding, recording: Recording | None = None
) -> tuple[ScoreRow, ...]:
    """Return a row per score that applies to the target, the main one first.

    Parameters
    ----------
    decoding : Decoding
    recording : Recording, optional
        Says the units of the target.
    """
    unit = "" if recording is None else _unit(recording, decoding.target)
    units = dict.fromkeys(_IN_FRAMES, "frames") | dict.fromkeys(_IN_UNITS, unit)
    rows = []
    for name, field, write, tip in _ROWS:
        ours = getattr(decoding.scores, field)
        if ours is None:
            continue
        if units.get(field):
            name = f"{name} ({units[field]})"
        chance, control, best, raw = (
            "–" if other is None else _written(write, other)
            for other in (
                getattr(decoding.chance, field),
                decoding.control(field),
                decoding.best_control(field),
                getattr(decoding.raw, field),
            )
        )
        if len(decoding.controls) > 1:
            control = f"{control} (best {best})"
        rows.append(ScoreRow(name, _written(write, ours), chance, control, raw, tip))
    return tuple(rows)


def verdict(decoding: Decoding, recording: Recording | None = None) -> str:
    """Return the main score in one sentence, with what it is to be compared with."""
    rows = score_rows(decoding, recording)
    if not rows:
        return "Nothing could be scored: no row was held out."
    row = rows[0]
    return (
        f"{row.name}: {row.ours} from the latents; chance {row.chance}, shuffled "
        f"control {row.shuffled}, raw population {row.raw}; on "
        f"{decoding.scores.n_rows} rows that nothing was fitted to."
    )


def doubts(decoding: Decoding) -> str:
    """Return in a sentence what the main score does not beat; "" if it beats all."""
    field = next(
        (f for _, f, *_ in _ROWS if getattr(decoding.scores, f) is not None), ""
    )
    if not field:
        return ""
    ours = getattr(decoding.scores, field)
    unbeaten = [
        name
        for name, other in (
            ("chance", getattr(decoding.chance, field)),
            ("the best shuffled control", decoding.best_control(field)),
        )
        if other is not None and not _better(field, ours, other)
    ]
    raw = getattr(decoding.raw, field)
    raw_is_better = raw is not None and _better(field, raw, ours)
    if unbeaten:
        also = ", and the raw population does better" if raw_is_better else ""
        return (
            f"The latents are no better than {' or '.join(unbeaten)}, so this is no "
            f"evidence that the target can be read from them{also}."
        )
    if raw_is_better:
        return (
            "The raw population decodes better than the latents, so the embedding "
            "adds nothing to this decoding."
        )
    return ""


def _better(field: str, one: float, other: float) -> bool:
    """Whether one is strictly better than the other; NaN beats nothing."""
    return one > other if field in MORE_IS_BETTER else one < other


def _written(write: Callable[[float], str], value: float) -> str:
    return write(value).replace("-", "−")


def _unit(recording: Recording, target: str) -> str:
    try:
        found = Target.of(recording, target)
    except NapariCebraError:  # the variable was taken out since
        return ""
    return "" if found is None else found.unit
