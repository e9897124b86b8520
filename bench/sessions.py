"""Several recordings: a step against the reference's, and how animals agree.

Run: ``python bench/sessions.py [step] [consistency] [--threads N] [--turns N]``

``step``: four recordings of 10 000 × 120, 512 references each, time_delta with two
labels, offset10-model (32 units, 8 latents), in turns with the reference package;
median over turns of the time per step (`step_multisession` of ``bench/train.py``).

``consistency``: animals that run on the same simulated track, each with place cells
of its own; the last fifth of the laps is held out. For each ordered pair of
animals a linear map is fitted from the latents of the one to those of the other,
bin of the track by bin and direction by direction, on the training laps, and
scored (R²) on the held-out laps.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

from napari_cebra.embedding import ContinuousPairs, MixedPairs, TrainConfig
from napari_cebra.embedding.sessions import Session, SessionTraining
from napari_cebra.recording import segments
from napari_cebra.simulate import Ca1Track, simulate_ca1

ROWS, NEURONS, RECORDINGS, BATCH = 10_000, 120, 4, 512
BINS = 32


def made_recordings() -> list[tuple[np.ndarray, np.ndarray]]:
    """Noise with a slow component in it, and labels that wander."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(RECORDINGS):
        walk = np.cumsum(rng.normal(size=(ROWS, 3)), axis=0)
        walk = (walk / walk.std(axis=0)).astype(np.float32)
        values = walk @ rng.normal(size=(3, NEURONS))
        values += rng.normal(size=values.shape)
        made.append((values.astype(np.float32), walk[:, :2]))
    return made


def ours(recordings: list, threads: int) -> SessionTraining:
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
    sessions = [
        Session(values, np.zeros(len(values), int), ContinuousPairs(labels, 10))
        for values, labels in recordings
    ]
    return SessionTraining(sessions, config)


def our_turn(training: SessionTraining, steps: int) -> float:
    begun = time.perf_counter()
    for _ in range(steps):
        training._train_step()
        training.step += 1
    return (time.perf_counter() - begun) / steps


def peer_turn(recordings: list, steps: int) -> float:
    """Time the reference's steps alone, from its callback."""
    import cebra

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
        conditional="time_delta",
    )
    model.fit(
        [values for values, _ in recordings],
        [labels for _, labels in recordings],
        callback=lambda step, solver: ticks.append(time.perf_counter()),
        callback_frequency=1,
    )
    return (ticks[-1] - ticks[0]) / (len(ticks) - 1)


def measure_step(
    training: SessionTraining, recordings: list, turns: int
) -> tuple[float, float]:
    """Return seconds per step, ours and the reference's."""
    our_turn(training, 5)
    mine, theirs = [], []
    for _ in range(turns):
        theirs.append(peer_turn(recordings, 4))
        mine.append(our_turn(training, 20))
    return statistics.median(mine), statistics.median(theirs)


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
    parser.add_argument("what", nargs="*", default=["step", "consistency"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--animals", type=int, default=4)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if "step" in options.what:
        torch.set_num_threads(options.threads)
        recordings = made_recordings()
        training = ours(recordings, options.threads)
        own, peer = measure_step(training, recordings, options.turns)
        print(
            f"step_multisession: ours {own * 1e3:.1f} ms, cebra {peer * 1e3:.1f} ms, "
            f"ratio {peer / own:.1f}"
        )
    if "consistency" in options.what:
        for seed in range(options.seeds):
            found = measure_consistency(seed, options.animals, options.threads)
            print(
                f"seed {seed}: held-out consistency {np.mean(found):.3f} "
                f"({min(found):.3f} to {max(found):.3f}, {len(found)} pairs)",
                flush=True,
            )


if __name__ == "__main__":
    main()
