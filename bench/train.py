"""A training step against the reference package's, in the same run.

Run: ``python bench/train.py [--json FILE] [--cases NAME ...] [--threads N]``

Both train offset10-model (32 units, 8 latents, batch 512) on the same made
traces on the CPU, in turns of some tens of steps; the figure is the median over
turns of the time per step. ``step_multisession`` is four such recordings with 512
references each; ``step_recommended`` the recommended settings for repeats of a
movie, which the reference has no counterpart of.

``floor_share`` is how much of our step is what no float32 step can do without:
the matrix products, forward and for both gradients, of each window position once
(where dropout differs from window to window, of each position of each window),
GELU and its derivative there, and the softmax of all pairs. Each is timed alone in
the same run and in the same shapes, by whichever of PyTorch's two libraries is
faster; what a step spends beside (draws, cutting windows, sums, the optimiser,
calling PyTorch) counts as avoidable.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cebra
import numpy as np
import torch
import torch.nn.functional as F

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    MoviePairs,
    TimePairs,
    TrainConfig,
    Training,
    recommended,
)
from napari_cebra.embedding.convolutions import product
from napari_cebra.embedding.encoder import Standardization
from napari_cebra.embedding.sessions import Session, SessionTraining

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.embedding.architectures import Network
    from napari_cebra.embedding.loop import Loop
    from napari_cebra.embedding.pairs import Pairs

CASES = {
    # name: rows, neurons, pairs
    "step_time_10k": (10_000, 120, "time"),
    "step_delta_10k": (10_000, 120, "delta"),
    "step_delta_100k": (100_000, 120, "delta"),
    "step_time_1000n": (9_000, 1_000, "time"),
    "step_hybrid": (10_000, 120, "hybrid"),
    "step_discrete": (10_000, 120, "discrete"),
}
TRANSFORM = "transform_1m"
SESSIONS = "step_multisession"
RECOMMENDED = "step_recommended"
ALL = [*CASES, SESSIONS, RECOMMENDED, TRANSFORM]
BATCH = 512
N_CLASSES = 8
N_RECORDINGS = 4
N_REPEATS = 10


def made_recording(rows: int, neurons: int, pairs: str, seed: int = 0) -> tuple:
    """Noise with a slow component in it, and labels that wander."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(rows, 3)), axis=0).astype(np.float32)
    walk /= walk.std(axis=0)
    values = walk @ rng.normal(size=(3, neurons)).astype(np.float32)
    values += rng.normal(size=values.shape).astype(np.float32)
    if pairs == "discrete":
        edges = np.quantile(walk[:, 0], np.linspace(0, 1, N_CLASSES + 1)[1:-1])
        return values, np.digitize(walk[:, 0], edges)
    return values, walk[:, :2]


def rule(pairs: str, labels: np.ndarray) -> Pairs:
    """Return the rule by which a case draws its pairs."""
    if pairs == "time":
        return TimePairs(10)
    if pairs == "discrete":
        return DiscretePairs(labels)
    delta = ContinuousPairs(labels, 10)
    return HybridPairs(delta, 10) if pairs == "hybrid" else delta


def published(threads: int) -> TrainConfig:
    """Return the settings of the reference."""
    return TrainConfig(
        model_architecture="offset10-model",
        num_hidden_units=32,
        output_dimension=8,
        temperature=1.0,
        batch_size=BATCH,
        learning_rate=3e-4,
        lr_schedule="constant",
        weight_decay=0.0,
        input_dropout=0.0,
        max_iterations=10**7,
        evaluations=1,
        device="cpu",
        threads=threads,
    )


def ours(values: np.ndarray, pairs: Pairs, config: TrainConfig) -> Training:
    """Return a training on all rows."""
    rows = np.ones(len(values), bool)
    return Training(values, np.zeros(len(values), int), rows, None, pairs, config)


def our_turn(training: Loop, steps: int) -> float:
    with training._computing():
        begun = time.perf_counter()
        for _ in range(steps):
            training._train_step()
            training.step += 1
        return (time.perf_counter() - begun) / steps


def peer(pairs: str, steps: int) -> cebra.CEBRA:
    """Return the reference's estimator of a case."""
    return cebra.CEBRA(
        model_architecture="offset10-model",
        batch_size=BATCH,
        num_hidden_units=32,
        output_dimension=8,
        time_offsets=10,
        learning_rate=3e-4,
        temperature=1.0,
        max_iterations=steps + 1,
        device="cpu",
        conditional={"time": "time", "discrete": None}.get(pairs, "time_delta"),
        hybrid=pairs == "hybrid",
    )


def peer_turn(data: tuple, pairs: str, steps: int) -> float:
    """Time the reference's steps alone, from its callback."""
    ticks: list[float] = []
    peer(pairs, steps).fit(
        *data,
        callback=lambda step, solver: ticks.append(time.perf_counter()),
        callback_frequency=1,
    )
    return (ticks[-1] - ticks[0]) / (len(ticks) - 1)


def floor(training: Training) -> float:
    """Return seconds of what a step cannot do without."""
    objective = training.objective
    drawn = objective.draw()
    least = _layers(objective.network, drawn.rows, drawn.noise is not None)
    objectives = len(drawn.rows) // training.config.batch_size - 2
    return least + objectives * _loss(training.config, training.config.batch_size)


def floor_of_sessions(training: SessionTraining) -> float:
    """Return the same of a step on several recordings."""
    objective = training.objective
    batch = objective.draw().batch
    networks = zip(objective.network, objective._rows(batch), strict=True)
    least = sum(_layers(network, rows, False) for network, rows in networks)
    return least + _loss(training.config, len(batch.reference))


def _layers(network: Network, rows: torch.Tensor, apart: bool) -> float:
    """Return seconds of all layers, each position once; `apart`: of each window."""
    architecture = network.architecture
    length = sum(architecture.receptive_field) - architecture.mean_over + 1
    least = 0.0
    for number, (layer, conv) in enumerate(network.steps()):
        out, width, kernel = conv.weight.shape
        length -= kernel - 1
        positions = len(rows) * length
        if not apart:
            positions = torch.unique(rows[:, None] + torch.arange(length)).numel()
        least += _layer(positions, width, kernel, out, number > 0)
        if layer.gelu:
            y = torch.randn(positions, out)
            least += _fastest(partial(F.gelu, y))
            least += _fastest(partial(torch.ops.aten.gelu_backward, y, y))
    return least


def _layer(positions: int, width: int, kernel: int, out: int, inner: bool) -> float:
    """Return seconds of the products of a layer, whose input is read once for each."""
    x, across = torch.randn(positions, width), torch.randn(width, positions)
    weight = torch.randn(kernel * out, width)
    taps = torch.randn(positions, kernel * out)
    least = _fastest(lambda: x @ weight.T, lambda: product(x, weight))
    least += _fastest(lambda: across @ taps, lambda: product(across, taps.T))
    if inner:  # by the traces there is no gradient
        back = weight.T.contiguous()
        least += _fastest(lambda: taps @ weight, lambda: product(taps, back))
    return least


def _loss(config: TrainConfig, n: int) -> float:
    """Return seconds of the softmax of n × n pairs and of its three products."""
    points = torch.randn(n, config.output_dimension)
    across, share = points.T.contiguous(), torch.rand(n, n)
    least = _fastest(lambda: points @ across, lambda: product(points, points))
    least += _fastest(lambda: share.softmax(1))
    least += _fastest(lambda: share @ points, lambda: product(share, across))
    least += _fastest(lambda: across @ share, lambda: product(across, share.T))
    return least


def _fastest(*ways: Callable[[], object]) -> float:
    """Return the least of the median seconds of several ways."""
    medians = []
    for way in ways:
        times = []
        for _ in range(11):
            begun = time.perf_counter()
            way()
            times.append(time.perf_counter() - begun)
        medians.append(statistics.median(times))
    return min(medians)


def measure(case: str, threads: int, turns: int) -> dict:
    pairs = CASES[case][2]
    values, labels = made_recording(*CASES[case])
    data = (values,) if pairs == "time" else (values, labels)
    training = ours(values, rule(pairs, labels), published(threads))
    steps = 5 if case == "step_delta_100k" else 20
    theirs = partial(peer_turn, data, pairs, steps)
    return _in_turns(case, training, turns, floor, theirs)


def measure_sessions(threads: int, turns: int) -> dict:
    """Time a step on four recordings."""
    made = [made_recording(10_000, 120, "delta", s) for s in range(N_RECORDINGS)]
    sessions = [
        Session(values, np.zeros(len(values), int), ContinuousPairs(labels, 10))
        for values, labels in made
    ]
    training = SessionTraining(sessions, published(threads))
    data = tuple(list(part) for part in zip(*made, strict=True))
    return _in_turns(
        SESSIONS,
        training,
        turns,
        floor_of_sessions,
        lambda: peer_turn(data, "delta", 4),
    )


def measure_recommended(threads: int, turns: int) -> dict:
    """Time a step with dropout and repeats mixed, on ten repeats of a movie."""
    values, _ = made_recording(10_000, 120, "time")
    frames = len(values) // N_REPEATS
    shown, repeat = np.arange(len(values)) % frames, np.arange(len(values)) // frames
    settings = recommended(rate=30, target="movie") | {"max_iterations": 10**7}
    config = TrainConfig(**settings, evaluations=1, device="cpu", threads=threads)
    training = ours(values, MoviePairs(shown, repeat), config)
    return _in_turns(RECOMMENDED, training, turns, floor)


def _in_turns(
    case: str,
    training: Loop,
    turns: int,
    floor: Callable,
    peer_turn: Callable[[], float] | None = None,
) -> dict:
    our_turn(training, 10)
    mine, theirs, least = [], [], []
    for _ in range(turns):
        if peer_turn is not None:
            theirs.append(peer_turn())
        mine.append(our_turn(training, 40))
        least.append(floor(training))
    own = statistics.median(mine) * 1e3
    other = statistics.median(theirs) * 1e3 if theirs else None
    share = {"floor_share": statistics.median(least) * 1e3 / own}
    return result(case, own, other, "ms per step") | share


def measure_transform(threads: int, turns: int) -> dict:
    """Time the transform of a million rows with the same weights."""
    values, _ = made_recording(1_000_000, 120, "time")
    segment = np.zeros(len(values), int)
    theirs = peer("time", 1).fit(values[:10_000])
    encoder = ours(values[:1000], TimePairs(10), published(threads)).model()
    encoder.network.copy_reference_weights(theirs.model_.state_dict())
    whole = replace(encoder, standardization=unscaled(values.shape[1]))
    mine, other, memory = [], [], []
    for _ in range(turns):
        begun = time.perf_counter()
        expected = theirs.transform(values, batch_size=10_000)
        other.append(time.perf_counter() - begun)
        before = peak_memory()
        begun = time.perf_counter()
        got = whole.transform(values, segment)
        mine.append(time.perf_counter() - begun)
        memory.append(peak_memory() - before)
        np.testing.assert_allclose(got, expected, atol=1e-4)
    pair = statistics.median(mine), statistics.median(other)
    return result(TRANSFORM, *pair, "s") | {"peak_growth_mib": max(memory) / 2**20}


def unscaled(neurons: int) -> Standardization:
    """Return the standardisation that changes nothing, as in the reference."""
    return Standardization(torch.zeros(neurons), torch.ones(neurons), False)


def peak_memory() -> int:
    """Return the most bytes this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def result(case: str, own: float, theirs: float | None, unit: str) -> dict:
    return {
        "case": case,
        "ours": own,
        "peer": theirs,
        "peer_name": f"cebra {cebra.__version__}" if theirs is not None else None,
        "ratio": theirs / own if theirs is not None else None,
        "unit": unit,
    }


def _cell(figure: float | str | None) -> str:
    return f"{figure:.2f}" if isinstance(figure, float) else figure or ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cases", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", module="cebra")
    results = []
    print("| case | ours | cebra | unit | ratio | floor share |")
    print("|---|---|---|---|---|---|")
    for case in options.cases:
        if case == TRANSFORM:
            r = measure_transform(options.threads, min(options.turns, 3))
        elif case == SESSIONS:
            r = measure_sessions(options.threads, options.turns)
        elif case == RECOMMENDED:
            r = measure_recommended(options.threads, options.turns)
        else:
            r = measure(case, options.threads, options.turns)
        results.append(r)
        figures = [r["ours"], r["peer"], r["unit"], r["ratio"], r.get("floor_share")]
        print(f"| `{case}` | {' | '.join(map(_cell, figures))} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
