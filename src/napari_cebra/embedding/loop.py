"""The training loop, as a generator of reports."""

from __future__ import annotations

import copy
import math
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_cebra.embedding import checkpoint
from napari_cebra.embedding.compiled import threads
from napari_cebra.embedding.devices import default_threads
from napari_cebra.embedding.errors import TrainingError
from napari_cebra.embedding.losses import goodness_of_fit
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from torch import nn

    from napari_cebra.embedding.config import TrainConfig
    from napari_cebra.embedding.objective import Objective


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
        A snapshot of all rows, when one was due (of several recordings: a list).
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
    latents: Any = None


@dataclass(frozen=True)
class Evaluation:
    """Goodness of fit at one step, in bits."""

    step: int
    bits_train: float
    bits_heldout: float | None


class Loop:
    """The steps of a training, one after the other.

    Everything that decides the numbers (draws, dropout, evaluations, choice of
    the best weights) depends on the settings alone and never on the clock, so
    reports, pauses and snapshots change nothing: the same seed, on the CPU
    with the same number of threads, gives the same bits.

    Parameters
    ----------
    objective : Objective
        What a step computes.
    config : TrainConfig
    """

    def __init__(self, objective: Objective, config: TrainConfig) -> None:
        self.objective = objective
        self.config = config
        self.device = objective.device
        self.threads = config.threads or default_threads()
        self._losses = torch.full((config.last_iteration,), math.nan)
        self._losses = self._losses.to(self.device)
        self.evaluations: list[Evaluation] = []
        self.step = 0
        self.seconds = 0.0
        self.best_step: int | None = None
        # Pieces in which the windows of a batch are embedded; more where
        # memory is short, with the same gradients.
        self.parts = 1
        # Called with the step after each evaluation: a moment that depends on
        # the settings and not on the clock, for whoever judges in another way.
        self.on_evaluation: Callable[[int], object] | None = None
        self._network = objective.network
        self._averaged = copy.deepcopy(self._network) if config.average_decay else None
        self._optimizer = _optimizer(objective, config)
        self._best: dict[str, Tensor] | None = None
        self._best_loss = math.inf
        self._good = _state(self._network)

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
            with self._computing(), torch_errors(self.step):
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
                    with threads(self.threads):
                        latents = self.latents()
                    cost = time.perf_counter() - begun
                    next_latents = begun + cost + max(latents_every, 10 * cost)
            yield self._report(reported, latents)
            reported = self.step

    def model(self) -> Any:
        """Return the model as it is now (with `keep_best`: the best so far)."""
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
        return self.objective.model(network.eval(), log)

    def latents(self) -> Any:
        """Return the latents of all rows under the weights of this moment."""
        return self.objective.latents(self._current())

    # ---------------------------------------------------------------- checkpoint

    def checkpoint(self, path: str | Path) -> None:
        """Put the training aside in a file, with all that decides what follows.

        Raises
        ------
        InvalidInput
            If the file cannot be written.
        """
        tensors = {
            **checkpoint.named(self._network.state_dict(), "network."),
            **checkpoint.named(self.objective.criterion.state_dict(), "criterion."),
            **checkpoint.named(self._good, "good."),
            **checkpoint.optimizer_tensors(self._optimizer.state_dict()),
            "losses": self._losses[: self.step],
            "generator": self.objective.generator.get_state(),
        }
        if self._averaged is not None:
            tensors |= checkpoint.named(self._averaged.state_dict(), "averaged.")
        if self._best is not None:
            tensors |= checkpoint.named(self._best, "best.")
        state = {
            "data": self.objective.data_hash(),
            "step": self.step,
            "seconds": self.seconds,
            "best_step": self.best_step,
            "best_loss": self._best_loss if self._best is not None else None,
            "parts": self.parts,
            "evaluations": [asdict(evaluation) for evaluation in self.evaluations],
        }
        checkpoint.write(Path(path), self.config, tensors, state)

    def resume(self, path: str | Path) -> None:
        """Take up the training that `checkpoint` put aside.

        It must have been made of the same data with the same settings. On the
        CPU with the same number of threads it goes on to the same bits as if
        it had never been put aside.

        Raises
        ------
        InvalidInput
            If the file is not such a one, or of other data or settings.
        """
        path = Path(path)
        tensors, state = checkpoint.read(path, self.config)
        if state.get("data") != self.objective.data_hash():
            raise InvalidInput(
                f"The training in {path} was made with other traces, rows or pairs; "
                "take it up with the same ones, or train from the beginning."
            )
        with checkpoint.FILE.fitting(path):
            self._restore(tensors, state)

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        here = {k: v.to(self.device) for k, v in tensors.items() if k != "generator"}
        step = int(state["step"])
        self._network.load_state_dict(checkpoint.group(here, "network."))
        criterion = checkpoint.group(here, "criterion.")
        self.objective.criterion.load_state_dict(criterion)
        if self._averaged is not None:
            self._averaged.load_state_dict(checkpoint.group(here, "averaged."))
        checkpoint.restore_optimizer(self._optimizer, here)
        self.objective.generator.set_state(tensors["generator"])
        self._good = checkpoint.group(here, "good.")
        self._best = checkpoint.group(here, "best.") or None
        self._losses[:step] = here["losses"]
        self._best_loss = math.inf
        if state["best_loss"] is not None:
            self._best_loss = float(state["best_loss"])
        self.best_step, self.parts = state["best_step"], int(state["parts"])
        self.evaluations = [Evaluation(**each) for each in state["evaluations"]]
        self.step, self.seconds = step, float(state["seconds"])

    @property
    def losses(self) -> np.ndarray:
        """(steps,) InfoNCE of each training batch so far, in nats."""
        return self._losses[: self.step].cpu().numpy()

    @property
    def temperature(self) -> float:
        """Temperature of the loss now."""
        return 1 / float(self.objective.criterion.inverse_temperature.detach())

    def _computing(self) -> AbstractContextManager[None]:
        return threads(self.threads, alone=self.objective.compiled)

    def _train_step(self) -> Tensor:
        rate = learning_rate(self.step, self.config)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._gradients(self.objective.draw())
        self._optimizer.step()
        if self._averaged is not None:
            # early on, the average of few weights should not hold the first
            decay = min(self.config.average_decay, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(
                [p.data for p in self._averaged.parameters()],
                [p.data for p in self._network.parameters()],
                1 - decay,
            )
        return loss

    def _gradients(self, batch: Any) -> Tensor:
        """Compute the gradients of a batch, in smaller parts if need be."""
        generator = self.objective.generator
        drawn = generator.get_state()
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return self.objective.backward(batch, self.step, self.parts)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                if 2 * self.parts > self.objective.most_parts:
                    raise
            # outside of the except clause, whose traceback holds the tensors
            self.parts *= 2
            generator.set_state(drawn)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    # ---------------------------------------------------------------- evaluation

    def _evaluation_due(self) -> bool:
        every = max(1, self.config.max_iterations // self.config.evaluations)
        return self.step % every == 0 or self.step == self.config.last_iteration

    @torch.no_grad()
    def _evaluate(self) -> None:
        network, n = self._current(), self.objective.n_negatives
        on_train = self.objective.infonce(network, heldout=False)
        assert on_train is not None
        held = self.objective.infonce(network, heldout=True)
        if held is not None and held < self._best_loss:
            self._best_loss, self.best_step = held, self.step
            self._best = _state(network)
        self._good = _state(network)
        bits = None if held is None else goodness_of_fit(held, n)
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

    def _current(self) -> nn.Module:
        return self._network if self._averaged is None else self._averaged

    def _report(self, reported: int, latents: Any) -> TrainReport:
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


def _optimizer(objective: Objective, config: TrainConfig) -> torch.optim.Optimizer:
    learnt = [p for p in objective.network.parameters() if p.requires_grad]
    others = [p for p in learnt if p.ndim <= 1]
    others += [p for p in objective.criterion.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in learnt if p.ndim > 1],
            "weight_decay": config.weight_decay,
        },
        {"params": others, "weight_decay": 0.0},
    ]
    fused = objective.device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def _finite(network: nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in network.parameters())


@contextmanager
def torch_errors(step: int = 0) -> Iterator[None]:
    """Turn PyTorch's RuntimeErrors into sentences."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _out_of_memory(error):
            raise TrainingError(
                f"The device ran out of memory after step {step}, in small parts too; "
                "use a smaller batch, fewer units or a shorter window, or train on "
                "the CPU."
            ) from error
        text = str(error).strip().splitlines()[0] if str(error).strip() else "unknown"
        raise TrainingError(
            f"PyTorch failed after step {step} ({text}); train on the CPU, or report "
            "this with the settings used."
        ) from error


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "alloc" in text
