"""Variables by how well they explain the activity, each beside its control."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_cebra.pipeline.hypothesis_table import Interval
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

_BELOW = "{}\n{} to {}"  # the interval below its mean
_UNCLEAR = "#808080"
_HEADING_MARGIN = 18  # pixels, with the arrow of the order
_NOTHING = Interval(np.nan, np.nan, np.nan)
_TIME = "time alone"
_NO_RIVAL = (
    "not comparable: neighbouring windows overlap, which gains bits even in noise"
)
# Beside a number in the column of median errors that is another measure.
_OTHERWISE = {"mean_frame_error": "{} mean"}
_NAMES = {
    "mean_frame_error": "Mean frame error",
    "median_error": "Median error",
    "r2": "R²",
    "median_angular_error": "Median angle error",
    "balanced_accuracy": "Balanced accuracy",
}


class HypothesesTable(SortableTable):
    """A row per variable, intervals below the means; time alone last, out of order."""

    def __init__(self) -> None:
        super().__init__(sorted_by=1, descending=True, most_rows=6)
        self.setStyleSheet("font-size: 11px;")  # five columns in a narrow dock
        line = self.fontMetrics().height()
        self.verticalHeader().setDefaultSectionSize(2 * line + 8)
        self.setSelectionMode(SortableTable.SelectionMode.NoSelection)

    def set_comparison(self, comparison: HypothesisComparison | None) -> None:
        """Show what was found; None empties the table."""
        if comparison is None:
            self.set_columns(())
            return
        lines = [row for row in comparison.rows if row.kind != "shuffled"]
        controls = [comparison.control(line) for line in lines]

        def explained(at: int) -> str:
            return _explained(lines[at], controls[at])

        self.set_columns(
            (
                Column(
                    "Variable",
                    "What was learnt from; green where the fit on the held-out blocks "
                    "is above chance and above the shuffled control (95 % intervals)",
                    np.array([_name(line) for line in lines]),
                    lambda at: _name(lines[at]).replace("_", "_\u200b"),  # may wrap
                    explained,
                    lambda at: QColor(DONE if lines[at].is_supported else _UNCLEAR),
                ),
                Column(
                    "Fit\n(bits)",
                    "Goodness of fit on held-out blocks, with its 95 % interval; 0 is "
                    "chance. A variable with few values can reach few bits, so compare "
                    "each with its own control",
                    np.array([_fit(line).mean for line in lines]),
                    lambda at: interval_text(lines[at].goodness_of_fit, _BELOW),
                    explained,
                ),
                Column(
                    "Shuffled",
                    "The same with the variable shuffled and the encoder trained "
                    "again, in bits: what a variable that says nothing reaches",
                    np.array([_fit(control).mean for control in controls]),
                    lambda at: _mean(_fit(controls[at])),
                    explained,
                ),
                Column(
                    "Decoded\n(median error)",
                    "How well the variable is decoded from the held-out rows: the "
                    "median error in its unit; of the stimulus the mean error in "
                    "frames; of classes the share that is right",
                    np.array([_main_score(line) for line in lines]),
                    lambda at: _decoded(lines[at]),
                    explained,
                ),
                Column(
                    "Seeds\nagree",
                    "Consistency: held-out R² of a linear map between the latents of "
                    "two seeds; 1 is the same embedding each time",
                    np.array([line.consistency.mean for line in lines]),
                    lambda at: _mean(lines[at].consistency),
                    explained,
                ),
            ),
            last=[at for at, line in enumerate(lines) if line.kind == "time"],
        )
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Make all but the names as narrow as they can be; Qt leaves wide margins."""
        model, header = self.model(), self.horizontalHeader()
        for column in range(1, model.columnCount()):
            title = model.headerData(column, Qt.Orientation.Horizontal)
            wide = self.fontMetrics().size(0, title).width() + _HEADING_MARGIN
            header.setSectionResizeMode(column, header.ResizeMode.Fixed)
            header.resizeSection(column, max(self.sizeHintForColumn(column), wide))


def _name(row: HypothesisRow) -> str:
    return _TIME if row.kind == "time" else row.name


def _fit(row: HypothesisRow | None) -> Interval:
    return _NOTHING if row is None else row.goodness_of_fit


def _mean(found: Interval) -> str:
    """Write a mean alone; its interval is in the tip of the row."""
    return interval_text(replace(found, low=np.nan, high=np.nan))


def _main_score(row: HypothesisRow) -> float:
    return np.nan if row.kind == "time" else row.decoding[0].interval.mean


def _decoded(row: HypothesisRow) -> str:
    if row.kind == "time":
        return "not comparable"
    return "\n".join(
        score_text(score, _BELOW.replace("{}", _OTHERWISE.get(score.measure, "{}"), 1))
        for score in main_scores(row)
    )


def _explained(row: HypothesisRow, control: HypothesisRow | None) -> str:
    """Say in full what a row holds, in place of a narrow table."""
    bits = interval_text(row.goodness_of_fit)
    if control is not None:
        bits += f"; shuffled {interval_text(control.goodness_of_fit)}"
    parts = [verdict(row) or f"{_name(row)}: no variable is used; {_NO_RIVAL}."]
    parts.append(f"Held-out fit in bits: {bits}.")
    for score in row.decoding:
        text = f"{_NAMES[score.measure]} of {score.variable}: {score_text(score)}"
        if control is not None:
            shuffled = control.score(score.variable, score.measure)
            text += f"; shuffled {score_text(shuffled)}"
        parts.append(f"{text}.")
    parts.append(f"Seeds agree with an R² of {interval_text(row.consistency)}.")
    return "\n".join(parts)
