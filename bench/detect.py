"""ROIs found in simulated fields, against the truth and against suite2p.

Run: ``python bench/detect.py [--json FILE] [--seeds 101 102 103]
[--suite2p PYTHON [--without-torchvision]] [--quick]``

Fields of cells over others out of focus (`napari_cebra.simulate.cell_fields`)
at several densities and brightnesses, two-photon and widefield. A mask counts
as found if it can be paired one to one with a true one with an intersection
over union of at least 0.5. SNR is that of the median cell's brightest pixel in
a single frame; a person sees cells from about 1 on. PYTHON is that of an
environment of its own with suite2p 1.1; it gets the same movies, the rate, and
the true diameter; ours has to estimate it.

The constants were chosen on the seeds 0, 5, 11 and 21 of such fields; suite2p keeps
its defaults.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from napari_cebra.pipeline import exhaust
from napari_cebra.simulate.cell_fields import (
    CellField,
    SimulatedCells,
    simulate_cells,
)
from napari_cebra.traces.detection import DetectionSettings, detect

IOU = 0.5
TAU = 0.5  # seconds, told to suite2p: the simulated decay is 0.35
TWO_PHOTON = [
    CellField(n_cells=n, n_hidden=60, photons=photons)
    for n in (60, 120, 190)
    for photons in (0.5, 1.0, 2.0, 4.0, 15.0, 60.0)
]
ONE_PHOTON = [
    CellField(n_cells=n, n_hidden=60, photons=photons, one_photon=True)
    for n in (60, 110)
    for photons in (2.0, 5.0, 15.0, 50.0, 200.0)
]


@dataclass(frozen=True)
class Score:
    """Of one program on one movie."""

    f1: float
    precision: float
    recall: float
    seconds: float
    cpu: float
    total: float = 0.0


def masks_of(rois) -> list[np.ndarray]:
    return np.split(rois.pixels, rois.indptr[1:-1])


def scored(found: list[np.ndarray], truth: list[np.ndarray], n: int, *times) -> Score:
    """Pair masks one to one so that the summed IoU is largest."""
    if not found:
        return Score(0.0, 1.0, 0.0, *times)
    mine, true = _matrix(found, n), _matrix(truth, n)
    shared = (mine @ true.T).toarray()
    sizes = [np.array([m.size for m in masks]) for masks in (found, truth)]
    iou = shared / (sizes[0][:, None] + sizes[1][None] - shared)
    rows, columns = linear_sum_assignment(-np.where(iou >= IOU, iou, 0))
    hits = int((iou[rows, columns] >= IOU).sum())
    precision, recall = hits / len(found), hits / len(truth)
    f1 = 2 * hits / (len(found) + len(truth))
    return Score(f1, precision, recall, *times)


def _matrix(masks: list[np.ndarray], n: int) -> sparse.csr_matrix:
    indptr = np.cumsum([0] + [m.size for m in masks])
    return sparse.csr_matrix(
        (np.ones(indptr[-1]), np.concatenate(masks), indptr), (len(masks), n)
    )


class Suite2p:
    """suite2p in another Python, asked one movie at a time."""

    def __init__(self, python: str, *options: str) -> None:
        script = Path(__file__).with_name("detect_suite2p.py")
        self._process = subprocess.Popen(
            [python, str(script), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, field: SimulatedCells, diameter: float) -> dict[str, Score]:
        """Return the scores of all ROIs, and of those it accepts."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "movie.npy"
            np.save(path, field.movie)
            line = f"{path} {field.rate} {TAU} {diameter}\n"
            self._process.stdin.write(line)
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        masks = [np.array(mask) for mask in answer["masks"]]
        accepted = [m for m, yes in zip(masks, answer["accepted"], strict=True) if yes]
        truth, n = masks_of(field.rois), field.shape[1] * field.shape[2]
        times = answer["seconds"], answer["cpu"], answer["total"]
        return {
            "suite2p, all": scored(masks, truth, n, *times),
            "suite2p, accepted": scored(accepted, truth, n, *times),
        }


def ours(field: SimulatedCells) -> Score:
    start, busy = time.perf_counter(), time.process_time()
    found = exhaust(detect(field, DetectionSettings()))
    times = time.perf_counter() - start, time.process_time() - busy
    kept = masks_of(found.rois) if (found.quality >= 0.5).any() else []
    n = field.shape[1] * field.shape[2]
    return scored(kept, masks_of(field.rois), n, *times)


def measure(cases: list[CellField], seeds: list[int], suite2p: Suite2p | None) -> list:
    rows = []
    for case in cases:
        of: dict[str, list[Score]] = {}
        snrs = []
        for seed in seeds:
            field = simulate_cells(replace(case, seed=seed))
            snrs.append(float(np.median(field.snr)))
            of.setdefault("napari-cebra", []).append(ours(field))
            if suite2p is not None:
                for name, score in suite2p(field, case.cell_diameter).items():
                    of.setdefault(name, []).append(score)
        row = {
            "one_photon": case.one_photon,
            "cells": case.n_cells,
            "photons": case.photons,
            "snr": float(np.mean(snrs)),
        }
        for name, scores in of.items():
            values = [asdict(score) for score in scores]
            row[name] = {k: float(np.mean([v[k] for v in values])) for k in values[0]}
        show(row)
        rows.append(row)
    return rows


def show(row: dict) -> None:
    kind = "1-photon" if row["one_photon"] else "2-photon"
    text = f"{kind} {row['cells']:4d} cells {row['photons']:6.1f} photons"
    text += f"  SNR {row['snr']:5.2f}"
    for name, value in row.items():
        if isinstance(value, dict):
            text += (
                f" | {name}: F1 {value['f1']:.3f} (P {value['precision']:.2f} "
                f"R {value['recall']:.2f}) {value['seconds']:.1f} s, "
                f"CPU {value['cpu']:.1f} s"
            )
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--suite2p", metavar="PYTHON")
    parser.add_argument("--without-torchvision", action="store_true")
    parser.add_argument("--quick", action="store_true", help="every third case")
    chosen = parser.parse_args()
    cases = (TWO_PHOTON + ONE_PHOTON)[:: 3 if chosen.quick else 1]
    options = ["--without-torchvision"] if chosen.without_torchvision else []
    suite2p = Suite2p(chosen.suite2p, *options) if chosen.suite2p else None
    simulated = simulate_cells(CellField(n_cells=20, shape=(96, 96), seconds=60))
    ours(simulated)  # first calls load and compile
    if suite2p is not None:
        suite2p(simulated, 10.5)
    rows = measure(cases, chosen.seeds, suite2p)
    visible = [row["napari-cebra"]["f1"] for row in rows if row["snr"] >= 1]
    summary = {"detect_f1_visible": min(visible), "detect_f1_mean": np.mean(visible)}
    for name in ("suite2p, all", "suite2p, accepted"):
        others = [row[name]["f1"] for row in rows if row["snr"] >= 1 and name in row]
        if others:
            summary[f"{name}: f1_mean"] = np.mean(others)
    for name in rows[0]:
        if isinstance(rows[0][name], dict):
            cpu = np.mean([row[name]["cpu"] for row in rows])
            summary[f"{name}: cpu_s_mean"] = cpu
    print({key: round(float(value), 3) for key, value in summary.items()})
    if chosen.json is not None:
        summary = {key: float(value) for key, value in summary.items()}
        chosen.json.write_text(json.dumps({**summary, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
