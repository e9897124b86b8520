"""The published estimator's interface to this package's training."""

from __future__ import annotations

import fnmatch
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.nn import ModuleList

from napari_cebra.embedding.architectures import receptive_field
from napari_cebra.embedding.config import TrainConfig
from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization
from napari_cebra.embedding.estimator_files import (
    read_estimator,
    write_estimator,
    write_for_reference,
)
from napari_cebra.embedding.estimator_inputs import (
    Labels,
    Offset,
    RowParts,
    as_array,
    is_sessions,
    read_labels,
    read_rows,
)
from napari_cebra.embedding.estimator_pairs import EveryRow, published_pairs
from napari_cebra.embedding.estimator_solver import (
    SolvedSessionTraining,
    SolvedTraining,
    Solver,
)
from napari_cebra.embedding.pairs import Rows
from napari_cebra.embedding.published import published_names
from napari_cebra.embedding.recommendation import TRAINING_PARAMETERS
from napari_cebra.embedding.sessions import Session
from napari_cebra.recording import InvalidInput, complete_windows, segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_cebra.embedding.pairs import Pairs

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
    encoders_ : list of Encoder
        One, or one for each recording.
    model_, solver_, state_dict_, offset_, device_, solver_name_, label_types_,
    n_features_, n_features_in_, num_sessions_
        As published; `model_` is the network (of several recordings: a list).
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
        adapt = adapt and hasattr(self, "encoders_")

        if not adapt:
            self._seed = self._draw_seed()
            self._calls = 0
        start = self.solver_ if adapt else None
        return self._train(X, labels, rows, start, adapt, callback, callback_frequency)

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
        start = self.solver_ if hasattr(self, "encoders_") else None
        if start is None:
            self._seed = self._draw_seed()
            self._calls = 0
        return self._train(X, labels, rows, start, False, callback, callback_frequency)

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
        encoder = self._encoder(session_id)
        if batch_size is not None and batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, not {batch_size}.")
        if self.num_sessions_ is None:
            values = self._values(X, reset=False, valid=valid)
        else:
            values = check_array(as_array(X), ensure_all_finite=valid is None)
        rows = read_rows(len(values), trials, valid, None)
        latents = encoder.transform(values, rows.segment)
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
        fresh = start is None or adapt
        several = is_sessions(X)
        if several:
            parts = self._sessions(X, labels, row_arguments)
        else:
            values = self._values(X, fresh, row_arguments["valid"])
            parts = [(values, labels, row_arguments)]
        read = [read_part(values, given, rows) for values, given, rows in parts]
        if not fresh and several != (self.num_sessions_ is not None):
            raise InvalidInput(
                "partial_fit goes on with as many recordings as before; use fit for "
                "others."
            )
        steps = self.max_adapt_iterations if adapt else self.max_iterations
        known = None if fresh else [e.standardization for e in self.encoders_]
        config = self._config(read, steps, known is None)
        if known is not None:
            # the weights were learnt on traces scaled in this way
            read = [
                r._replace(values=_scaled(r.values, k))
                for r, k in zip(read, known, strict=True)
            ]
        loop: Any
        if several:
            loop = SolvedSessionTraining(
                [
                    Session(
                        r.values,
                        r.rows.segment,
                        self._session_pairs(r.labels),
                        r.rows.train,
                        r.rows.heldout,
                    )
                    for r in read
                ],
                config,
                ties="random" if self.break_ties else "first",
                exclude_self=self.exclude_self,
                full_batch=self.batch_size is None,
            )
        else:
            (one,) = read
            rows, pairs = one.rows, self._pairs(one.labels)
            loop = SolvedTraining(
                one.values, rows.segment, rows.train, rows.heldout, pairs, config
            )
        loop.begin(dict(self.optimizer_kwargs), start, adapt, callback, every)
        for report in loop.run():
            if self.verbose:
                print(
                    f"\rstep {report.step}/{report.max_steps}  loss {report.loss:.4f}",
                    end="" if report.step < report.max_steps else "\n",
                    file=sys.stderr,
                    flush=True,
                )
        model = loop.model()
        encoders = list(model.encoders) if several else [model]
        if known is not None:
            before = self.encoders_[0].config
            encoders = [
                Encoder(e.network, k, before, e.training)
                for e, k in zip(encoders, known, strict=True)
            ]
        self._keep(loop, encoders, several, read)
        return self

    def _keep(
        self, loop: Any, encoders: list[Encoder], several: bool, read: list[Part]
    ) -> None:
        self.encoders_ = encoders
        networks = [encoder.network for encoder in encoders]
        self.model_ = ModuleList(networks) if several else networks[0]
        self.solver_ = loop.finished(self.model_)
        self.evaluations_ = loop.evaluations
        self.offset_ = Offset(*encoders[0].receptive_field)
        self.device_ = str(loop.device)
        self.solver_name_ = self._solver_name(several)
        each = [part.labels.types for part in read]
        self.label_types_ = (
            [list(t) for t in zip(*each, strict=True)] if several else each[0]
        )
        widths = [encoder.n_neurons for encoder in encoders]
        self.n_features_: Any = widths if several else widths[0]
        self.n_features_in_ = self.n_features_
        self.num_sessions_ = len(encoders) if several else None
        self.n_negatives_ = loop.objective.n_negatives
        self._calls += 1

    def _sessions(
        self, X: Any, labels: tuple[Any, ...], rows: dict[str, Any]
    ) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
        """Return data, labels and row arguments of each of several recordings."""
        given = [part for part in labels if part is not None]
        named = {k: v for k, v in rows.items() if v is not None}
        for number, part in enumerate([*given, *named.values()]):
            if not isinstance(part, list | tuple) or len(part) != len(X):
                what = [f"y[{k}]" for k in range(len(given))] + list(named)
                raise InvalidInput(
                    f"X is a list of {len(X)} recordings, so {what[number]} must be a "
                    f"list of {len(X)} arrays."
                )
        return [
            (
                check_array(
                    as_array(x), dtype=[np.float32, np.float64], ensure_min_samples=2,
                    ensure_all_finite="valid" not in named,
                ),
                tuple(part[k] for part in given),
                {name: rows[name][k] if name in named else None for name in rows},
            )
            for k, x in enumerate(X)
        ]  # fmt: skip

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
        return int(self.encoders_[0].output_dimension)

    @classmethod
    def supported_model_architectures(cls, pattern: str = "*") -> list[str]:
        """Return the published names of encoders that match a pattern.

        Any other receptive field (``offset7-model``) and any description (see
        `architectures`) is an encoder too.
        """
        unfit = ("subsample", "resample", "supervised")
        return [
            name
            for name in sorted(fnmatch.filter(published_names(), pattern))
            if not any(word in name for word in unfit)
        ]

    def to(self, device: Any) -> CEBRA:
        """Move the fitted encoder to another device; return the estimator."""
        place = resolve_device(str(device))
        self.device = str(device)
        if hasattr(self, "encoders_"):
            self.encoders_ = [encoder.to(place) for encoder in self.encoders_]
            self.model_.to(place)
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
        backend : {"sklearn", "torch", "cebra"}
            "cebra" writes a file that the published package opens; the others
            are taken for compatibility, and write this package's own.
        """
        check_is_fitted(self)
        if backend not in ("sklearn", "torch", "cebra"):
            raise InvalidInput(
                f"backend must be 'sklearn' (this package's own file) or 'cebra' (one "
                f"that the published package opens), not {backend!r}."
            )
        write = write_for_reference if backend == "cebra" else write_estimator
        write(self, filename)

    @classmethod
    def load(
        cls,
        filename: str | Path,
        backend: str = "auto",
        weights_only: bool | None = None,
        device: str = "cpu",
    ) -> CEBRA:
        """Open a file that `save` or the published package wrote.

        Nothing in it is executed.

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
            raise InvalidInput(f"criterion must be 'infonce', not {self.criterion!r}.")
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

    def _encoder(self, session_id: int | None) -> Encoder:
        """Return the encoder of a recording; None for the only one."""
        count = len(self.encoders_)
        if session_id is None and self.num_sessions_ is None:
            return self.encoders_[0]
        if session_id is None or not 0 <= session_id < count:
            raise InvalidInput(
                f"session_id must say which of the {count} recordings fitted X is, "
                f"from 0 to {count - 1}, not {session_id!r}."
            )
        return self.encoders_[session_id]

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

    def _pairs(self, labels: Labels) -> Pairs:
        pairs = published_pairs(
            labels,
            self.conditional,
            self._time_offset(),
            self.delta,
            self.hybrid,
            self.break_ties,
            self.exclude_self,
            self.label_periods,
        )
        return EveryRow(pairs) if self.batch_size is None else pairs

    def _session_pairs(self, labels: Labels) -> Pairs:
        """Return the pairs as training on several recordings takes them."""
        if self.conditional in ("delta", "delta_normal") and labels.types:
            raise InvalidInput(
                "conditional='delta_normal' is offered for one recording at a time; "
                "use time_delta for several."
            )
        pairs = self._pairs(labels)
        return pairs.pairs if isinstance(pairs, EveryRow) else pairs

    def _config(self, read: list[Part], steps: int, fresh: bool) -> TrainConfig:
        """Return the settings of this training; all rows where no batch is set."""
        batch = self.batch_size
        if batch is None and len(read) > 1:
            batch = TrainConfig().batch_size  # of no account: all rows are taken
        elif batch is None:
            rows, labels = read[0].rows, read[0].labels
            left, right = receptive_field(self.model_architecture, self.first_kernel)
            stretch = segments(rows.segment, rows.train)
            complete = complete_windows(stretch, left, right)
            if not complete.any():
                raise InvalidInput(
                    f"No stretch of X is as long as the encoder's window of "
                    f"{left + right} rows; use an encoder that sees fewer rows, or "
                    "longer trials."
                )
            pairs = self._pairs(labels)
            assert isinstance(pairs, EveryRow)
            batch = max(2, pairs.count(Rows(complete, stretch)))
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

    def _solver_name(self, several: bool) -> str:
        if several:
            return "multi-session"
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
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite=valid is None,
        )
        return values


class Part(NamedTuple):
    """One recording, read."""

    values: np.ndarray
    labels: Labels
    rows: RowParts


def read_part(
    values: np.ndarray, labels: tuple[Any, ...], rows: dict[str, Any]
) -> Part:
    """Return one recording with its labels and rows, checked against each other."""
    n = len(values)
    return Part(values, read_labels(labels, n), read_rows(n, **rows))


def _scaled(values: np.ndarray, known: Standardization) -> np.ndarray:
    x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return known(x.to(known.mean.device)).cpu().numpy()
