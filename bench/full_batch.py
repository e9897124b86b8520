"""Peak memory and time of a step whose batch is a whole recording.

    python bench/full_batch.py [rows]

Trains ``offset10-model`` with time pairs on noise, 120 neurons, every row a
reference, and prints one line of JSON. The reference implementation needs a
table of rows × rows here: 10 GB at 50 000, several times.
"""

from __future__ import annotations

import json
import resource
import sys

import numpy as np

from napari_cebra.embedding import TimePairs, TrainConfig, Training

STEPS = 2


def main(rows: int = 50_000) -> None:
    """Train for a few steps and print what it took."""
    values = np.random.default_rng(0).normal(size=(rows, 120)).astype(np.float32)
    config = TrainConfig(
        batch_size=rows, max_iterations=STEPS, evaluations=1, device="cpu"
    )
    one, every = np.zeros(rows, int), np.ones(rows, bool)
    training = Training(values, one, every, None, TimePairs(10), config)
    for _ in training.run():
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result = {
        "rows": rows,
        "peak_GB": round(peak, 2),
        "seconds_per_step": round(training.seconds / STEPS, 1),
        "threads": training.threads,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
