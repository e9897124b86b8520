"""Extraction against the matrix products others use, and against reading alone.

Run: ``python bench/extract.py [--json FILE] [--frames N] [--rois N] [--threads N]
[--pages N] [--disk MB]``

A made 512 × 512 int16 stack on disk, weighted round masks with neuropil rings.
Ours and the peers get the frames already read, the peers their matrices already
built; ours is timed to the finished traces, mean and maximum image included. The
rows "from a file" are ours with reading, against the same peers without.

`extract_read_share` is the speed of extraction from a TIFF that is not in the file
cache, beside reading the same file, front to back and not cached either. It is that
of the disk where the disk is slower than extraction; where it is not, which the
rows "cached" tell, it is that of our own work. The rows "slow disk" are taken with
a reader that gives `--disk` MB/s: 500 is a SATA drive.

`extract_rss_mb` and `first_frame_s` are taken in a fresh process on a TIFF of
`--pages` pages with holes for pixels, 26 GB with 50 000.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import torch
from large_tiff import write_paged
from rows import row, write
from scipy import sparse

from napari_cebra.io import open_stack
from napari_cebra.pipeline import exhaust
from napari_cebra.recording import RoiSet
from napari_cebra.traces import extract, neuropil_rings
from napari_cebra.traces.pictures import MOST_FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.io import Stack

SHAPE = (512, 512)
ALONE = "reading the file alone"


class NpyStack:
    """Frames of a .npy file, read block by block, or once and for all."""

    rate = 30.0

    def __init__(self, path: Path, in_memory: bool = False) -> None:
        self.in_memory = in_memory
        self.array = np.load(path, mmap_mode=None if in_memory else "r")
        self.shape, self.dtype = self.array.shape, self.array.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return a block of frames, (n, Y, X)."""
        frames = self.array[start:stop]
        return frames if self.in_memory else np.array(frames)


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


def seconds(function: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    return min(seconds(function) for _ in range(repeats))


def read_all(stack: NpyStack) -> None:
    for start in range(0, stack.shape[0], 128):
        stack.read(start, start + 128).max()


def forget(path: Path) -> None:
    """Take a file out of the file cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_file(path: Path) -> None:
    """Read a file front to back, 64 MB at a time."""
    buffer = bytearray(64 * 2**20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


class Slow:
    """A stack on a disk that gives so many bytes a second, and no more."""

    def __init__(self, stack: Stack, speed: float) -> None:
        self.stack, self.speed, self.rate = stack, speed, stack.rate
        self.shape, self.dtype = stack.shape, stack.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return a block of frames when it would have arrived."""
        due = time.perf_counter()
        frames = self.stack.read(start, stop)
        due += frames.nbytes / self.speed
        time.sleep(max(due - time.perf_counter(), 0))
        return frames


def from_file(
    path: Path, rois: RoiSet, threads: int | None, speed: float | None = None
) -> None:
    with open_stack(path, axes="TYX", rate=30.0) as stack:
        source = stack if speed is None else Slow(stack, speed)
        exhaust(extract(source, rois, threads=threads))


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


def against_products(n_frames: int, rois: RoiSet, threads: int | None) -> list[dict]:
    """Time the same sums by other means, and with the pictures a window shows."""
    with tempfile.TemporaryDirectory() as folder:
        stack = made_stack(Path(folder) / "stack.npy", n_frames)
        exhaust(extract(stack, rois))  # compiles, and fills the file cache
        other = peers(stack, rois)
        held = NpyStack(Path(folder) / "stack.npy", in_memory=True)
        ours = n_frames / best(lambda: exhaust(extract(held, rois, threads=threads)))
        file = n_frames / best(lambda: exhaust(extract(stack, rois, threads=threads)))
        drawn = n_frames / best(
            lambda: exhaust(extract(stack, rois, pictures=MOST_FRAMES, threads=threads))
        )
        reading = n_frames / best(lambda: read_all(stack))
    unit, share = "frames/s", file / reading
    name = "torch dense @ CSC, as suite2p 1.1"
    pictures = f"without them (on up to {MOST_FRAMES} frames of {n_frames})"
    return [
        row("extract_vs_dense", ours, unit, other["dense"], name),
        row("extract_vs_csr", ours, unit, other["csr"], "scipy CSR @ frames"),
        row("from a file, dense", file, unit, other["dense"], name, floor_share=share),
        row("from a file, csr", file, unit, other["csr"], "scipy CSR @ frames"),
        row("extract_with_pictures", drawn, unit, file, pictures),
    ]


def against_reading(
    n_frames: int, rois: RoiSet, threads: int | None, slow: float
) -> list[dict]:
    """Time extraction from TIFF and reading alone in MB/s, taken in turns."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        frames = made_stack(Path(folder) / "stack.npy", n_frames).array
        for kind in ("paged", "contiguous"):
            path = Path(folder) / f"{kind}.tif"
            with tifffile.TiffWriter(path, bigtiff=True) as file:
                if kind == "contiguous":
                    file.write(frames, photometric="minisblack")
                for frame in frames if kind == "paged" else ():
                    file.write(frame, contiguous=False, metadata=None)
            names = ("alone", "ours", "cached", "slow")
            fastest = dict.fromkeys(names, np.inf)
            for _ in range(3):
                for name, work, cold in (
                    ("alone", lambda p=path: read_file(p), True),
                    ("ours", lambda p=path: from_file(p, rois, threads), True),
                    ("cached", lambda p=path: from_file(p, rois, threads), False),
                    ("slow", lambda p=path: from_file(p, rois, threads, slow), False),
                ):
                    if cold:
                        forget(path)
                    fastest[name] = min(fastest[name], seconds(work))
            size = path.stat().st_size / 1e6
            speed = {name: size / taken for name, taken in fastest.items()}
            limit = f"a disk of {slow / 1e6:.0f} MB/s"
            rows += [
                row(
                    f"{kind}, not cached", speed["ours"], "MB/s", speed["alone"], ALONE
                ),
                row(f"{kind}, cached", speed["cached"], "MB/s"),
                row(f"{kind}, slow disk", speed["slow"], "MB/s", slow / 1e6, limit),
            ]
            path.unlink()
    worst = min(
        (r for r in rows if "not cached" in r["case"]), key=lambda r: r["ratio"]
    )
    return [{**worst, "case": "extract_read_share"}, *rows]


def on_a_large_file(n_pages: int, n_rois: int) -> list[dict]:
    """Measure anonymous memory added by extraction, and time to the first frame."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        write_paged(path, n_pages, SHAPE)
        forget(path)
        size = f"{path.stat().st_size / 1e9:.1f} GB in {n_pages} pages"
        call = [sys.executable, __file__, "--alone", str(path), "--rois", str(n_rois)]
        said = subprocess.run(call, check=True, capture_output=True, text=True)
        found = json.loads(said.stdout)
    return [
        row("first_frame_s", found["first_frame_s"], "s", 2.0, f"the target; {size}"),
        row("extract_rss_mb", found["rss_mb"], "MB", 500.0, f"the target; {size}"),
    ]


def alone(path: Path, n_rois: int) -> None:
    """Print what is measured in a process that did nothing before."""
    start = time.perf_counter()
    stack = open_stack(path, axes="TYX", rate=30.0)
    np.asarray(stack.lazy[0])
    first = time.perf_counter() - start
    rois = made_rois(n_rois)
    small = np.zeros((2, *SHAPE), np.uint16)
    exhaust(extract(_Small(small), rois))  # compiles
    before, most, over = anonymous(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    made = exhaust(extract(stack, rois, pictures=MOST_FRAMES))
    over.set()
    watcher.join()
    traces = sum(part.values.nbytes for part in (made.raw, made.neuropil)) / 1e6
    print(
        json.dumps(
            {"first_frame_s": first, "rss_mb": most - before, "of_it_traces": traces}
        )
    )


class _Small(NpyStack):
    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype


def anonymous() -> float:
    """Anonymous memory of this process in MB; mapped files do not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("this needs Linux, which tells anonymous memory apart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rois", type=int, default=500)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--pages", type=int, default=50_000, help="0: no large file")
    parser.add_argument("--disk", type=float, default=500, help="MB/s")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone is not None:
        alone(given.alone, given.rois)
        return
    torch.set_num_threads(given.threads or os.cpu_count() or 1)
    rois = made_rois(given.rois)
    rows = against_products(given.frames, rois, given.threads)
    rows += against_reading(given.frames, rois, given.threads, given.disk * 1e6)
    if given.pages:
        rows += on_a_large_file(given.pages, given.rois)
    for each in rows:
        text = f"{each['case']:42} {each['ours']:8.4g} {each['unit']}"
        if each["peer"]:
            text += f" against {each['peer']:8.4g} ({each['peer_name']})"
            text += f": {each['ratio']:.2f}x"
        print(text)
    write(given.json, rows)


if __name__ == "__main__":
    main()
