"""Every setting of a training, in one frozen object. Loads without PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from napari_cebra.embedding.json_settings import JsonSettings
from napari_cebra.recording import InvalidInput


@dataclass(frozen=True)
class TrainConfig(JsonSettings):
    """Settings of one training; names as in the reference estimator's.

    Parameters
    ----------
    model_architecture : str
        A published name (``offset1-model``, ``offset10-model``, …) or a
        description (see `descriptions`). Sets the receptive field.
    first_kernel : int or None
        Frames seen by the first convolution of an ``offsetN-model``; None is
        the published 2.
    num_hidden_units, output_dimension : int
        Width of the encoder, and number of latents.
    distance : {"cosine", "euclidean"}
        Similarity in the loss.
    temperature : float
        Of the loss; where it starts if learned.
    temperature_mode : {"constant", "auto"}
        "auto" learns it, not below `min_temperature`.
    min_temperature : float or None
    time_offsets : int
        Frames from a reference to its positive in time, and the lag of the
        differences a continuous positive is drawn with.
    batch_size : int
        References, positives and negatives per step.
    max_iterations : int
        Steps of the whole schedule.
    stop_iteration : int or None
        Stop after this step though the schedule is longer: for a refit that
        ends where a validated run was best.
    learning_rate : float
        The highest of the schedule.
    lr_schedule : {"constant", "cosine", "one_cycle"}
        "one_cycle" rises over the first tenth, then falls to zero.
    weight_decay : float
        Decoupled (AdamW), on weights and not on biases.
    input_dropout : float
        Share of neurons set to zero in each training window.
    mix_repeats : float
        With pairs by movie frame: share of neurons that each training window
        takes from another repeat of the same frame, so that what a repeat's
        neurons share, but not with the movie, cannot be learnt by heart. Of
        several recordings: from another row with the same variables.
    standardize : bool
        Scale each neuron by mean and SD over the training rows.
    normalize_frames : bool
        Divide each frame's population vector by its length, which takes out a
        gain shared by all neurons.
    average_decay : float
        Weights used are an exponential average with this decay; 0 is off.
    keep_best : bool
        With held-out rows: keep the weights of the evaluation with the lowest
        held-out InfoNCE rather than the last.
    patience : int or None
        Stop after that many evaluations without a better held-out InfoNCE.
    evaluations : int
        How many times in `max_iterations` goodness of fit is evaluated.
    seed : int
        Of initial weights, draws and dropout.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    threads : int or None
        CPU threads; part of what makes two runs identical. None takes all of
        PyTorch's but one (see `default_threads`).

    Raises
    ------
    InvalidInput
        If a setting is out of range; the text names it.
    """

    what: ClassVar[str] = "training"

    model_architecture: str = "offset10-model"
    first_kernel: int | None = None
    num_hidden_units: int = 32
    output_dimension: int = 8
    distance: str = "cosine"
    temperature: float = 0.2
    temperature_mode: str = "constant"
    min_temperature: float | None = 0.05
    time_offsets: int = 10
    batch_size: int = 512
    max_iterations: int = 1000
    stop_iteration: int | None = None
    learning_rate: float = 3e-3
    lr_schedule: str = "one_cycle"
    weight_decay: float = 0.01
    input_dropout: float = 0.3
    mix_repeats: float = 0.0
    standardize: bool = True
    normalize_frames: bool = False
    average_decay: float = 0.0
    keep_best: bool = True
    patience: int | None = None
    evaluations: int = 40
    seed: int = 0
    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not (math.isfinite(value) and low <= value <= high):
                raise InvalidInput(
                    f"The setting {name} must lie between {low:g} and {high:g}, not "
                    f"{value!r}."
                )
            if name in _WHOLE and value != int(value):
                raise InvalidInput(
                    f"The setting {name} must be a whole number, not {value!r}."
                )
            kind = int if name in _WHOLE else float
            object.__setattr__(self, name, kind(value))
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InvalidInput(
                    f"The setting {name} must be one of {', '.join(allowed)}, not "
                    f"{getattr(self, name)!r}."
                )
        for name in ("model_architecture", "device"):
            if not isinstance(getattr(self, name), str):
                raise InvalidInput(f"The setting {name} must be a word.")
        for name in ("standardize", "normalize_frames", "keep_best"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInput(f"The setting {name} must be true or false.")

    @property
    def last_iteration(self) -> int:
        """The step after which training ends."""
        if self.stop_iteration is None:
            return self.max_iterations
        return min(self.stop_iteration, self.max_iterations)


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("first_kernel", 1, 1000),
    ("num_hidden_units", 1, 65536),
    ("output_dimension", 1, 4096),
    ("temperature", 1e-4, 1e4),
    ("min_temperature", 1e-4, 1e4),
    ("time_offsets", 1, 10**9),
    ("batch_size", 2, 10**7),
    ("max_iterations", 1, 10**9),
    ("stop_iteration", 1, 10**9),
    ("learning_rate", 1e-12, 100),
    ("weight_decay", 0, 100),
    ("input_dropout", 0, 0.99),
    ("mix_repeats", 0, 1),
    ("average_decay", 0, 0.99999),
    ("patience", 1, 10**9),
    ("evaluations", 1, 10**6),
    ("seed", 0, 2**63 - 1),
    ("threads", 1, 1024),
)
_OPTIONAL = {"first_kernel", "min_temperature", "stop_iteration", "patience", "threads"}
_WHOLE = {
    "first_kernel",
    "num_hidden_units",
    "output_dimension",
    "time_offsets",
    "batch_size",
    "max_iterations",
    "stop_iteration",
    "patience",
    "evaluations",
    "seed",
    "threads",
}
_CHOICES = {
    "distance": ("cosine", "euclidean"),
    "temperature_mode": ("constant", "auto"),
    "lr_schedule": ("constant", "cosine", "one_cycle"),
}


_SHORT = 2000
"""Rows below which a recording is short."""


def recommended(
    rate: float | None = None,
    n_neurons: int | None = None,
    n_rows: int | None = None,
    target: str | None = None,
) -> dict[str, Any]:
    """Return the settings that the window and the command line start from.

    Parameters
    ----------
    rate : float, optional
        Imaging frames per second.
    n_neurons, n_rows : int, optional
        Size of the recording.
    target : {"movie", "continuous", "circular", "discrete"}, optional
        What is to be decoded.

    Returns
    -------
    dict
        Keywords of `TrainConfig`.

    Notes
    -----
    Chosen on held-out blocks of simulated and real recordings (see
    ``bench/RESULTS.md``). One hidden layer on the running mean over the window
    did better there than deep stacks: a few repeats cannot teach more weights,
    and it costs a tenth of the time.

    A short recording without repeats cannot teach a hidden layer either, so it
    gets a linear encoder, and a short window: the window is part of the gap
    around each held-out block, and rows lost there are rows not learnt from.
    Without a rate, ten frames may be seconds, so the window is one frame.
    """
    if n_rows is not None and n_rows < _SHORT and target != "movie":
        return _recommended_short(rate)
    if target == "movie":
        window = 10 if rate is None else min(max(round(rate / 3), 1), 10)
    else:
        window = 10 if rate is None else min(max(round(1.4 * rate), 3), 20)
    kernel = hidden_kernel(window)
    short = n_rows is not None and n_rows < _SHORT
    return {
        "model_architecture": f"m{window - kernel + 1} u{kernel} d1",
        "num_hidden_units": 32 if short else 128,
        "output_dimension": 8 if short else 32 if target == "movie" else 16,
        "temperature": 0.5 if short else 0.2,
        "time_offsets": 10 if rate is None else max(1, round(rate / 3)),
        "batch_size": 256 if short else 512,
        "max_iterations": 100 if short else 300,
        "learning_rate": 3e-3,
        "lr_schedule": "one_cycle",
        "weight_decay": 0.01,
        "input_dropout": 0.5 if target == "movie" or short else 0.3,
        "mix_repeats": 0.5 if target == "movie" else 0.0,
    }


def hidden_kernel(window: int) -> int:
    """Return the frames that the recommended hidden layer sees at once.

    A third of the window, whose rest is a running mean, but at most seven: a
    longer kernel costs more than it was worth.
    """
    return min((window + 2) // 3, 7)


def _recommended_short(rate: float | None) -> dict[str, Any]:
    window = 1 if rate is None else max(1, round(rate / 3))
    return {
        "model_architecture": "d1" if window == 1 else f"m{window} d1",
        "output_dimension": 16,
        "temperature": 0.2,
        "time_offsets": window,
        "batch_size": 512,
        "max_iterations": 400,
        "learning_rate": 0.01,
        "lr_schedule": "one_cycle",
        "weight_decay": 0.1,
        "input_dropout": 0.8,
        "evaluations": 20,
    }
