"""What a fit leaves: latents, encoder, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cebra.decoding import Split
    from napari_cebra.embedding import Encoder
    from napari_cebra.pipeline.config import PipelineConfig


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """How one training went, by step.

    Parameters
    ----------
    step : (n,) int64
        Steps at which goodness of fit was evaluated.
    loss : (n,) float32
        InfoNCE (nats), mean over the training batches since the one before.
    bits_train, bits_heldout : (n,) float32
        Goodness of fit on training and on held-out rows; NaN where not
        evaluated.
    """

    step: np.ndarray
    loss: np.ndarray
    bits_train: np.ndarray
    bits_heldout: np.ndarray


@dataclass(frozen=True, eq=False)
class Display:
    """Three coordinates to draw latents by.

    Parameters
    ----------
    coordinates : (T, 3) float32
        NaN where there are no latents.
    explained : float
        Share of the latents' variance in the training rows that is drawn, 0-1.
    """

    coordinates: np.ndarray
    explained: float


@dataclass(frozen=True, eq=False)
class Embedding:
    """A fitted encoder and the latents of every valid row.

    Parameters
    ----------
    latents : (T, D) float32
        NaN in rows that are not valid. Test rows went through the encoder,
        but nothing was fitted to them.
    encoder : Encoder
        With `encoder.config`, `receptive_field`, `save`.
    config : PipelineConfig
        With nothing left open.
    split : Split
        ``split.refit`` are the rows that encoder and baseline were fitted to;
        ``split.test`` may be empty (an embedding of all rows, to look at).
    part : (T,) str
        Part of each row: "train", "validation", "test", "gap", "no target" or
        "invalid".
    log : TrainingLog
        Of the final fit; its held-out rows are the test rows, evaluated but
        never chosen by.
    choosing_log : TrainingLog or None
        Of the run that chose the number of steps; held out: the validation
        rows. None if training was stopped before it ended.
    k : int or None
        Number of neighbours chosen; None without a target.
    steps : int
        Steps of the final fit.
    seconds, choosing_seconds : float
        Time spent in the final fit's steps, and in the run that chose.
    device : str
    threads : int
    complete : bool
        False if training was stopped: the latents are of what was learnt.
    """

    latents: np.ndarray
    encoder: Encoder
    config: PipelineConfig
    split: Split
    part: np.ndarray
    log: TrainingLog
    choosing_log: TrainingLog | None
    k: int | None
    steps: int
    seconds: float
    choosing_seconds: float
    device: str
    threads: int
    complete: bool = True

    @property
    def rows(self) -> np.ndarray:
        """(T,) bool: rows that have latents."""
        return np.isfinite(self.latents).all(axis=1)

    @property
    def bits_train(self) -> float | None:
        """Goodness of fit of the final encoder on its training rows, in bits."""
        return _last(self.log.bits_train)

    @property
    def bits_heldout(self) -> float | None:
        """Goodness of fit on held-out rows, in bits.

        Of the final encoder on the test rows; where there are none, of the
        choosing run on the validation rows, at the step it chose.
        """
        bits = _last(self.log.bits_heldout)
        if bits is None and self.choosing_log is not None:
            at = np.flatnonzero(self.choosing_log.step == self.steps)
            if at.size:
                bits = _last(self.choosing_log.bits_heldout[at])
        return bits

    def display(self) -> Display:
        """Return three coordinates per row, through a PCA of the training rows."""
        return display_coordinates(self.latents, self.split.refit)


def display_coordinates(
    latents: np.ndarray, fit_rows: np.ndarray | None = None
) -> Display:
    """Return (T, 3) coordinates of (T, D) latents, and the share they explain.

    Up to three dimensions are drawn as they are (with zeros for those
    missing); more go through a PCA fitted on `fit_rows`, whose axes point so
    that the largest loading is positive.
    """
    latents = np.asarray(latents, np.float32)
    t, d = latents.shape
    finite = np.isfinite(latents).all(axis=1)
    drawn = np.full((t, 3), np.nan, np.float32)
    if d <= 3:
        drawn[finite] = 0
        drawn[finite, :d] = latents[finite]
        return Display(drawn, 1.0)
    fitted = finite if fit_rows is None else finite & fit_rows
    points = latents[fitted].astype(np.float64)
    mean = points.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(points - mean, rowvar=False))
    axes = axes[:, ::-1][:, :3]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(3)])
    drawn[finite] = (latents[finite] - mean) @ axes
    total = variance.sum()
    explained = float(variance[-3:].sum() / total) if total > 0 else 1.0
    return Display(drawn, explained)


def _last(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else None
