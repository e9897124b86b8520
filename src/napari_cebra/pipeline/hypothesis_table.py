"""What a comparison of hypotheses found, as a table with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from napari_cebra.pipeline.config import PipelineConfig

Kind = Literal["hypothesis", "shuffled", "time"]


@dataclass(frozen=True)
class Interval:
    """A mean over held-out blocks, with its 95 % interval.

    Parameters
    ----------
    mean, low, high : float
        Student's t over the blocks, each the mean over seeds; NaN where a
        single block leaves it unknown. (Blocks share training rows, so the
        interval is somewhat too narrow.)
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, blocks: np.ndarray) -> Interval:
        """Summarise (blocks,) or (blocks, seeds) values; NaN are left out."""
        table = np.asarray(blocks, float)
        each = np.array([np.nanmean(row) for row in table if np.isfinite(row).any()])
        if each.size == 0:
            return cls(np.nan, np.nan, np.nan)
        mean = float(each.mean())
        if each.size < 2:
            return cls(mean, np.nan, np.nan)
        reach = float(stats.sem(each) * stats.t.ppf(0.975, each.size - 1))
        return cls(mean, mean - reach, mean + reach)


@dataclass(frozen=True)
class HypothesisScore:
    """How well one variable is decoded from the held-out rows.

    Parameters
    ----------
    variable : str
    measure : str
        Field of `decoding.Scores`.
    unit : str
        Of the measure; empty where it has none.
    interval : Interval
    """

    variable: str
    measure: str
    unit: str
    interval: Interval

    @property
    def column(self) -> str:
        """Heading of its column in a table."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.variable} {self.measure}{unit}"


@dataclass(frozen=True)
class HypothesisRow:
    """One line of the table.

    Parameters
    ----------
    name : str
        The variables, joined by " + "; "time" for time alone.
    kind : {"hypothesis", "shuffled", "time"}
    goodness_of_fit : Interval
        Bits below chance on held-out rows, for the pairs of this line.
    gain : Interval or None
        Of a hypothesis: its bits minus those of its control, block by block.
    decoding : tuple of HypothesisScore
        Held-out scores of each variable, the first of each in its unit: of the
        line's own (shuffled where the line is), or of all where it learnt from
        time alone.
    consistency : Interval
        Held-out R² of a linear map between the latents of two seeds; NaN where
        there is only one.
    """

    name: str
    kind: Kind
    goodness_of_fit: Interval
    gain: Interval | None
    decoding: tuple[HypothesisScore, ...]
    consistency: Interval

    @property
    def is_supported(self) -> bool:
        """Whether the intervals of the fit and of the gain both lie above zero.

        The gain alone is not enough: an encoder trained on shuffled labels may do
        worse than chance on held-out rows.
        """
        gain = self.gain
        return gain is not None and gain.low > 0 and self.goodness_of_fit.low > 0

    def score(self, variable: str, measure: str | None = None) -> HypothesisScore:
        """Return a variable's score; by default the first, which has its unit.

        Raises
        ------
        KeyError
            If the line has no such score.
        """
        for found in self.decoding:
            if found.variable == variable and measure in (None, found.measure):
                return found
        raise KeyError(f"{variable} {measure or ''}".strip())

    def as_dict(self) -> dict[str, Any]:
        """Return one flat row, for a table or a CSV file."""
        flat: dict[str, Any] = {"name": self.name, "kind": self.kind}
        parts = {"bits": self.goodness_of_fit}
        if self.gain is not None:
            parts["gain"] = self.gain
        parts["consistency"] = self.consistency
        parts |= {score.column: score.interval for score in self.decoding}
        for what, interval in parts.items():
            flat |= {
                what: interval.mean,
                f"{what} low": interval.low,
                f"{what} high": interval.high,
            }
        return flat


@dataclass(frozen=True, eq=False)
class HypothesisComparison:
    """The table, and what it was made with.

    Parameters
    ----------
    rows : tuple of HypothesisRow
        Each hypothesis followed by its control, then time alone.
    folds : tuple of str
    seeds : tuple of int
        Of the trainings on true labels.
    n_controls : int
        Trainings on shuffled labels, of each hypothesis in each block.
    config : PipelineConfig
        The one protocol of all lines.
    seconds : float
        How long it took.
    """

    rows: tuple[HypothesisRow, ...]
    folds: tuple[str, ...]
    seeds: tuple[int, ...]
    n_controls: int
    config: PipelineConfig
    seconds: float

    @property
    def hypotheses(self) -> tuple[HypothesisRow, ...]:
        """The lines of the candidates, without controls and time."""
        return tuple(row for row in self.rows if row.kind == "hypothesis")

    def control(self, row: HypothesisRow) -> HypothesisRow | None:
        """Return the shuffled control of a hypothesis; None of any other line."""
        if row.kind != "hypothesis":
            return None
        return self.rows[self.rows.index(row) + 1]

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as flat dicts."""
        return [row.as_dict() for row in self.rows]

    def columns(self) -> dict[str, np.ndarray]:
        """Return the table by column; NaN where a line has no such number.

        The last ones say what it was made with, in each row.
        """
        table = self.table()
        names = dict.fromkeys(name for row in table for name in row)
        columns = {
            name: np.array([row.get(name, np.nan) for row in table]) for name in names
        }
        training = self.config.training
        assert training is not None
        made_by = {
            "n_blocks": len(self.folds),
            "n_seeds": len(self.seeds),
            "n_controls": self.n_controls,
            "encoder": training.model_architecture,
            "steps": training.last_iteration,
            "temperature": training.temperature,
            "n_latents": training.output_dimension,
        }
        n = len(table)
        return columns | {name: np.full(n, value) for name, value in made_by.items()}

    def provenance(self) -> dict[str, Any]:
        """Return what the table was made with, as JSON types."""
        scores = {s.column: s.unit for row in self.rows for s in row.decoding}
        return {
            "candidates": [row.name for row in self.hypotheses],
            "blocks": list(self.folds),
            "seeds": list(self.seeds),
            "n_controls": self.n_controls,
            "units": {"bits": "bits", "gain": "bits", "consistency": ""} | scores,
            "seconds": self.seconds,
            "config": self.config.to_dict(),
        }
