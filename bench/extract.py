"""Extraction against the matrix products others use, and against reading alone.

Run: ``python bench/extract.py [--json FILE] [--frames N] [--rois N] [--threads N]``

A made 512 × 512 int16 stack on disk, weighted round masks with neuropil rings.
The peers get the frames already read and their matrices already built; ours is
timed from the file to the finished traces, mean and maximum image included.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from napari_cebra.pipeline import exhaust
from napari_cebra.recording import RoiSet
from napari_cebra.traces import extract, neuropil_rings

SHAPE = (512, 512)


class NpyStack:
    """Frames of a .npy file, read block by block."""

    rate = 30.0

    def __init__(self, path: Path) -> None:
        self.array = np.load(path, mmap_mode="r")
        self.shape, self.dtype = self.array.shape, self.array.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return a block of frames, (n, Y, X)."""
        return np.array(self.array[start:stop])


def made_stack(path: Path, n_frames: int) -> NpyStack:
    rng = np.random.default_rng(0)
    frames = np.lib.format.open_memmap(path, "w+", np.int16, (n_frames, *SHAPE))
    for start in range(0, n_frames, 100):
        n = min(100, n_frames - start)
        frames[start : start + n] = rng.poisson(200, SHAPE) + rng.integers(
            0, 200, (n, 1, 1)
        )
    frames.flush()
    return NpyStack(path)


def made_rois(n: int, radius: int = 6) -> RoiSet:
    rng = np.random.default_rng(1)
    y, x = np.nonzero(np.hypot(*(np.indices((2 * radius + 1,) * 2) - radius)) <= radius)
    masks = []
    for cy, cx in rng.integers(0, SHAPE[0] - 2 * radius, (n, 2)):
        masks.append((y + cy, x + cx, rng.uniform(0.2, 1, y.size)))
    return RoiSet.from_masks(masks, SHAPE)


def mask_matrix(rois: RoiSet) -> sparse.csr_matrix:
    """(2N, Y * X) float32: cells, then rings, each row a mean."""
    rings = neuropil_rings(rois)
    pixels = np.concatenate([rois.pixels, rings.pixels])
    weights = np.concatenate([rois.weights, np.ones(rings.pixels.size, np.float32)])
    indptr = np.concatenate([rois.indptr, rois.indptr[-1] + rings.indptr[1:]])
    matrix = sparse.csr_matrix(
        (weights, pixels, indptr), (indptr.size - 1, SHAPE[0] * SHAPE[1])
    )
    mass = np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.diags_array(1 / mass).astype(np.float32) @ matrix


def best(function, repeats: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def read_all(stack: NpyStack) -> None:
    for start in range(0, stack.shape[0], 128):
        stack.read(start, start + 128).max()


def peers(stack: NpyStack, rois: RoiSet, n: int = 100) -> dict[str, float]:
    """Frames per second of the products, on frames already in memory."""
    frames = stack.read(0, n).reshape(n, -1)
    matrix = mask_matrix(rois)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "sparse CSC support is in beta"
        columns = torch.from_numpy(matrix.T.toarray()).to_sparse_csc()
    movie = torch.from_numpy(frames)
    found = exhaust(extract(stack, rois))
    reference = (matrix @ frames.T).T[:, : len(rois)]
    np.testing.assert_allclose(found.raw.values[:n], reference, rtol=1e-4)
    return {
        "dense": n / best(lambda: torch.mm(movie.float(), columns)),
        "csr": n / best(lambda: matrix @ frames.T.astype(np.float32)),
    }


def measure(n_frames: int, n_rois: int, threads: int | None) -> list[dict]:
    rois = made_rois(n_rois)
    with tempfile.TemporaryDirectory() as folder:
        stack = made_stack(Path(folder) / "stack.npy", n_frames)
        exhaust(extract(stack, rois))  # compiles, and fills the file cache
        other = peers(stack, rois)
        ours = n_frames / best(lambda: exhaust(extract(stack, rois, threads=threads)))
        reading = n_frames / best(lambda: read_all(stack))
    rows = [
        ("extract_vs_dense", other["dense"], "torch dense @ CSC, as suite2p 1.1"),
        ("extract_vs_csr", other["csr"], "scipy CSR @ frames"),
        ("extract_read_share", reading, "reading every pixel and its maximum"),
    ]
    return [
        {
            "case": case,
            "ours": ours,
            "peer": peer,
            "peer_name": name,
            "ratio": ours / peer,
            "unit": "frames/s",
            "floor_share": ours / reading,
        }
        for case, peer, name in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rois", type=int, default=500)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads or os.cpu_count() or 1)
    rows = measure(given.frames, given.rois, given.threads)
    for row in rows:
        print(
            f"{row['case']:20} {row['ours']:8.0f} {row['unit']} against "
            f"{row['peer']:8.0f} ({row['peer_name']}): {row['ratio']:.2f}x"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
