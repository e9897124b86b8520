"""Registration against scikit-image, frame by frame, on the same cores.

Run: ``python bench/register.py [--json FILE] [--frames N] [--size N]``

A simulated field of 512 × 512 pixels (int16, 2 photons per pixel and frame)
with known shifts of up to 5 pixels. Ours is the whole of `register`:
template, every frame, quality before and after. The peer is
``phase_cross_correlation(reference, frame, upsample_factor=10)`` on frames that
are already float32, which halves its time, against a reference that it is
given. First both get one core, in turns, and CPU time is counted, so that
what else the machine does matters little; then both get all cores, and time on
the wall is counted. The floor is the two
Fourier transforms that a correlation cannot do without, of frames as large as
ours are when they are compared.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from rows import row, write
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from napari_cebra.pipeline import exhaust
from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.field_of_view import draw_field_of_view
from napari_cebra.traces.motion import Motion, MotionSettings, register

MADE = 64  # different frames, shown again and again
PAD = 24  # pixels beyond the frame, for motion to bring in
PEER_FRAMES = 16
TURNS = 3


class MadeStack:
    """Frames in memory, as often as wanted, at known places."""

    rate = 30.0

    def __init__(self, n_frames: int, size: int, photons: float = 2.0) -> None:
        rng = np.random.default_rng(0)
        side = size + 2 * PAD
        config = V1Movie(n_cells=side**2 // 1000, field_shape=(side, side))
        field = draw_field_of_view(rng, config)
        still = field.neuropil[0] + field.somata.sum(axis=1).A1
        still = still.reshape([round(still.size**0.5)] * 2)
        self.true = np.tanh(rng.normal(0, 1, (MADE, 2))) * 5
        corner = (still.shape[0] - size) // 2
        seen = slice(corner, corner + size)
        frames = [
            rng.poisson(photons * np.maximum(ndimage.shift(still, s)[seen, seen], 0))
            for s in self.true
        ]
        self.frames = (10 * np.stack(frames) + 100).astype(np.int16)
        self.frames += rng.normal(0, 8, self.frames.shape).astype(np.int16)
        self.shape, self.dtype = (n_frames, size, size), self.frames.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return a block of frames, (n, Y, X)."""
        return self.frames[np.arange(start, stop) % MADE]


def now(threads: int) -> float:
    """Seconds: of CPU time on one core, of the clock on several."""
    return time.process_time() if threads == 1 else time.perf_counter()


def ours(stack: MadeStack, threads: int) -> tuple[float, Motion]:
    """Seconds per frame of everything `register` does."""
    torch.set_num_threads(threads)
    begun = now(threads)
    motion = exhaust(register(stack, MotionSettings(device="cpu"), threads=threads))
    return (now(threads) - begun) / stack.shape[0], motion


def theirs(stack: MadeStack, threads: int) -> tuple[float, np.ndarray]:
    """Seconds per frame of scikit-image, and the shifts it finds."""
    reference = np.mean(
        [
            ndimage.shift(f, -s, np.float32, mode="nearest")
            for f, s in zip(stack.frames, stack.true, strict=True)
        ],
        axis=0,
    )
    frames = stack.frames[:PEER_FRAMES].astype(np.float32)

    def one(frame: np.ndarray) -> np.ndarray:
        return -phase_cross_correlation(reference, frame, upsample_factor=10)[0]

    begun = now(threads)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(one, frames) if threads > 1 else map(one, frames))
    return (now(threads) - begun) / PEER_FRAMES, np.stack(found)


def floor(size: int, threads: int) -> float:
    """Seconds per frame of one transform there and one back, at half the size."""
    torch.set_num_threads(threads)
    pictures = torch.randn(16, size // 2, size // 2)
    begun = now(threads)
    torch.fft.irfft2(torch.fft.rfft2(pictures), s=pictures.shape[1:])
    return (now(threads) - begun) / len(pictures)


def error(found: np.ndarray, true: np.ndarray) -> float:
    """Median distance in pixels, but for where the template stands."""
    off = found - true
    return float(np.median(np.hypot(*(off - np.median(off, axis=0)).T)))


def measure(n_frames: int, size: int, threads: int) -> tuple[dict, float, float]:
    stack = MadeStack(n_frames, size)
    ours(stack, threads)  # compiles
    seconds: dict[str, list[float]] = {"ours": [], "theirs": [], "floor": []}
    for _ in range(TURNS):
        mine, motion = ours(stack, threads)
        peer, shifts = theirs(stack, threads)
        seconds["ours"].append(mine)
        seconds["theirs"].append(peer)
        seconds["floor"].append(min(floor(size, threads) for _ in range(5)))
    best = {name: 1 / min(each) for name, each in seconds.items()}
    true = stack.true[np.arange(n_frames) % MADE]
    found = row(
        "register_vs_skimage" if threads == 1 else "register_vs_skimage_all_cores",
        best["ours"],
        "frames/s",
        best["theirs"],
        "scikit-image phase_cross_correlation x10",
        floor_share=best["ours"] / best["floor"],
    )
    return (
        found,
        error(motion.shifts, true),
        error(shifts, stack.true[:PEER_FRAMES]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512)
    given = parser.parse_args()
    rows = []
    for threads in sorted({1, os.cpu_count() or 1}):
        found, mine, peer = measure(given.frames, given.size, threads)
        rows.append(found)
        print(
            f"{found['case']:30} {found['ours']:7.0f} {found['unit']} against "
            f"{found['peer']:6.0f} ({found['peer_name']}): {found['ratio']:.1f}x; "
            f"{100 * found['floor_share']:.0f} % of the floor; median error "
            f"{mine:.3f} px, theirs {peer:.3f} px"
        )
    write(given.json, rows)


if __name__ == "__main__":
    main()
