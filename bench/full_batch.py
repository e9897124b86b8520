"""Peak memory and time of a step whose batch is a whole recording.

    python bench/full_batch.py [--rows N] [--json FILE]

Trains ``offset10-model`` with time pairs on noise, 120 neurons, every row a
reference. The reference implementation needs a
table of rows × rows here: 10 GB at 50 000, several times.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import numpy as np
from rows import row, write

from napari_cebra.embedding import TimePairs, TrainConfig, Training

STEPS = 2


def main() -> None:
    """Train for a few steps and print what it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = options.rows
    values = np.random.default_rng(0).normal(size=(rows, 120)).astype(np.float32)
    config = TrainConfig(
        batch_size=rows, max_iterations=STEPS, evaluations=1, device="cpu"
    )
    one, every = np.zeros(rows, int), np.ones(rows, bool)
    training = Training(values, one, every, None, TimePairs(10), config)
    for _ in training.run():
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = training.seconds / STEPS
    threads = training.threads
    print(f"{rows} rows: {peak:.2f} GB, {seconds:.1f} s a step, {threads} threads")
    write(
        options.json,
        [
            row(f"full_batch_{rows}_memory", peak, "GB"),
            row(f"full_batch_{rows}_step", seconds, "s"),
        ],
    )


if __name__ == "__main__":
    main()
