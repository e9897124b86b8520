"""A training that keeps the published package's log and calls its callback."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from napari_cebra.embedding.loop import Loop
from napari_cebra.embedding.sessions import SessionTraining
from napari_cebra.embedding.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_cebra.embedding.losses import InfoNCE, Loss

_LOGGED = ("pos", "neg", "total", "temperature")


@dataclass(eq=False)
class Solver:
    """What scripts read from `CEBRA.solver_`.

    Parameters
    ----------
    model : nn.Module
        The encoder network.
    criterion : InfoNCE
    log : dict
        Per step: "pos" and "neg" (the two parts of InfoNCE; of hybrid training
        the sums of both objectives), "total" and "temperature".
    optimizer : dict
        State of the optimiser after the last step, from which `partial_fit`
        goes on; empty where it is not known.
    generator : (n,) uint8 tensor, optional
        State of the draws after the last step.
    """

    model: nn.Module
    criterion: InfoNCE
    log: dict[str, list[float]] = field(
        default_factory=lambda: {key: [] for key in _LOGGED}
    )
    optimizer: dict[str, Any] = field(default_factory=dict)
    generator: torch.Tensor | None = None

    def draws_on(self, device: torch.device) -> bool:
        """Say whether draws on a device can go on from where they were."""
        own = torch.Generator(device).get_state()
        return self.generator is not None and self.generator.shape == own.shape

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


class _Solved(Loop):
    """What both kinds of training below add to `Loop`."""

    def begin(
        self,
        optimizer_kwargs: Mapping[str, Any],
        start: Solver | None = None,
        first_only: bool = False,
        callback: Callable[[int, Solver], object] | None = None,
        every: int | None = None,
    ) -> Self:
        """Set what the published estimator sets, before the first step.

        Parameters
        ----------
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
        network, criterion = self.objective.network, self.objective.criterion
        self.solver = Solver(network, criterion)
        if start is not None:
            if isinstance(network, nn.ModuleList):
                for k, part in enumerate(network):
                    _take_over(part, _part(start.model, k), first_only)
            else:
                _take_over(network, _part(start.model, 0), first_only)
            criterion.load_state_dict(start.criterion.state_dict())
        self._good = {k: v.detach().clone() for k, v in network.state_dict().items()}
        if self._averaged is not None:
            self._averaged.load_state_dict(network.state_dict())
        self._optimizer = self._published_optimizer(dict(optimizer_kwargs))
        if start is not None and not first_only:
            self._optimize_on(start.optimizer)
            if start.generator is not None and start.draws_on(self.device):
                self.objective.generator.set_state(start.generator)
            self.solver.log = {key: list(start.log.get(key, ())) for key in _LOGGED}
        self._callback, self._every = callback, every
        self._parts: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self._steps: list[torch.Tensor] = []
        self._hook = criterion.register_forward_hook(self._note)
        return self

    def _published_optimizer(self, kwargs: dict[str, Any]) -> torch.optim.Optimizer:
        """Adam as published; decoupled weight decay if the config asks for it."""
        if self.config.weight_decay:
            for group in self._optimizer.param_groups:
                group.update({k: v for k, v in kwargs.items() if k != "weight_decay"})
            return self._optimizer
        parts = (self.objective.network, self.objective.criterion)
        learnt = [p for part in parts for p in part.parameters() if p.requires_grad]
        return torch.optim.Adam(learnt, lr=self.config.learning_rate, **kwargs)

    def _optimize_on(self, kept: dict[str, Any]) -> None:
        """Go on with the state of an optimiser, or say why it begins anew."""
        if _is_of(kept, self._optimizer):
            own = self._optimizer.state_dict()["param_groups"]
            state = copy.deepcopy(kept["state"])
            self._optimizer.load_state_dict({"state": state, "param_groups": own})
            return
        why = (
            "what was trained before was not the same weights with the same optimiser"
            if kept
            else "its state is not known from an old file, or the published package's"
        )
        warnings.warn(
            f"partial_fit goes on with the weights, but the optimiser begins anew: "
            f"{why}.",
            stacklevel=5,
        )

    def _note(self, criterion: nn.Module, args: Any, loss: Loss) -> None:
        if torch.is_grad_enabled():
            both = loss.alignment.detach(), loss.uniformity.detach()
            self._parts.append((self.parts, *both))

    def _train_step(self) -> torch.Tensor:
        self._parts.clear()
        with torch.no_grad():
            temperature = 1 / self.objective.criterion.inverse_temperature
        loss = super()._train_step()
        # not those of an attempt that memory was too short for
        both = [each for parts, *each in self._parts if parts == self.parts]
        pos, neg = (torch.stack(part).sum() for part in zip(*both, strict=True))
        # kept on the device: reading a number would wait for it at every step
        self._steps.append(torch.stack([pos, neg, loss, temperature]))
        if self._callback is not None and self._every is not None:
            if self.step % self._every == 0:
                self._write_log()
                self._callback(self.step, self.solver)
        return loss

    def _write_log(self) -> None:
        """Add the steps since the last time to the log."""
        if self._steps:
            columns = torch.stack(self._steps).T.tolist()
            for key, values in zip(_LOGGED, columns, strict=True):
                self.solver.log[key] += values
        self._steps.clear()

    def finished(self, network: nn.Module) -> Solver:
        """Return the solver with the weights that are kept."""
        self._optimizer.zero_grad(set_to_none=True)
        self._write_log()
        kept = self.solver
        self._hook.remove()
        return Solver(
            network,
            self.objective.criterion,
            kept.log,
            self._optimizer.state_dict(),
            self.objective.generator.get_state(),
        )


class SolvedTraining(_Solved, Training):
    """`Training` with the published optimiser, log and callback."""


class SolvedSessionTraining(_Solved, SessionTraining):
    """`SessionTraining` with the published optimiser, log and callback."""


def _is_of(kept: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> bool:
    """Say whether a state is one that an optimiser of these parameters has."""

    def layout(groups: Sequence[Mapping[str, Any]]) -> list[tuple[int, bool]]:
        return [(len(g["params"]), bool(g.get("amsgrad"))) for g in groups]

    groups = optimizer.param_groups
    if not kept or layout(kept["param_groups"]) != layout(groups):
        return False
    parameters = [p for group in groups for p in group["params"]]
    return set(kept["state"]) == set(range(len(parameters))) and all(
        value.shape == parameters[index].shape or name == "step"
        for index, each in kept["state"].items()
        for name, value in each.items()
    )


def _part(model: nn.Module, number: int) -> nn.Module:
    """Return the network of one recording (of the first, where there are fewer)."""
    if not isinstance(model, nn.ModuleList):
        return model
    return model[number if number < len(model) else 0]


def _take_over(network: nn.Module, given: nn.Module, first_only: bool) -> None:
    theirs, own = given.state_dict(), network.state_dict()
    first = list(theirs)[:2] if first_only else []
    network.load_state_dict({k: own[k] if k in first else theirs[k] for k in theirs})
    if first_only:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in first)
