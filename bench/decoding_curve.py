"""How hard the simulated V1 recording is: raw-population kNN beside published figures.

Run: ``python bench/decoding_curve.py [--json FILE] [--cells 100 200 ...] [--seeds N]
[--pixels]``

The published protocol and nothing of this package's decoders: windows of 1 or 10
frames flattened, each feature standardised on the training rows, scikit-learn's
cosine k-nearest-neighbour classifier, k from {1, 9, 25, 49, 100} by the mean frame
error of fitting repeats 1-8 and decoding 9, then repeats 1-9 fitted and 10 decoded.
``--pixels`` renders the built-in recording, extracts it and decodes that as well.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from rows import row, write
from sklearn.neighbors import KNeighborsClassifier

from napari_cebra.io import open_stack
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import RoiSet, segments, window_rows
from napari_cebra.simulate import V1Movie, simulate_v1, write_v1_recording
from napari_cebra.traces import dff, extract

KS = (1, 9, 25, 49, 100)
WINDOWS = {1: (0, 1), 10: (5, 5)}

# Schneider, Lee & Mathis 2023, share within 1 s of the kNN on raw population
# vectors: Extended Data Fig. 10 (two-photon) and Fig. 5 (Neuropixels), mean of five
# draws of cells; read off the figures.
PUBLISHED = {
    "two-photon": {1: {400: 0.49, 1000: 0.73}, 10: {400: 0.78, 1000: 0.94}},
    "Neuropixels": {
        1: {100: 0.248, 200: 0.356, 400: 0.493, 600: 0.553, 800: 0.587, 1000: 0.62},
        10: {100: 0.665, 200: 0.82, 400: 0.885, 600: 0.899, 800: 0.908, 1000: 0.926},
    },
}


def raw_knn(
    values: np.ndarray, shown: np.ndarray, repeat: np.ndarray, frames: int
) -> dict[str, float]:
    """Decode the last repeat; share within 1 s, median frame error and k."""
    rows = window_rows(segments(repeat, np.ones(len(repeat), bool)), *WINDOWS[frames])
    last = repeat.max()

    def neighbours(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        fitted = values[rows[train]].reshape(train.sum(), -1)
        asked = values[rows[test]].reshape(test.sum(), -1)
        mean, sd = fitted.mean(0), fitted.std(0)
        sd[sd == 0] = 1
        model = KNeighborsClassifier(max(KS), metric="cosine", algorithm="brute")
        model.fit((fitted - mean) / sd, shown[train])
        near = model.kneighbors((asked - mean) / sd, return_distance=False)
        return shown[train][near]

    def decoded(labels: np.ndarray, k: int) -> np.ndarray:
        return np.array([np.bincount(near[:k]).argmax() for near in labels])

    train, test = repeat < last - 1, repeat == last - 1
    votes = neighbours(train, test)
    errors = [np.abs(decoded(votes, k) - shown[test]).mean() for k in KS]
    k = KS[int(np.argmin(errors))]
    train, test = repeat < last, repeat == last
    error = np.abs(decoded(neighbours(train, test), k) - shown[test])
    return {
        "within_1s": float((error < 30).mean()),
        "median_frame_error": float(np.median(error)),
        "k": k,
    }


def from_pixels(config: V1Movie) -> tuple[np.ndarray, float]:
    """Render, extract, and return dF/F and its median correlation with the truth."""
    with tempfile.TemporaryDirectory() as folder:
        files = exhaust(write_v1_recording(Path(folder) / "v1", config))
        rois = RoiSet.from_labels(tifffile.imread(files.rois))
        with open_stack(files.stack, rate=config.rate) as stack:
            found = exhaust(extract(stack, rois))
        truth = files.true_dff()
    # The baseline, as everything fitted, sees nothing of the last repeat.
    fit_rows = np.arange(config.n_frames) < config.n_frames - config.n_movie_frames
    values = dff(found.raw, found.neuropil, fit_rows=fit_rows).traces.values
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(values.T, truth.T, strict=True)]
    return values, float(np.median(alike))


def measure(cells: list[int], seeds: int, pixels: bool) -> list[dict]:
    results = []
    for seed in range(seeds):
        for n in cells:
            made = simulate_v1(V1Movie(seed=seed, n_cells=n))
            values = made.recording.traces.values
            for frames in WINDOWS:
                scores = raw_knn(values, made.shown, made.repeat, frames)
                results.append(
                    {"cells": n, "frames": frames, "seed": seed, "pixels": False}
                    | scores
                )
                print(results[-1], flush=True)
        if pixels:
            config = replace(V1Movie(), seed=seed)
            values, alike = from_pixels(config)
            shown = np.tile(np.arange(config.n_movie_frames), config.n_repeats)
            repeat = np.repeat(np.arange(config.n_repeats), config.n_movie_frames)
            for frames in WINDOWS:
                scores = raw_knn(values, shown, repeat, frames)
                row = {"cells": config.n_cells, "frames": frames, "seed": seed}
                results.append(
                    row | {"pixels": True, "correlation_with_truth": alike} | scores
                )
                print(results[-1], flush=True)
    return results


def table(results: list[dict]) -> str:
    """Write the curve beside the published ones, in Markdown."""
    lines = [
        "| cells | window | simulated: mean (range) | two-photon | Neuropixels |",
        "|---|---|---|---|---|",
    ]
    for frames in WINDOWS:
        for pixels in (False, True):
            of = [r for r in results if (r["frames"], r["pixels"]) == (frames, pixels)]
            for n in sorted({r["cells"] for r in of}):
                got = [r["within_1s"] for r in of if r["cells"] == n]
                beside = [
                    f"{published[frames][n]:.2f}" if n in published[frames] else ""
                    for published in PUBLISHED.values()
                ]
                name = f"{n}, from pixels" if pixels else str(n)
                lines.append(
                    f"| {name} | {round(frames * 1000 / 30)} ms | {np.mean(got):.2f} "
                    f"({min(got):.2f} to {max(got):.2f}) | {' | '.join(beside)} |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--cells", type=int, nargs="*", default=[100, 200, 400, 600, 800, 1000]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pixels", action="store_true")
    options = parser.parse_args()
    results = measure(options.cells, options.seeds, options.pixels)
    print(table(results))
    write(
        options.json,
        [
            row(
                f"raw_{r['cells']}_cells_{r['frames']}_frames_seed_{r['seed']}"
                + ("_pixels" if r["pixels"] else ""),
                r["within_1s"],
                "share within 1 s",
                PUBLISHED["Neuropixels"][r["frames"]].get(r["cells"]),
                "raw kNN, published, Neuropixels",
            )
            for r in results
        ],
    )


if __name__ == "__main__":
    main()
