"""A training that keeps the published package's log and calls its callback."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from napari_cebra.embedding.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from napari_cebra.embedding.losses import Loss


@dataclass(eq=False)
class Solver:
    """What scripts read from `CEBRA.solver_`.

    Parameters
    ----------
    model : nn.Module
        The encoder network.
    criterion : nn.Module
    log : dict
        Per step: "pos" and "neg" (the two parts of InfoNCE), "total" and
        "temperature".
    optimizer : dict
        State of the optimiser after the last step, from which `partial_fit`
        goes on.
    """

    model: nn.Module
    criterion: nn.Module
    log: dict[str, list[float]] = field(
        default_factory=lambda: {k: [] for k in ("pos", "neg", "total", "temperature")}
    )
    optimizer: dict[str, Any] = field(default_factory=dict)

    @property
    def history(self) -> list[float]:
        """Loss of each step."""
        return self.log["total"]

    @property
    def num_parameters(self) -> int:
        """Number of trained numbers in the encoder and the loss."""
        parts = (self.model, self.criterion)
        return sum(p.numel() for part in parts for p in part.parameters())

    def state_dict(self) -> dict[str, Any]:
        """Return weights and log."""
        return {
            "model": self.model.state_dict(),
            "criterion": self.criterion.state_dict(),
            "optimizer": self.optimizer,
            "loss": torch.tensor(self.log["total"]),
            "decode": [],
            "log": self.log,
        }


class SolvedTraining(Training):
    """`Training` with the published optimiser, log and callback.

    Parameters
    ----------
    args, config
        As of `Training`.
    optimizer_kwargs : mapping
        Of `torch.optim.Adam`.
    start : Solver, optional
        Go on from these weights, this temperature and (unless `first_only`)
        this state of the optimiser.
    first_only : bool
        Take over all layers but the first, hold them, and learn the first.
    callback : callable, optional
        Called with the number of the step (from 0) and a `Solver`.
    every : int
        Steps between two calls.
    """

    def __init__(
        self,
        *args: Any,
        optimizer_kwargs: Mapping[str, Any],
        start: Solver | None = None,
        first_only: bool = False,
        callback: Callable[[int, Solver], object] | None = None,
        every: int | None = None,
    ) -> None:
        super().__init__(*args)
        network, criterion = self.objective.network, self.objective.criterion
        if start is not None:
            self._take_over(network, start, first_only)
            criterion.load_state_dict(start.criterion.state_dict())
        self._optimizer = self._published_optimizer(dict(optimizer_kwargs))
        if start is not None and not first_only:
            self._optimizer.load_state_dict(start.optimizer)
        before = start.log if start is not None and not first_only else None
        self.solver = Solver(network, criterion)
        if before is not None:
            self.solver.log = {key: list(values) for key, values in before.items()}
        self._callback, self._every = callback, every
        self._parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        criterion.register_forward_hook(self._note)

    def _take_over(self, network: nn.Module, start: Solver, first_only: bool) -> None:
        given = start.model.state_dict()
        first = list(given)[:2] if first_only else []
        own = network.state_dict()
        network.load_state_dict({k: own[k] if k in first else given[k] for k in given})
        if first_only:
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(name in first)

    def _published_optimizer(self, kwargs: dict[str, Any]) -> torch.optim.Optimizer:
        """Adam as published; decoupled weight decay if the config asks for it."""
        if self.config.weight_decay:
            for group in self._optimizer.param_groups:
                group.update({k: v for k, v in kwargs.items() if k != "weight_decay"})
            return self._optimizer
        parts = (self.objective.network, self.objective.criterion)
        learnt = [p for part in parts for p in part.parameters() if p.requires_grad]
        return torch.optim.Adam(learnt, lr=self.config.learning_rate, **kwargs)

    def _note(self, criterion: nn.Module, args: Any, loss: Loss) -> None:
        if torch.is_grad_enabled():
            self._parts.append((loss.alignment.detach(), loss.uniformity.detach()))

    def _train_step(self) -> torch.Tensor:
        self._parts.clear()
        temperature = self.temperature
        loss = super()._train_step()
        log = self.solver.log
        log["pos"].append(sum(float(pos) for pos, _ in self._parts))
        log["neg"].append(sum(float(neg) for _, neg in self._parts))
        log["total"].append(float(loss))
        log["temperature"].append(temperature)
        if self._callback is not None and self._every is not None:
            if self.step % self._every == 0:
                self._callback(self.step, self.solver)
        return loss

    def finished(self, network: nn.Module) -> Solver:
        """Return the solver with the weights that are kept."""
        self._optimizer.zero_grad(set_to_none=True)
        kept = self.solver
        criterion = self.objective.criterion
        criterion._forward_hooks.clear()
        return Solver(network, criterion, kept.log, self._optimizer.state_dict())
