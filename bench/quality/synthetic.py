"""A known 2-D latent behind 100 Poisson neurons, as in the published benchmark.

The latent and the noise follow Schneider, Lee & Mathis (2023); the invertible
map is of affine coupling layers with random weights of our own.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

N = 15_000
PUBLISHED: dict[str, Any] = {
    "model_architecture": "offset1-model-mse",
    "distance": "euclidean",
    "conditional": "delta",
    "delta": 0.1,
    "learning_rate": 1e-4,
    "batch_size": 512,
    "max_iterations": 5000,
    "output_dimension": 2,
    "num_hidden_units": 32,
    "temperature": 1.0,
}


OURS: dict[str, Any] = {
    **PUBLISHED,
    "lr_schedule": "one_cycle",
    "learning_rate": 3e-4,
    "max_iterations": 2000,
}


def data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts (N, 100), the label u (N, 1) and the latent z (N, 2)."""
    rng = np.random.default_rng([777, seed])
    u = rng.uniform(0, 2 * np.pi, N)
    spread = 0.3 * np.abs(np.sin(u))
    z = np.stack([u, 2 * np.sin(u)], axis=1)
    z += rng.standard_normal((N, 2)) * np.sqrt(np.stack([0.6 - spread, spread], 1))
    x = np.zeros((N, 100))
    x[:, :2] = z
    for _ in range(4):
        x = x[:, rng.permutation(100)]
        a, b = x[:, :50], x[:, 50:]
        x = np.concatenate([a, b * np.exp(np.tanh(_mlp(rng, a))) + _mlp(rng, a)], 1)
    counts = rng.poisson(np.exp(2.2 * np.tanh(x)))
    return counts.astype(np.float32), u[:, None].astype(np.float32), z


def _mlp(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    for width in (30, 50):
        w = rng.standard_normal((x.shape[1], width)) / np.sqrt(x.shape[1]) * 2
        x = np.tanh(x @ w + 0.1 * rng.standard_normal(width))
    return x


def recovered(seed: int, by: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return how well a linear map finds the latent in an embedding (R²).

    Encoder and map are fitted on the first four fifths of the samples, which
    are independent; R² is of the last fifth (and, as published, of those
    fitted).
    """
    counts, u, z = data(seed)
    train = np.arange(N) < N * 4 // 5
    torch.manual_seed(seed)
    np.random.seed(seed)
    if by == "napari_cebra":
        settings = {**settings, "random_state": seed}
    model = import_module(by).CEBRA(**settings, device="cpu", verbose=False)
    cpu = time.process_time()
    model.fit(counts[train], u[train])
    cpu = time.process_time() - cpu
    latents = model.transform(counts)
    found = LinearRegression().fit(latents[train], z[train])
    return {
        "by": by, "seed": seed, "cpu_seconds": cpu,
        "r2": found.score(latents[~train], z[~train]),
        "r2_fitted": found.score(latents[train], z[train]),
    }  # fmt: skip
