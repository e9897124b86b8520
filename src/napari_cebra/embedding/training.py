"""The training loop, as a generator of reports."""

from __future__ import annotations

import copy
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_cebra.embedding.devices import default_threads, resolve_device
from napari_cebra.embedding.encoder import Encoder, Standardization, build_network
from napari_cebra.embedding.errors import TrainingError
from napari_cebra.embedding.losses import InfoNCE, goodness_of_fit
from napari_cebra.embedding.pairs import Batch, MovieSampler, Rows
from napari_cebra.recording import InvalidInput, complete_windows, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_cebra.embedding.architectures import Network
    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.pairs import Pairs, Sampler

HYBRID_DIMENSIONS = 3
"""Latents that the behaviour objective of hybrid pairs shapes."""

_EVALUATION_BATCHES = 2
_N_MASKS = 4096


@dataclass(frozen=True, eq=False)
class TrainReport:
    """How far a training has come.

    Parameters
    ----------
    step, max_steps : int
        Steps done, and in all.
    loss : float
        InfoNCE (nats), mean over the training batches since the last report.
    bits_train, bits_heldout : float or None
        Goodness of fit in bits at the last evaluation, without dropout; None
        before the first, or without held-out rows.
    temperature : float
    seconds : float
        Spent training, without pauses.
    steps_per_second, seconds_left : float
    best_step : int or None
        Step of the lowest held-out InfoNCE so far.
    latents : (T, D) float32 or None
        A snapshot of all rows, when one was due.
    """

    step: int
    max_steps: int
    loss: float
    bits_train: float | None
    bits_heldout: float | None
    temperature: float
    seconds: float
    steps_per_second: float
    seconds_left: float
    best_step: int | None
    latents: np.ndarray | None = None


@dataclass(frozen=True)
class Evaluation:
    """Goodness of fit at one step, in bits."""

    step: int
    bits_train: float
    bits_heldout: float | None


class Training:
    """One encoder being trained.

    Everything that decides the numbers (draws, dropout, evaluations, choice of
    the best weights) depends on the settings alone and never on the clock, so
    reports, pauses and snapshots change nothing: the same seed, on the CPU
    with the same number of threads, gives the same bits.

    Parameters
    ----------
    values : (T, N) float
        Traces.
    segment : (T,) int
        Stretch of each row, from `recording.segments`.
    train_rows : (T,) bool
        Rows to learn from. Only those whose whole window lies among them are
        drawn.
    heldout_rows : (T,) bool or None
        Rows to judge by: never learnt from, nor standardised with.
    pairs : Pairs
        Which rows belong together.
    config : TrainConfig

    Raises
    ------
    InvalidInput
        If shapes disagree, values are not finite, or no pair can be drawn.
    """

    def __init__(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        train_rows: np.ndarray,
        heldout_rows: np.ndarray | None,
        pairs: Pairs,
        config: TrainConfig,
    ) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        self.threads = config.threads or default_threads()
        self._losses = torch.full((config.last_iteration,), math.nan)
        self._losses = self._losses.to(self.device)
        self.evaluations: list[Evaluation] = []
        self.step = 0
        self.seconds = 0.0
        self.best_step: int | None = None
        # Called with the step after each evaluation: a moment that depends on
        # the settings and not on the clock, for whoever judges in another way.
        self.on_evaluation: Callable[[int], object] | None = None
        self._values, self._segment = _check(values, segment, train_rows, heldout_rows)
        train = np.asarray(train_rows, bool)
        with _torch_errors(0):
            self._build(train)
            self._bind(pairs, train, heldout_rows)

    def _build(self, train: np.ndarray) -> None:
        config, used = self.config, train & (self._segment >= 0)
        if not used.any():
            raise InvalidInput("There is no row to train on; select some.")
        self._standardization = Standardization.fit(self._values[used], config)
        seeds = np.random.SeedSequence(config.seed).generate_state(3, np.uint64)
        initial = torch.Generator().manual_seed(int(seeds[0] >> 1))
        self._network = build_network(config, self._values.shape[1], initial)
        self._network.to(self.device)
        self._standardization.to(self.device)
        self._generator = torch.Generator(self.device).manual_seed(int(seeds[1] >> 1))
        self._judge = torch.Generator(self.device).manual_seed(int(seeds[2] >> 1))
        self._criterion = InfoNCE(
            config.temperature,
            config.temperature_mode == "auto",
            config.min_temperature,
            config.distance,
        ).to(self.device)
        self._averaged = copy.deepcopy(self._network) if config.average_decay else None
        self._optimizer = _optimizer(self._network, self._criterion, config)
        x = torch.from_numpy(self._values).to(self.device)
        self._x = self._network.mean(self._standardization(x))
        keep = 1 - config.input_dropout
        self._dropout = self._masks(keep).div_(keep) if keep < 1 else None
        left, right = self._network.architecture.receptive_field
        shift = self._network.architecture.mean_over - 1
        self._reach = torch.arange(-left, right - shift, device=self.device)
        self._best: dict[str, Tensor] | None = None
        self._best_loss = math.inf
        self._good = _state(self._network)

    def _masks(self, share: float) -> Tensor:
        """Return masks that are 1 for so many neurons; windows draw from them.

        Drawing a fresh one for each window would cost as much as a layer.
        """
        masks = torch.empty((_N_MASKS, self._values.shape[1]), device=self.device)
        return masks.bernoulli_(share, generator=self._generator)

    def _any_of(self, masks: Tensor, n: int) -> Tensor:
        """Return (n, 1, N) masks, each drawn from a table of them."""
        pick = torch.randint(
            len(masks), (n,), generator=self._generator, device=self.device
        )
        return masks[pick][:, None]

    def _bind(
        self, pairs: Pairs, train: np.ndarray, heldout: np.ndarray | None
    ) -> None:
        complete = _complete(self._segment, train, self._network)
        stretch = segments(self._segment, train & (self._segment >= 0))
        self._sampler = pairs.bind(Rows(complete, stretch), self.device)
        self._mixing = None
        if self.config.mix_repeats and isinstance(self._sampler, MovieSampler):
            self._mixing = self._masks(self.config.mix_repeats)
        self._train_batches = self._fixed_batches(self._sampler)
        self._heldout_batches: list[Batch] = []
        if heldout is not None and np.any(heldout):
            rows = np.asarray(heldout, bool)
            inside = _complete(self._segment, rows, self._network)
            stretch = segments(self._segment, rows & (self._segment >= 0))
            judged = Rows(inside, stretch, complete)
            sampler = pairs.bind(judged, self.device)
            self._heldout_batches = self._fixed_batches(sampler)

    def _fixed_batches(self, sampler: Sampler) -> list[Batch]:
        size = self.config.batch_size
        return [sampler.draw(size, self._judge) for _ in range(_EVALUATION_BATCHES)]

    # ------------------------------------------------------------------ training

    def run(
        self, report_every: float = 0.1, latents_every: float | None = None
    ) -> Iterator[TrainReport]:
        """Train, yielding reports; not asking for the next one is a pause.

        Parameters
        ----------
        report_every : float
            Seconds between reports.
        latents_every : float or None
            Least seconds between two reports with `latents` of all rows; more
            if making them would take above a tenth of the time.

        Yields
        ------
        TrainReport
            The last one is of the last step.

        Raises
        ------
        TrainingError
            If a loss is not finite, or the device fails. `model` then still
            returns the last good weights.
        """
        next_latents = 0.0
        reported = self.step
        done = self.step >= self.config.last_iteration
        while not done:
            with _threads(self.threads), _torch_errors(self.step):
                begun = time.perf_counter()
                while not done:
                    self._losses[self.step] = self._train_step()
                    self.step += 1
                    done = self.step >= self.config.last_iteration
                    if self._evaluation_due():
                        self._check_finite()
                        self._evaluate()
                        if self.on_evaluation is not None:
                            self.on_evaluation(self.step)
                        done = done or self._out_of_patience()
                    if time.perf_counter() - begun >= report_every:
                        break
                self.seconds += time.perf_counter() - begun
                latents = None
                if latents_every is not None and (
                    done or time.perf_counter() >= next_latents
                ):
                    begun = time.perf_counter()
                    latents = self.latents()
                    cost = time.perf_counter() - begun
                    next_latents = begun + cost + max(latents_every, 10 * cost)
            yield self._report(reported, latents)
            reported = self.step

    def model(self) -> Encoder:
        """Return the encoder as it is now (with `keep_best`: the best so far)."""
        network = copy.deepcopy(self._current())
        if self._best is not None and self.config.keep_best:
            network.load_state_dict(self._best)
        elif not _finite(network):
            network.load_state_dict(self._good)
        log = {
            "steps": self.step,
            "best_step": self.best_step,
            "seconds": round(self.seconds, 3),
            "device": str(self.device),
            "threads": self.threads,
            "torch": torch.__version__,
            "temperature": self.temperature,
        }
        standardization = copy.deepcopy(self._standardization)
        return Encoder(network.eval(), standardization, self.config, log)

    def latents(self) -> np.ndarray:
        """Return the latents of all rows under the weights of this moment."""
        encoder = Encoder(self._current(), self._standardization, self.config, {})
        return encoder.transform(self._values, self._segment)

    @property
    def losses(self) -> np.ndarray:
        """(steps,) InfoNCE of each training batch so far, in nats."""
        return self._losses[: self.step].cpu().numpy()

    @property
    def temperature(self) -> float:
        """Temperature of the loss now."""
        return 1 / float(self._criterion.inverse_temperature.detach())

    def _train_step(self) -> Tensor:
        rate = learning_rate(self.step, self.config)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batch = self._sampler.draw(self.config.batch_size, self._generator)
        loss = self._loss(self._network, batch, training=True)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        if self._averaged is not None:
            # early on, the average of few weights should not hold the first
            decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(
                [p.data for p in self._averaged.parameters()],
                [p.data for p in self._network.parameters()],
                1 - decay,
            )
        return loss.detach()

    def _loss(self, network: Network, batch: Batch, training: bool) -> Tensor:
        """One forward for references, positives and negatives together."""
        rows = torch.cat([batch.reference, *batch.positives, batch.negative])
        windows = self._x[rows[:, None] + self._reach]
        if training and self._mixing is not None:
            assert isinstance(self._sampler, MovieSampler)
            partner = self._sampler.partners(rows, self._generator)
            other = self._x[partner[:, None] + self._reach]
            windows.lerp_(other, self._any_of(self._mixing, len(rows)))
        if training and self._dropout is not None:
            windows.mul_(self._any_of(self._dropout, len(rows)))
        drawn = self._generator if training else None
        latents = network.after_mean(windows, drawn)[:, 0]
        latents = latents.split(self.config.batch_size)
        reference, negative = latents[0], latents[-1]
        loss = self._criterion(reference, latents[-2], negative).total
        if len(batch.positives) == 2:
            few = slice(0, HYBRID_DIMENSIONS)
            parts = reference[:, few], latents[1][:, few], negative[:, few]
            loss = loss + self._criterion(*parts).total
        return loss

    # ---------------------------------------------------------------- evaluation

    def _evaluation_due(self) -> bool:
        every = max(1, self.config.max_iterations // self.config.evaluations)
        return self.step % every == 0 or self.step == self.config.last_iteration

    @torch.no_grad()
    def _evaluate(self) -> None:
        network = self._current()
        n = self.config.batch_size

        def infonce(batches: list[Batch]) -> float:
            each = [self._loss(network, b, training=False) for b in batches]
            # hybrid pairs: the mean of the two objectives
            return float(torch.stack(each).mean()) / len(batches[0].positives)

        on_train = infonce(self._train_batches)
        bits = None
        if self._heldout_batches:
            held = infonce(self._heldout_batches)
            bits = goodness_of_fit(held, n)
            if held < self._best_loss:
                self._best_loss, self.best_step = held, self.step
                self._best = _state(network)
        self._good = _state(network)
        self.evaluations.append(
            Evaluation(self.step, goodness_of_fit(on_train, n), bits)
        )

    def _out_of_patience(self) -> bool:
        if self.config.patience is None or self.best_step is None:
            return False
        since = sum(e.step > self.best_step for e in self.evaluations)
        return since >= self.config.patience

    def _check_finite(self) -> None:
        bad = torch.nonzero(~torch.isfinite(self._losses[: self.step]))
        if len(bad) == 0 and _finite(self._network):
            return
        step = int(bad[0]) + 1 if len(bad) else self.step
        why = (
            f"the learning rate of {self.config.learning_rate:g} is too high"
            if self.config.temperature_mode == "constant"
            or (self.config.min_temperature or 0) >= 0.01
            else "the learned temperature fell too low"
        )
        raise TrainingError(
            f"The loss was no longer a finite number at step {step}, most likely "
            f"because {why}; lower the learning rate or raise the temperature. The "
            "last good weights are kept."
        )

    # ------------------------------------------------------------------- reports

    def _current(self) -> Network:
        return self._network if self._averaged is None else self._averaged

    def _report(self, reported: int, latents: np.ndarray | None) -> TrainReport:
        rate = self.step / max(self.seconds, 1e-9)
        last = self.evaluations[-1] if self.evaluations else None
        return TrainReport(
            step=self.step,
            max_steps=self.config.last_iteration,
            loss=float(self._losses[reported : self.step].mean()),
            bits_train=last.bits_train if last else None,
            bits_heldout=last.bits_heldout if last else None,
            temperature=self.temperature,
            seconds=self.seconds,
            steps_per_second=rate,
            seconds_left=(self.config.last_iteration - self.step) / rate,
            best_step=self.best_step,
            latents=latents,
        )


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step, counted from 0."""
    peak, total = config.learning_rate, config.max_iterations
    if config.lr_schedule == "constant":
        return peak
    warm = max(1, total // 10) if config.lr_schedule == "one_cycle" else 0
    if step < warm:
        return peak * (0.04 + 0.96 * (step + 1) / warm)
    share = (step - warm) / max(1, total - warm)
    return peak * 0.5 * (1 + math.cos(math.pi * share))


def _optimizer(
    network: torch.nn.Module, criterion: InfoNCE, config: TrainConfig
) -> torch.optim.Optimizer:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    others += [p for p in criterion.parameters() if p.requires_grad]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def _check(
    values: np.ndarray,
    segment: np.ndarray,
    train_rows: np.ndarray,
    heldout_rows: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise InvalidInput(
            f"Traces must be a table of time × ROIs (T, N), not shape {values.shape}."
        )
    values = np.ascontiguousarray(values, dtype=np.float32)
    segment = np.asarray(segment)
    parts = {"stretch numbers": segment, "training flags": np.asarray(train_rows)}
    if heldout_rows is not None:
        parts["held-out flags"] = np.asarray(heldout_rows)
        if np.any(np.asarray(heldout_rows, bool) & np.asarray(train_rows, bool)):
            raise InvalidInput(
                "Some rows are both trained on and held out; make the split again."
            )
    for what, part in parts.items():
        if part.shape != (len(values),):
            raise InvalidInput(
                f"There are {len(values)} rows of traces but {part.size} {what}."
            )
    used = np.flatnonzero(segment >= 0)
    bad = ~np.isfinite(values[used]).all(axis=1)
    if bad.any():
        raise InvalidInput(
            f"The traces hold NaN or infinity in {int(bad.sum())} rows (first: row "
            f"{int(used[bad][0])}); mark those rows as not valid, or mend them."
        )
    return values, segment


def _complete(segment: np.ndarray, rows: np.ndarray, network: Network) -> np.ndarray:
    stretch = segments(segment, rows & (segment >= 0))
    left, right = network.architecture.receptive_field
    complete = complete_windows(stretch, left, right)
    if not complete.any():
        raise InvalidInput(
            f"No stretch of rows is as long as the encoder's window of {left + right} "
            "frames; use an encoder that sees fewer frames, or longer trials."
        )
    return complete


def _state(network: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def _finite(network: torch.nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in network.parameters())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with so many CPU threads, then put back what was set."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _torch_errors(step: int) -> Iterator[None]:
    """Turn PyTorch's RuntimeErrors into sentences."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(
            f"The device ran out of memory after step {step}; use a smaller batch, "
            "fewer units or a shorter window, or train on the CPU."
        ) from error
    except RuntimeError as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else "unknown"
        if "out of memory" in text or "alloc" in text.lower():
            advice = "use a smaller batch, fewer units or a shorter window"
        else:
            advice = "train on the CPU, or report this with the settings used"
        raise TrainingError(
            f"PyTorch failed after step {step} ({text}); {advice}."
        ) from error
