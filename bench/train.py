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
import statistics
import time
import warnings
from pathlib import Path

import cebra
import numpy as np
import torch

from napari_cebra.embedding import ContinuousPairs, TimePairs, TrainConfig, Training

CASES = {
    # name: rows, neurons, labels
    "step_time_10k": (10_000, 120, 0),
    "step_delta_10k": (10_000, 120, 2),
    "step_delta_100k": (100_000, 120, 2),
    "step_time_1000n": (9_000, 1_000, 0),
}
BATCH = 512


def made_recording(rows: int, neurons: int, labels: int) -> tuple:
    """Noise with a slow component in it, and labels that wander."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(rows, 3)), axis=0).astype(np.float32)
    walk /= walk.std(axis=0)
    values = walk @ rng.normal(size=(3, neurons)).astype(np.float32)
    values += rng.normal(size=values.shape).astype(np.float32)
    return values, walk[:, :labels]


def ours(values: np.ndarray, labels: np.ndarray, threads: int) -> Training:
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
    pairs = ContinuousPairs(labels, 10) if labels.shape[1] else TimePairs(10)
    rows = np.ones(len(values), bool)
    return Training(values, np.zeros(len(values), int), rows, None, pairs, config)


def our_turn(training: Training, steps: int) -> float:
    begun = time.perf_counter()
    for _ in range(steps):
        training._train_step()
        training.step += 1
    return (time.perf_counter() - begun) / steps


def peer_turn(values: np.ndarray, labels: np.ndarray, steps: int) -> float:
    """Time the reference's steps alone, from its callback."""
    ticks: list[float] = []
    model = cebra.CEBRA(
        model_architecture="offset10-model",
        batch_size=BATCH,
        num_hidden_units=32,
        output_dimension=8,
        time_offsets=10,
        learning_rate=3e-4,
        temperature=1.0,
        max_iterations=steps + 1,
        device="cpu",
        conditional="time_delta" if labels.shape[1] else "time",
    )
    y = (labels,) if labels.shape[1] else ()
    model.fit(
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
    length = sum(training.model().receptive_field)
    products: list[tuple[int, int, int, bool]] = []
    for conv in training.objective.network.convs:
        out, width, kernel = conv.weight.shape
        length -= kernel - 1
        positions = torch.unique(first[:, None] + torch.arange(length)).numel()
        products.append((positions, width * kernel, out, len(products) > 0))
    products.append((BATCH, training.config.output_dimension, BATCH, True))
    return sum(_products_of(*shape) for shape in products)


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
    values, labels = made_recording(*CASES[case])
    training = ours(values, labels, threads)
    slow = case == "step_delta_100k"
    our_turn(training, 10)
    mine, theirs, least = [], [], []
    for _ in range(turns):
        theirs.append(peer_turn(values, labels, 5 if slow else 20))
        mine.append(our_turn(training, 40))
        least.append(floor(training))
    own, peer = statistics.median(mine), statistics.median(theirs)
    return {
        "case": case,
        "ours": own * 1e3,
        "peer": peer * 1e3,
        "peer_name": f"cebra {cebra.__version__}",
        "ratio": peer / own,
        "unit": "ms per step",
        "floor_share": statistics.median(least) / own,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", module="cebra")
    results = []
    print(
        "| case | ours, ms | cebra, ms | ratio | floor share |\n|---|---|---|---|---|"
    )
    for case in options.cases:
        r = measure(case, options.threads, options.turns)
        results.append(r)
        print(
            f"| `{case}` | {r['ours']:.1f} | {r['peer']:.1f} | {r['ratio']:.1f} | "
            f"{r['floor_share']:.2f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
