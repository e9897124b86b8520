"""The published estimator's interface to this package's training."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from napari_cebra.embedding.architectures import receptive_field
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization
from napari_cebra.embedding.estimator_files import read_estimator, write_estimator
from napari_cebra.embedding.estimator_inputs import (
    Labels,
    as_array,
    is_sessions,
    read_labels,
    read_rows,
)
from napari_cebra.embedding.estimator_pairs import PublishedPairs
from napari_cebra.embedding.estimator_solver import SolvedTraining, Solver
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.recommendation import TRAINING_PARAMETERS
from napari_cebra.recording import InvalidInput, complete_windows, segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ADAM = (
    ("betas", (0.9, 0.999)),
    ("eps", 1e-08),
    ("weight_decay", 0),
    ("amsgrad", False),
)


class CEBRA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """CEBRA with the parameters, defaults and methods of the published class.

    ``CEBRA()`` is the published method (Schneider, Lee & Mathis, Nature 2023, as
    implemented in `cebra` 0.6.1), except that windows are never clamped to, or
    reach across, a border: only rows with a complete window are drawn, and the
    differences of ``time_delta`` lie inside the recording. Each parameter is
    explained in ``docs/how-to/published-package.md``.

    Parameters
    ----------
    model_architecture, device, criterion, distance, conditional, temperature,
    temperature_mode, min_temperature, time_offsets, delta, max_iterations,
    max_adapt_iterations, batch_size, learning_rate, optimizer, output_dimension,
    verbose, num_hidden_units, pad_before_transform, hybrid, optimizer_kwargs,
    masking_kwargs
        As published.
    random_state : int, RandomState or None
        Of initial weights, draws and dropout; on the CPU the same number gives
        the same bits.
    standardize, normalize_frames, input_dropout, mix_repeats, weight_decay,
    lr_schedule, first_kernel, average_decay, keep_best, patience, evaluations,
    threads
        As of `TrainConfig`; the defaults switch them off.
    break_ties : bool
        Of equally near rows take any, not the first.
    exclude_self : bool
        Never pair a row with itself.
    label_periods : tuple of (float or None), optional
        Per continuous label column, one turn of an angle.

    Attributes
    ----------
    encoder_ : Encoder
    model_, solver_, state_dict_, offset_, device_, solver_name_, label_types_,
    n_features_, n_features_in_, num_sessions_
        As published; `model_` is the network of `encoder_`.
    evaluations_ : list of Evaluation
        Goodness of fit in bits, on training and validation rows.
    """

    def __init__(
        self,
        model_architecture: str = "offset1-model",
        device: str = "cuda_if_available",
        criterion: str = "infonce",
        distance: str = "cosine",
        conditional: str | None = None,
        temperature: float = 1.0,
        temperature_mode: str = "constant",
        min_temperature: float | None = 0.1,
        time_offsets: int = 1,
        delta: float | None = None,
        max_iterations: int = 10000,
        max_adapt_iterations: int = 500,
        batch_size: int | None = None,
        learning_rate: float = 3e-4,
        optimizer: str = "adam",
        output_dimension: int = 8,
        verbose: bool = False,
        num_hidden_units: int = 32,
        pad_before_transform: bool = True,
        hybrid: bool = False,
        optimizer_kwargs: tuple[tuple[str, object], ...] = _ADAM,
        masking_kwargs: tuple[tuple[str, object], ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
        standardize: bool = False,
        normalize_frames: bool = False,
        input_dropout: float = 0.0,
        mix_repeats: float = 0.0,
        weight_decay: float = 0.0,
        lr_schedule: str = "constant",
        first_kernel: int | None = None,
        average_decay: float = 0.0,
        keep_best: bool = False,
        patience: int | None = None,
        evaluations: int = 40,
        threads: int | None = None,
        break_ties: bool = False,
        exclude_self: bool = False,
        label_periods: tuple[float | None, ...] | None = None,
    ) -> None:
        for name, value in list(locals().items()):
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # ------------------------------------------------------------------- fitting

    def fit(
        self,
        X: Any,
        *Y: Any,
        y: Any = None,
        adapt: bool = False,
        callback: Callable[[int, Solver], object] | None = None,
        callback_frequency: int | None = None,
        trials: Any = None,
        valid: Any = None,
        validation: Any = None,
    ) -> CEBRA:
        """Fit an encoder, or adapt the fitted one to a new recording.

        Parameters
        ----------
        X : (T, N)
            Traces.
        *Y, y : (T,) or (T, d), optional
            Labels: any number of float arrays, at most one of whole numbers.
        adapt : bool
            Keep all layers but the first, and learn a first layer for X in
            `max_adapt_iterations` steps. Ignored by an estimator not fitted yet.
        callback : callable, optional
            Called with the step (from 0) and the solver.
        callback_frequency : int, optional
            Every so many steps.
        trials : (T,) int, optional
            Trial of each row; windows never reach from one into the next.
        valid : (T,) bool, optional
            Rows to use.
        validation : (T,) bool or row numbers, optional
            Rows to judge by, never learnt from.

        Raises
        ------
        InvalidInput
            A ValueError that names the argument, and the row where there is one.
        """
        labels = (*Y, y)
        rows = {"trials": trials, "valid": valid, "validation": validation}
        adapt = adapt and hasattr(self, "encoder_")
        if not adapt:
            self._seed = self._draw_seed()
            self._calls = 0
        start = self.solver_ if adapt else None
        return self._train(
            X, labels, rows, start, adapt, callback, callback_frequency
        )

    def partial_fit(
        self,
        X: Any,
        *Y: Any,
        y: Any = None,
        callback: Callable[[int, Solver], object] | None = None,
        callback_frequency: int | None = None,
        trials: Any = None,
        valid: Any = None,
        validation: Any = None,
    ) -> CEBRA:
        """Train `max_iterations` steps more, on these data; parameters as of `fit`.

        Weights, temperature, optimiser and standardisation go on from where they
        are. (The published method silently trains on the first data again.)
        """
        labels = (*Y, y)
        rows = {"trials": trials, "valid": valid, "validation": validation}
        start = self.solver_ if hasattr(self, "encoder_") else None
        if start is None:
            self._seed = self._draw_seed()
            self._calls = 0
        return self._train(
            X, labels, rows, start, False, callback, callback_frequency
        )

    def fit_transform(self, X: Any, *Y: Any, y: Any = None, **kwargs: Any) -> Any:
        """Return the latents of X after `fit`; parameters as there."""
        self.fit(X, *Y, y=y, **kwargs)
        of_rows = {k: kwargs.get(k) for k in ("trials", "valid")}
        return self.transform(X, **of_rows)

    def transform(
        self,
        X: Any,
        batch_size: int | None = None,
        session_id: int | None = None,
        trials: Any = None,
        valid: Any = None,
    ) -> np.ndarray:
        """Return the (T, output_dimension) latents of (T, N) traces.

        At the ends of X (and of trials) the edge row is repeated; with
        ``pad_before_transform=False`` such rows are left out. Rows that are not
        `valid` are NaN.

        Parameters
        ----------
        X : (T, N)
        batch_size : int, optional
            Taken for compatibility: memory is bounded whatever it is.
        session_id : int, optional
            0 or None for an encoder of one recording.
        trials, valid : (T,), optional
            As of `fit`.
        """
        check_is_fitted(self)
        if session_id not in (None, 0):
            raise InvalidInput(
                f"session_id={session_id!r}, but the estimator was fitted to one "
                "recording; leave it out."
            )
        if batch_size is not None and batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, not {batch_size}.")
        values = self._values(X, reset=False, valid=valid)
        rows = read_rows(len(values), trials, valid, None)
        latents = self.encoder_.transform(values, rows.segment)
        if not self.pad_before_transform:
            complete = complete_windows(rows.segment, *self.offset_)
            return latents[complete]
        return latents

    def _train(
        self,
        X: Any,
        labels: tuple[Any, ...],
        row_arguments: dict[str, Any],
        start: Solver | None,
        adapt: bool,
        callback: Callable[[int, Solver], object] | None,
        every: int | None,
    ) -> CEBRA:
        self._check_parameters(callback, every)
        if is_sessions(X):
            raise InvalidInput(
                "X is a list of recordings, which this estimator does not train on "
                "yet; fit them one by one."
            )
        fresh = start is None or adapt
        values = self._values(X, reset=fresh, valid=row_arguments["valid"])
        read = read_labels(labels, len(values))
        rows = read_rows(len(values), **row_arguments)
        steps = self.max_adapt_iterations if adapt else self.max_iterations
        known = None if fresh else self.encoder_.standardization
        config = self._config(rows, read, steps, known is None)
        if known is not None:
            # the weights were learnt on traces scaled in this way
            values = known(_tensor(values).to(known.mean.device)).cpu().numpy()
        training = SolvedTraining(
            values,
            rows.segment,
            rows.train,
            rows.heldout,
            self._pairs(read),
            config,
            optimizer_kwargs=dict(self.optimizer_kwargs),
            start=start,
            first_only=adapt,
            callback=callback,
            every=every,
        )
        for report in training.run():
            if self.verbose:
                print(
                    f"\rstep {report.step}/{report.max_steps}  loss {report.loss:.4f}",
                    end="" if report.step < report.max_steps else "\n",
                    file=sys.stderr,
                    flush=True,
                )
        self._keep(training, training.model(), known, config, read)
        return self

    def _keep(
        self,
        training: SolvedTraining,
        encoder: Encoder,
        known: Standardization | None,
        config: TrainConfig,
        labels: Labels,
    ) -> None:
        if known is not None:
            encoder = Encoder(
                encoder.network, known, self.encoder_.config, encoder.training
            )
        self.encoder_ = encoder
        self.model_ = encoder.network
        self.solver_ = training.finished(encoder.network)
        self.evaluations_ = training.evaluations
        self.offset_ = encoder.receptive_field
        self.device_ = str(training.device)
        self.solver_name_ = self._solver_name(labels)
        self.label_types_ = labels.types
        self.n_features_ = self.n_features_in_
        self.num_sessions_ = None
        self.n_negatives_ = config.batch_size
        self._calls += 1

    # ------------------------------------------------------------ what it stands for

    @property
    def state_dict_(self) -> dict[str, Any]:
        """Weights, loss and log, as of the published solver."""
        state = self.solver_.state_dict()
        return {**state, "n_features": self.n_features_}

    @property
    def num_sessions(self) -> int | None:
        """Number of recordings; None for one."""
        return self.num_sessions_

    @property
    def _n_features_out(self) -> int:
        return int(self.encoder_.output_dimension)

    @classmethod
    def supported_model_architectures(cls, pattern: str = "*") -> list[str]:
        """Return the published names of encoders that match a pattern.

        Any other receptive field (``offset7-model``) and any description (see
        `architectures`) is an encoder too.
        """
        from fnmatch import filter as matching

        from napari_cebra.embedding.architectures import DESCRIPTIONS

        lengths = (5, 10, 15, 20, 36, 40, 50)
        return matching({*DESCRIPTIONS, *(f"offset{n}-model" for n in lengths)}, pattern)

    def to(self, device: Any) -> CEBRA:
        """Move the fitted encoder to another device; return the estimator."""
        place = resolve_device(str(device))
        self.device = str(device)
        if hasattr(self, "encoder_"):
            self.encoder_ = self.encoder_.to(place)
            self.model_ = self.encoder_.network
            self.solver_.model = self.model_
            self.solver_.criterion.to(place)
            self.device_ = str(place)
        return self

    def save(self, filename: str | Path, backend: str = "sklearn") -> None:
        """Write the fitted estimator: weights as safetensors, settings as JSON.

        Nothing in the file is code. The state of the optimiser is not kept.

        Parameters
        ----------
        filename : path
            Any name.
        backend : {"sklearn"}
            Taken for compatibility.
        """
        check_is_fitted(self)
        if backend not in ("sklearn", "torch"):
            raise InvalidInput(f"There is no way to save called {backend!r}.")
        write_estimator(self, filename)

    @classmethod
    def load(
        cls,
        filename: str | Path,
        backend: str = "auto",
        weights_only: bool | None = None,
        device: str = "cpu",
    ) -> CEBRA:
        """Open a file that `save` wrote; nothing in it is executed.

        Parameters
        ----------
        filename : path
        backend, weights_only
            Taken for compatibility.
        device : str
            Where to compute.
        """
        found: CEBRA = read_estimator(cls, filename, device)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.transformer_tags.preserves_dtype = []  # latents are float32
        return tags

    # ----------------------------------------------------------------- parameters

    def _check_parameters(self, callback: Any, every: int | None) -> None:
        if self.optimizer != "adam":
            raise InvalidInput(
                f"optimizer must be 'adam', the only one offered, not "
                f"{self.optimizer!r}."
            )
        if str(self.criterion).lower() != "infonce":
            raise InvalidInput(
                f"criterion must be 'infonce', not {self.criterion!r}."
            )
        if every is not None and (callback is None or every < 1):
            raise InvalidInput(
                "callback_frequency must be at least 1, and needs a callback to call."
            )
        if self.masking_kwargs:
            raise InvalidInput(
                "masking_kwargs is not offered yet; use input_dropout, which hides "
                "random neurons from each window."
            )
        if self.mix_repeats:
            raise InvalidInput(
                "mix_repeats needs pairs by movie frame, which napari_cebra.fit trains "
                "on; leave it at 0 here."
            )
        if self.batch_size is not None and self.batch_size < 2:
            raise InvalidInput(
                f"batch_size must be at least 2, or None for all rows, not "
                f"{self.batch_size!r}."
            )

    def _time_offset(self) -> int:
        offsets = np.atleast_1d(self.time_offsets)
        if offsets.size != 1 or offsets.dtype.kind not in "iu":
            raise InvalidInput(
                f"time_offsets must be one whole number of rows, not "
                f"{self.time_offsets!r}."
            )
        return int(offsets[0])

    def _draw_seed(self) -> int:
        state = self.random_state
        if isinstance(state, int | np.integer) and not isinstance(state, bool):
            return int(state)
        return int(check_random_state(state).randint(2**31 - 1))

    def _pairs(self, labels: Labels) -> PublishedPairs:
        return PublishedPairs(
            labels.continuous,
            labels.classes,
            self.conditional,
            self._time_offset(),
            self.delta,
            self.hybrid,
            self.break_ties,
            self.exclude_self,
            self.label_periods,
            self.batch_size is None,
        )

    def _config(
        self, rows: Any, labels: Labels, steps: int, fresh: bool
    ) -> TrainConfig:
        """Return the settings of this training; all rows where no batch is set."""
        batch = self.batch_size
        if batch is None:
            left, right = receptive_field(self.model_architecture, self.first_kernel)
            stretch = segments(rows.segment, rows.train)
            complete = complete_windows(stretch, left, right)
            if not complete.any():
                raise InvalidInput(
                    f"No stretch of X is as long as the encoder's window of "
                    f"{left + right} rows; use an encoder that sees fewer rows, or "
                    "longer trials."
                )
            import torch

            sampler = self._pairs(labels).bind(
                Rows(complete, stretch), torch.device("cpu")
            )
            batch = max(2, sampler.n_rows)
        settings = {name: getattr(self, name) for name in TRAINING_PARAMETERS}
        seed = self._seed
        if self._calls:
            state = np.random.SeedSequence([self._seed, self._calls])
            seed = int(state.generate_state(1)[0])
        settings |= {
            "batch_size": batch,
            "max_iterations": steps,
            "time_offsets": self._time_offset(),
            "seed": seed,
            "device": self.device,
        }
        if not fresh:
            settings |= {"standardize": False, "normalize_frames": False}
        return TrainConfig(**settings)

    def _solver_name(self, labels: Labels) -> str:
        if self.batch_size is None:
            return "single-session-full"
        return "single-session-hybrid" if self.hybrid else "single-session"

    def _values(self, X: Any, reset: bool, valid: Any) -> np.ndarray:
        """Return X as a finite (T, N) float array, as scikit-learn reads it."""
        values: np.ndarray = validate_data(
            self,
            as_array(X),
            reset=reset,
            dtype=[np.float32, np.float64],
            ensure_min_samples=2,
            ensure_all_finite=valid is None,
        )
        return values


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
