"""Attribution beside the reference package's, with the same weights.

Run: ``python bench/attribution.py [--json FILE] [--rows N] [--threads N] [--seeds N]``

offset10-model (32 units, 8 latents, 120 neurons) on noise on the CPU. The figure is
rows attributed per second, the median of three turns of either in the same run; the
reference computes Jacobians in batches and their pseudo-inverses one row at a time.
``floor_share`` is how much of our time the matrix products take that the gradients of a
row cannot do without, at the rate that this machine reaches in these shapes in the same
run; where there is no such bound it is null and ``floor_reason`` says why.
The last cases train on simulated populations of which half follow the variable, and
give the area under the ROC curve of their attribution, mean of the seeds, with the
penalty on the Jacobian (ours) and without (peer); ``--seeds 0`` leaves them out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import statistics
import sys
import time
import types
from pathlib import Path

import cebra.models
import numpy as np
import torch

from napari_cebra.embedding import (
    AttributionConfig,
    ContinuousPairs,
    Encoder,
    TrainConfig,
    XcebraConfig,
    XcebraTraining,
    attribute,
    attribute_rois,
    separation,
)
from napari_cebra.embedding.encoder import Standardization, build_network
from napari_cebra.pipeline import exhaust

N, UNITS, LATENTS = 120, 32, 8
CASES = {
    # method: settings of ours, settings of the reference, share of the rows
    "jacobian-based": ({}, {}, 1.0),
    "integrated-gradients": ({"n_steps": 10}, {"n_steps": 10}, 0.5),
    "neuron-gradient-shap": ({}, {"baselines": "zeros"}, 0.5),
    "feature-ablation": ({"ablate": "frame"}, {}, 0.05),
}


# the reference's attribution imports it and, in what is timed here, never uses it
sys.modules.setdefault("cvxpy", types.ModuleType("cvxpy"))
their_attribution = importlib.import_module("cebra.attribution")


def both(rows: int) -> tuple[Encoder, torch.nn.Module, np.ndarray]:
    config = TrainConfig(
        num_hidden_units=UNITS, output_dimension=LATENTS, standardize=False
    )
    values = np.random.default_rng(0).normal(size=(rows + 9, N)).astype(np.float32)
    theirs = cebra.models.init("offset10-model", N, UNITS, LATENTS).eval()
    network = build_network(config, N).eval()
    network.copy_reference_weights(theirs.state_dict())
    return (
        Encoder(network, Standardization.fit(values, config), config, {}),
        theirs,
        (values),
    )


def floor(network: torch.nn.Module, method: str, rows: int) -> float | None:
    """Return seconds of the products that gradients of so many rows need.

    From each latent back through all layers to the frames, once for each point the
    gradient is taken at; through the first layer, which is linear, once in all.
    """
    points = {
        "jacobian-based": 1,
        "integrated-gradients": CASES["integrated-gradients"][0]["n_steps"],
        "neuron-gradient-shap": AttributionConfig().n_samples,
    }.get(method)
    if points is None:
        return None
    chunk, places, least = 16, 1, 0.0  # so few rows at once that they stay in cache
    for number, conv in reversed(list(enumerate(network.convs))):
        out, width, kernel = conv.weight.shape
        gradient = torch.randn(chunk * LATENTS * places, out)
        weight = torch.randn(out, kernel * width)
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            gradient @ weight
            times.append(time.perf_counter() - begun)
        least += statistics.median(times) * (points if number else 1)
        places += kernel - 1
    return least * rows / chunk


def speed(method: str, rows: int) -> dict:
    settings, their_settings, share = CASES[method]
    rows = max(32, int(rows * share))
    encoder, theirs, values = both(rows)
    segment = np.zeros(len(values), int)
    asked = np.ones(len(values), bool)
    asked[:5] = asked[-4:] = False
    config = AttributionConfig(method, **settings)

    def ours() -> None:
        exhaust(attribute(encoder, values, segment, config, asked))

    def peer() -> None:
        data = torch.from_numpy(values).requires_grad_()
        with contextlib.redirect_stdout(io.StringIO()):
            map_of = their_attribution.init(method, theirs, data, LATENTS)
            map_of.compute_attribution_map(**their_settings)

    times: dict = {ours: [], peer: []}
    floors = []
    for _ in range(3):
        floors.append(floor(encoder.network, method, rows))
        for turn, seconds in times.items():
            begun = time.perf_counter()
            turn()
            seconds.append(time.perf_counter() - begun)
    mine, other = (rows / statistics.median(times[turn]) for turn in (ours, peer))
    found = row(f"attribution_{method}", mine, other, "cebra 0.6.1", "rows/s")
    if None in floors:
        return found | {
            "floor_reason": "how much of a window has to be embedded again hangs on "
            "which layers a frame reaches, so no bound holds for every way to do it"
        }
    found["floor_share"] = statistics.median(floors) / statistics.median(times[ours])
    print(f"  floor share {found['floor_share']:.2f}")
    return found


def population(seed: int, n_rows: int = 2000, n: int = 24) -> tuple:
    """Half of the neurons follow a 2-D variable, half another one; which do."""
    rng = np.random.default_rng(seed)
    z, drive = np.zeros((n_rows, 4)), rng.normal(0, 0.24, (n_rows, 4))
    for t in range(1, n_rows):
        z[t] = 0.97 * z[t - 1] + drive[t]

    def driven(z: np.ndarray) -> np.ndarray:
        mixed = z @ rng.normal(size=(2, n)), z @ rng.normal(size=(2, n))
        return np.tanh(mixed[0]) + np.sin(mixed[1])

    values = np.concatenate([driven(z[:, :2]), driven(z[:, 2:])], axis=1)
    values += rng.normal(0, 0.6, values.shape)
    return values.astype(np.float32), z[:, :2], np.arange(2 * n) < n


def auc(architecture: str, seed: int, weight: float) -> float:
    values, variable, truth = population(seed)
    segment, rows = np.zeros(len(values), int), np.ones(len(values), bool)
    config = TrainConfig(
        model_architecture=architecture,
        output_dimension=4,
        temperature=0.5,
        batch_size=256,
        max_iterations=200,
        input_dropout=0,
        weight_decay=0,
        evaluations=1,
        device="cpu",
        seed=seed,
        threads=torch.get_num_threads(),
    )
    xcebra = XcebraConfig(
        jacobian_weight=weight, schedule="ramp_up", from_step=40, to_step=100
    )
    pairs = [ContinuousPairs(variable, 5)]
    training = XcebraTraining(values, segment, rows, None, pairs, config, xcebra)
    for _ in training.run():
        pass
    asked = AttributionConfig(max_rows=500)
    found = exhaust(attribute_rois(training.model(), values, segment, asked))
    return separation(found.roi(), truth).auc


def quality(architecture: str, seeds: int) -> dict:
    plain, regular = (
        float(np.mean([auc(architecture, seed, w) for seed in range(seeds)]))
        for w in (0.0, 2.0)
    )
    name = f"attribution_auc_{architecture}"
    found = row(name, regular, plain, "without the penalty", "ROC-AUC")
    return found | {"floor_reason": "no time"}


def row(case: str, ours: float, peer: float, peer_name: str, unit: str) -> dict:
    found = {
        "case": case,
        "ours": ours,
        "peer": peer,
        "peer_name": peer_name,
        "ratio": ours / peer,
        "unit": unit,
        "floor_share": None,
    }
    print(f"{case}: {ours:.4g} {unit}, {peer_name} {peer:.4g}, ratio {ours / peer:.3g}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    results = [speed(method, arguments.rows) for method in CASES]
    if arguments.seeds:
        names = "offset1-model", "offset5-model"
        results += [quality(name, arguments.seeds) for name in names]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
