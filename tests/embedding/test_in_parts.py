"""A step that memory is too short for is computed in parts, to the same result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MixedPairs,
    Session,
    SessionTraining,
    Subspace,
    TimePairs,
    TrainConfig,
    Training,
    UnifiedTraining,
    XcebraConfig,
    XcebraTraining,
)

CONFIG = TrainConfig(
    model_architecture="offset5-model",
    output_dimension=4,
    num_hidden_units=16,
    batch_size=50,
    max_iterations=12,
    evaluations=2,
    temperature_mode="auto",
    time_offsets=3,
    input_dropout=0.2,
    device="cpu",
    threads=1,
)
MASKS = {"RandomNeuronMask": 0.2, "TimeBlockMask": (0.3, 2)}
KINDS = {
    "continuous": lambda y: ContinuousPairs(y, 3),
    "normal": lambda y: ContinuousPairs(y, 3, delta=0.2),
    "discrete": lambda y: DiscretePairs((y[:, 0] > 0).astype(int)),
    "mixed": lambda y: MixedPairs(ContinuousPairs(y, 3), (y[:, 0] > 0).astype(int)),
    "hybrid": lambda y: HybridPairs(ContinuousPairs(y, 3), 3),
    "time": lambda y: TimePairs(3),
}


def recording(rows, neurons, seed):
    rng = np.random.default_rng(seed)
    label = np.sin(np.cumsum(rng.normal(0, 0.2, (rows, 2)), 0))
    mixed = label @ rng.normal(size=(2, neurons))
    values = mixed + rng.normal(0, 0.3, (rows, neurons))
    return values.astype(np.float32), label


ONE = recording(300, 12, 0)


def sessions(pairs):
    found = []
    for s, (rows, neurons) in enumerate([(300, 12), (220, 7)]):
        values, label = recording(rows, neurons, s)
        found.append(Session(values, np.arange(rows) // 60, pairs(label)))
    return found


def xcebra(config=CONFIG, **settings):
    values, label = ONE
    parts = (Subspace(0, 2), Subspace(0, 4, 0.5))
    return XcebraTraining(
        values,
        np.zeros(300, int),
        np.ones(300, bool),
        None,
        [ContinuousPairs(label, 3), TimePairs(3)],
        config,
        XcebraConfig(
            jacobian_weight=0.5, schedule="constant", subspaces=parts, **settings
        ),
    )


def masked(config=CONFIG):
    values, label = ONE
    return Training(
        values,
        np.zeros(300, int),
        np.ones(300, bool),
        None,
        ContinuousPairs(label, 3),
        config,
        masks=MASKS,
    )


def of_several(kind="continuous", config=CONFIG, **options):
    return SessionTraining(sessions(KINDS[kind]), config, **options)


def mixed_repeats(config=CONFIG):
    return of_several("discrete", replace(config, mix_repeats=0.4))


def unified(config=CONFIG, **options):
    return UnifiedTraining(sessions(KINDS["continuous"]), config, **options)


def with_dropout(config=CONFIG):
    plain = replace(config, input_dropout=0.0)
    return of_several(config=plain)


TRAININGS = {
    **{kind: lambda kind=kind: of_several(kind) for kind in KINDS},
    "full batch": lambda: of_several(full_batch=True),
    "full hybrid": lambda: of_several("hybrid", full_batch=True),
    "masked sessions": lambda: of_several(masks=MASKS),
    "without noise": lambda: of_several(config=replace(CONFIG, input_dropout=0.0)),
    "mixed repeats": mixed_repeats,
    "unified": unified,
    "masked unified": lambda: unified(masks=MASKS),
    "unified without noise": lambda: unified(replace(CONFIG, input_dropout=0.0)),
    "masked": masked,
    "xcebra": xcebra,
    "xcebra in random directions": lambda: xcebra(projections=3),
    "xcebra renormalised": lambda: xcebra(renormalize=True),
}


@pytest.mark.parametrize("parts", [2, 7])
@pytest.mark.parametrize("name", TRAININGS)
def test_gradients_in_parts_are_those_of_the_whole(name, parts):
    objective = TRAININGS[name]().objective
    batch = objective.draw()
    learnt = [*objective.network.parameters(), *objective.criterion.parameters()]
    drawn = objective.generator.get_state()
    found = []
    for count in (1, parts):
        objective.generator.set_state(drawn)
        for parameter in learnt:
            parameter.grad = None
        loss = objective.backward(batch, 0, count)
        found.append([loss, *(p.grad.clone() for p in learnt)])
    assert any(float(gradient.abs().max()) > 1e-3 for gradient in found[0][1:])
    for whole, summed in zip(*found, strict=True):
        scale = float(whole.abs().max())
        torch.testing.assert_close(summed, whole, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize(
    "make", [of_several, unified, masked, xcebra, mixed_repeats, with_dropout]
)
def test_out_of_memory_halves_the_work_and_goes_on(make, monkeypatch):
    plain = make()
    for _ in plain.run():
        pass
    training = make()
    kind = type(training.objective)
    backward = kind.backward

    def short(self, batch, step, parts):
        if step >= 3 and parts < 4:
            # after half of the gradients have been added
            backward(self, batch, step, parts)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return backward(self, batch, step, parts)

    monkeypatch.setattr(kind, "backward", short)
    for _ in training.run():
        pass
    assert training.parts == 4
    np.testing.assert_allclose(training.losses, plain.losses, rtol=2e-3, atol=1e-4)
