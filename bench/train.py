"""A training step against the reference package's, in the same run.

Run: ``python bench/train.py [--json FILE] [--cases NAME ...] [--threads N]``

Both train offset10-model (32 units, 8 latents, batch 512) on the same made
traces on the CPU, in turns of some tens of steps; the figure is the median over
turns of the time per step. ``floor_share`` is how much of our step the matrix
products take that no float32 step can do without, each window position that
references, positives and negatives have in common counted once, timed in the
same shapes in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cebra
import numpy as np
import sessions as several
import torch

from napari_cebra.embedding import (
    ContinuousPairs,
    DiscretePairs,
    HybridPairs,
    TimePairs,
    TrainConfig,
    Training,
)
from napari_cebra.embedding.encoder import Standardization

if TYPE_CHECKING:
    from napari_cebra.embedding.architectures import Network
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
ALL = [*CASES, SESSIONS, TRANSFORM]
BATCH = 512
N_CLASSES = 8


def made_recording(rows: int, neurons: int, pairs: str) -> tuple:
    """Noise with a slow component in it, and labels that wander."""
    rng = np.random.default_rng(0)
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


def ours(values: np.ndarray, labels: np.ndarray, pairs: str, threads: int) -> Training:
    """Return a training with the settings of the reference."""
    config = TrainConfig(
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
    rows = np.ones(len(values), bool)
    segment = np.zeros(len(values), int)
    return Training(values, segment, rows, None, rule(pairs, labels), config)


def our_turn(training: Training, steps: int) -> float:
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


def peer_turn(values: np.ndarray, labels: np.ndarray, pairs: str, steps: int) -> float:
    """Time the reference's steps alone, from its callback."""
    ticks: list[float] = []
    y = () if pairs == "time" else (labels,)
    peer(pairs, steps).fit(
        values,
        *y,
        callback=lambda step, solver: ticks.append(time.perf_counter()),
        callback_frequency=1,
    )
    return (ticks[-1] - ticks[0]) / (len(ticks) - 1)


def floor(training: Training) -> float:
    """Return seconds of the matrix products that a step cannot do without."""
    batch = training.objective.sampler.draw(BATCH, torch.Generator().manual_seed(0))
    first = torch.cat([batch.reference, *batch.positives, batch.negative])
    least = _layers(training.objective.network, first)
    objectives = len(batch.positives)
    shape = BATCH, training.config.output_dimension, BATCH, True
    return least + objectives * _products_of(*shape)


def _layers(network: Network, rows: torch.Tensor) -> float:
    """Return seconds of the products of all layers, each position once."""
    length, least = sum(network.architecture.receptive_field), 0.0
    for number, conv in enumerate(network.convs):
        out, width, kernel = conv.weight.shape
        length -= kernel - 1
        positions = torch.unique(rows[:, None] + torch.arange(length)).numel()
        least += _products_of(positions, width * kernel, out, number > 0)
    return least


def measure_sessions(threads: int, turns: int) -> dict:
    """Time a step on several recordings; see ``bench/sessions.py``."""
    recordings = several.made_recordings()
    training = several.ours(recordings, threads)
    own, theirs = several.measure_step(training, recordings, turns)
    objective = training.objective
    batch = objective.draw().batch
    least = sum(
        _layers(network, rows)
        for network, rows in zip(objective.network, objective._rows(batch), strict=True)
    )
    n = len(batch.reference)
    least += _products_of(n, training.config.output_dimension, n, True)
    return result(SESSIONS, own * 1e3, theirs * 1e3, "ms per step") | {
        "floor_share": least / own
    }


def _products_of(rows: int, width: int, out: int, needs_input: bool) -> float:
    """Seconds of the forward product and its two gradients (one for data)."""
    x, w, g = torch.randn(rows, width), torch.randn(width, out), torch.randn(rows, out)
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        x @ w
        x.T @ g
        if needs_input:
            g @ w.T
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measure(case: str, threads: int, turns: int) -> dict:
    pairs = CASES[case][2]
    values, labels = made_recording(*CASES[case])
    training = ours(values, labels, pairs, threads)
    slow = case == "step_delta_100k"
    our_turn(training, 10)
    mine, theirs, least = [], [], []
    for _ in range(turns):
        theirs.append(peer_turn(values, labels, pairs, 5 if slow else 20))
        mine.append(our_turn(training, 40))
        least.append(floor(training))
    own, theirs_ms = statistics.median(mine) * 1e3, statistics.median(theirs) * 1e3
    return result(case, own, theirs_ms, "ms per step") | {
        "floor_share": statistics.median(least) * 1e3 / own
    }


def measure_transform(threads: int, turns: int) -> dict:
    """Time the transform of a million rows with the same weights."""
    values, _ = made_recording(1_000_000, 120, "time")
    segment = np.zeros(len(values), int)
    theirs = peer("time", 1).fit(values[:10_000])
    encoder = ours(values[:1000], values[:1000], "time", threads).model()
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


def result(case: str, own: float, theirs: float, unit: str) -> dict:
    return {
        "case": case,
        "ours": own,
        "peer": theirs,
        "peer_name": f"cebra {cebra.__version__}",
        "ratio": theirs / own,
        "unit": unit,
    }


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
        else:
            r = measure(case, options.threads, options.turns)
        results.append(r)
        share = f"{r['floor_share']:.2f}" if "floor_share" in r else ""
        print(
            f"| `{case}` | {r['ours']:.1f} | {r['peer']:.1f} | {r['unit']} | "
            f"{r['ratio']:.1f} | {share} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
