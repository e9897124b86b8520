"""Variables by how well they explain the activity, each beside its control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtGui import QColor

from napari_cebra.pipeline.hypothesis_words import (
    interval_text,
    main_scores,
    score_text,
    verdict,
)
from napari_cebra.widgets.sortable_table import Column, SortableTable
from napari_cebra.widgets.stepper import DONE

if TYPE_CHECKING:
    from napari_cebra.pipeline import (
        HypothesisComparison,
        HypothesisRow,
    )

_UNCLEAR = "#808080"
_TIME = "time alone"
_NAMES = {
    "mean_frame_error": "Mean frame error",
    "median_error": "Median error",
    "r2": "R²",
    "median_angular_error": "Median angle error",
    "balanced_accuracy": "Balanced accuracy",
}


class HypothesesTable(SortableTable):
    """A row per variable, and one for time alone; intervals below the means."""

    def __init__(self) -> None:
        super().__init__(sorted_by=1, descending=True, most_rows=6)
        line = self.fontMetrics().height()
        self.verticalHeader().setDefaultSectionSize(2 * line + 8)
        self.setSelectionMode(SortableTable.SelectionMode.NoSelection)

    def set_comparison(self, comparison: HypothesisComparison | None) -> None:
        """Show what was found; None empties the table."""
        if comparison is None:
            self.set_columns(())
            return
        lines = [row for row in comparison.rows if row.kind != "shuffled"]
        controls = [comparison.control(line.name) for line in lines]

        def fit(row: HypothesisRow | None) -> float:
            return np.nan if row is None else row.goodness_of_fit.mean

        def explained(at: int) -> str:
            return _explained(lines[at], controls[at])

        self.set_columns(
            (
                Column(
                    "Variable",
                    "What was learnt from; green where the fit is above that of the "
                    "shuffled control on the held-out blocks (95 % interval)",
                    np.array([_name(line) for line in lines]),
                    lambda at: _name(lines[at]),
                    explained,
                    lambda at: QColor(DONE if lines[at].beats_control else _UNCLEAR),
                ),
                Column(
                    "Fit (bits)",
                    "Goodness of fit on held-out blocks, with its 95 % interval; 0 is "
                    "chance. A variable with few values can reach few bits, so compare "
                    "each with its own control",
                    np.array([fit(line) for line in lines]),
                    lambda at: interval_text(lines[at].goodness_of_fit, "\n"),
                    explained,
                ),
                Column(
                    "Shuffled",
                    "The same with the variable shuffled and the encoder trained "
                    "again, in bits: what a variable that says nothing reaches",
                    np.array([fit(control) for control in controls]),
                    lambda at: (
                        "–"
                        if controls[at] is None
                        else interval_text(controls[at].goodness_of_fit, "\n")
                    ),
                    explained,
                ),
                Column(
                    "Decoded",
                    "How well the variable is decoded from the held-out rows: the "
                    "error in its unit, or the share of right classes",
                    np.array([_main_score(line) for line in lines]),
                    lambda at: _decoded(lines[at]),
                    explained,
                ),
                Column(
                    "Seeds agree",
                    "Held-out R² of a linear map between the latents of two seeds; 1 "
                    "is the same embedding each time",
                    np.array([line.consistency.mean for line in lines]),
                    lambda at: interval_text(lines[at].consistency, "\n"),
                    explained,
                ),
            )
        )


def _name(row: HypothesisRow) -> str:
    return _TIME if row.kind == "time" else row.name


def _main_score(row: HypothesisRow) -> float:
    return np.nan if row.kind == "time" else row.decoding[0].interval.mean


def _decoded(row: HypothesisRow) -> str:
    if row.kind == "time":
        return "–"
    return "\n".join(score_text(score, "\n") for score in main_scores(row))


def _explained(row: HypothesisRow, control: HypothesisRow | None) -> str:
    """Say in full what a row holds, in place of a narrow table."""
    parts = [verdict(row) or f"{_name(row)}: no variable is used."]
    for score in row.decoding:
        text = f"{_NAMES[score.measure]} of {score.variable}: {score_text(score)}"
        if control is not None:
            shuffled = control.score(score.variable, score.measure)
            text += f"; shuffled {score_text(shuffled)}"
        parts.append(f"{text}.")
    return "\n".join(parts)
