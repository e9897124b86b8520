"""Several recordings trained together: how animals agree on held-out laps.

Run: ``python bench/sessions.py [--seeds N] [--animals N] [--threads N] [--json FILE]``.
How long a step takes is in ``bench/train.py`` (`step_multisession`).

Animals run on the same simulated track, each with place cells of its own; the last
fifth of the laps is held out. For each ordered pair of animals a linear map is
fitted from the latents of the one to those of the other, bin of the track by bin
and direction by direction, on the training laps, and scored (R²) on the held-out
laps.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from pathlib import Path

import numpy as np
from rows import row, write
from sklearn.linear_model import LinearRegression

from napari_cebra.embedding import ContinuousPairs, MixedPairs, TrainConfig
from napari_cebra.embedding.sessions import Session, SessionTraining
from napari_cebra.recording import segments
from napari_cebra.simulate import Ca1Track, simulate_ca1

BINS = 32


def measure_consistency(seed: int, animals: int, threads: int) -> list[float]:
    """Return held-out R² of every ordered pair of animals."""
    sessions, places = [], []
    for animal in range(animals):
        track = Ca1Track(seed=10 * seed + animal, minutes=8.0, rate=10.0)
        recording = simulate_ca1(track).recording
        variables = {v.name: v.values for v in recording.variables}
        segment = segments(recording.trials, recording.valid)
        held = recording.trials >= np.quantile(recording.trials[recording.valid], 0.8)
        position, direction = variables["position"], variables["direction"]
        direction = direction.astype(int)
        pairs = MixedPairs(ContinuousPairs(position, 5), direction)
        values = recording.traces.values
        sessions.append(Session(values, segment, pairs, ~held, held))
        edges = np.linspace(0, track.track, BINS + 1)[1:-1]
        places.append(np.digitize(position, edges) + BINS * direction)
    config = TrainConfig(
        model_architecture="m5 u1 d1",
        num_hidden_units=64,
        output_dimension=8,
        temperature=0.3,
        batch_size=256,
        max_iterations=300,
        learning_rate=3e-3,
        input_dropout=0.3,
        device="cpu",
        threads=threads,
        seed=seed,
    )
    training = SessionTraining(sessions, config)
    for _ in training.run():
        pass
    model = training.model()
    curves = []
    for s, (session, place) in enumerate(zip(sessions, places, strict=True)):
        latents = model.transform(session.values, session.segment, s)
        parts = []
        for rows in (session.train_rows, session.heldout_rows):
            usable = rows & (session.segment >= 0)
            parts.append(_means(latents[usable], place[usable]))
        curves.append(parts)
    found = []
    for a, b in itertools.permutations(range(animals), 2):
        scores = []
        for part in (0, 1):
            known = np.isfinite(curves[a][part] + curves[b][part]).all(axis=1)
            scores.append((curves[a][part][known], curves[b][part][known]))
        fit = LinearRegression().fit(*scores[0])
        found.append(float(fit.score(*scores[1])))
    return found


def _means(latents: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(2 BINS, D) mean latents of each bin; NaN where there is no row."""
    means = np.full((2 * BINS, latents.shape[1]), np.nan)
    for k in np.unique(place):
        mean = latents[place == k].mean(axis=0)
        means[k] = mean / np.linalg.norm(mean)
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = []
    for seed in range(options.seeds):
        found = measure_consistency(seed, options.animals, options.threads)
        print(
            f"seed {seed}: held-out consistency {np.mean(found):.3f} "
            f"({min(found):.3f} to {max(found):.3f}, {len(found)} pairs)",
            flush=True,
        )
        rows.append(
            row(f"consistency_heldout_seed_{seed}", float(np.mean(found)), "R²")
        )
    write(options.json, rows)


if __name__ == "__main__":
    main()
