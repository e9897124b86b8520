"""Scores in words and numbers a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cebra.widgets.scores_table import ScoreRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.pipeline import Decoding

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
    ("R²", "r2", _PLAIN, "Share of the variance explained on held-out rows"),
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
        "Median angle between decoded and true value, in the variable's unit",
    ),
    (
        "Balanced accuracy",
        "balanced_accuracy",
        _SHARE,
        "Mean over classes of the share of rows decoded as their class",
    ),
)


def score_rows(decoding: Decoding) -> tuple[ScoreRow, ...]:
    """Return a row per score that applies to the target, the main one first."""
    rows = []
    for name, field, write, tip in _ROWS:
        ours = getattr(decoding.scores, field)
        if ours is None:
            continue
        others = (
            getattr(decoding.chance, field),
            decoding.control(field),
            getattr(decoding.raw, field),
        )
        texts = ["–" if other is None else write(other) for other in others]
        rows.append(ScoreRow(name, write(ours), *texts, tip=tip))
    return tuple(rows)


def verdict(decoding: Decoding) -> str:
    """Return the main score in one sentence, with what it is to be compared with."""
    rows = score_rows(decoding)
    if not rows:
        return "Nothing could be scored: no row was held out."
    row = rows[0]
    return (
        f"{row.name}: {row.ours} from the latents (chance {row.chance}, shuffled "
        f"control {row.shuffled}, raw population {row.raw}), on "
        f"{decoding.scores.n_rows} rows that nothing was fitted to."
    )
