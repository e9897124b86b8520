"""The published estimator: its parameters, and what a person calls."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from napari_cebra.embedding.devices import resolve_device
from napari_cebra.embedding.estimator.files import (
    read_estimator,
    write_estimator,
    write_for_reference,
)
from napari_cebra.embedding.estimator.fitting import train
from napari_cebra.embedding.estimator.inputs import (
    as_array,
    check_finite,
    read_rows,
    table,
)
from napari_cebra.embedding.estimator.parameters import draw_seed
from napari_cebra.embedding.published import published_names
from napari_cebra.recording import InvalidInput, complete_windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from torch import nn

    from napari_cebra.embedding.encoder import Encoder
    from napari_cebra.embedding.estimator.inputs import Offset
    from napari_cebra.embedding.estimator.solver import Solver
    from napari_cebra.embedding.loop import Evaluation

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

    encoders_: list[Encoder]
    evaluations_: list[Evaluation]
    model_: nn.Module
    solver_: Solver
    offset_: Offset
    device_: str
    solver_name_: str
    label_types_: list[Any]
    n_features_: Any
    n_features_in_: Any
    num_sessions_: int | None
    n_negatives_: int
    _seed: int
    _calls: int

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
            self._seed = draw_seed(self)
            self._calls = 0
        start = self.solver_ if adapt else None
        train(self, X, labels, rows, start, adapt, callback, callback_frequency)
        return self

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

        Weights, temperature, optimiser, draws and standardisation go on from where
        they are, also after `save` and `load`; labels must be of the kinds fitted
        before. With the published settings, on the CPU, two calls on the same data
        give the bits of one of twice the steps. A warning says where the optimiser
        has to begin anew. (The published method silently trains on the first data
        again.)

        Raises
        ------
        InvalidInput
            As of `fit`, and if X or y is not of the kind fitted before.
        """
        labels = (*Y, y)
        rows = {"trials": trials, "valid": valid, "validation": validation}
        start = self.solver_ if hasattr(self, "encoders_") else None
        if start is None:
            self._seed = draw_seed(self)
            self._calls = 0
        train(self, X, labels, rows, start, False, callback, callback_frequency)
        return self

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
            values = table(self, X, reset=False)
        else:
            values = check_array(as_array(X), ensure_all_finite=False)
        rows = read_rows(len(values), trials, valid, None)
        check_finite("X", values, rows.segment)
        latents = encoder.transform(values, rows.segment)
        if not self.pad_before_transform:
            complete = complete_windows(rows.segment, *self.offset_)
            return latents[complete]
        return latents

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

        Nothing in the file is code. With the state of the optimiser and of the
        draws, so that `partial_fit` goes on as if it had not been saved.

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
