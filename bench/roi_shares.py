"""How well the shares of ROIs tell tuned cells from others, by method.

Run: ``python bench/roi_shares.py [--seeds N] [--json FILE]``

Simulated CA1 (100 cells, of which 65 have a place field; 4 minutes at 15 Hz) is
embedded by position with the recommended settings, as the window does it. The
figure is the area under the ROC curve of the shares (1: every place cell has a
larger share than any other cell; 0.5: guessing), and how many of the 20 largest
shares are of place cells.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from rows import row, write

from napari_cebra.embedding import AttributionConfig, separation
from napari_cebra.embedding.attribution import METHODS
from napari_cebra.pipeline import PipelineConfig, TargetConfig, exhaust, fit, roi_shares
from napari_cebra.simulate import Ca1Track, simulate_ca1

TOP = 20


def judge(seed: int) -> dict[str, dict[str, float]]:
    made = simulate_ca1(Ca1Track(seed=seed, n_cells=100, minutes=4, rate=15))
    tuned = np.isfinite(made.fields).any(axis=0)
    config = PipelineConfig(target=TargetConfig("position"))
    embedding = exhaust(fit(made.recording, config))
    found = {}
    for method in METHODS:
        begun = time.perf_counter()
        settings = AttributionConfig(method, max_rows=1000)
        shares = exhaust(roi_shares(made.recording, embedding, settings)).share()
        found[method] = {
            "auc": round(separation(shares, tuned).auc, 3),
            "tuned_in_top": int(tuned[np.argsort(-shares)[:TOP]].sum()),
            "seconds": round(time.perf_counter() - begun, 1),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = [judge(seed) for seed in range(options.seeds)]
    write(
        options.json,
        [
            row(
                f"roi_shares_{method}",
                statistics.fmean(r[method]["auc"] for r in found),
                "AUC",
            )
            for method in METHODS
        ],
    )
    print(f"{'method':22} AUC by seed, place cells among the {TOP} largest, seconds")
    for method in METHODS:
        each = [run[method] for run in found]
        parts = ([e[key] for e in each] for key in ("auc", "tuned_in_top", "seconds"))
        print(f"{method:22}", *parts)


if __name__ == "__main__":
    main()
