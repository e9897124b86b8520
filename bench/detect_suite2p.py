"""Runs suite2p's detection for ``bench/detect.py``, in suite2p's own environment.

Reads one line for each movie, ``path.npy rate tau diameter``; answers with one
line of JSON: flat pixels of every ROI, which of them its built-in classifier
accepts, seconds of detection alone (on the clock and of the processor), and
seconds of all up to the classification.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from unittest.mock import MagicMock

import numpy as np

if "--without-torchvision" in sys.argv:
    # cellpose, which suite2p imports, asks for it at import and never again here;
    # one that was built for another torch cannot be imported.
    for name in ("", ".transforms", ".transforms.functional"):
        sys.modules["torchvision" + name] = MagicMock()


def detected(path: str, rate: float, tau: float, diameter: float) -> dict:
    import suite2p
    import torch
    from scipy.stats import skew

    device = torch.device("cpu")
    movie = np.load(path)
    settings = suite2p.default_settings()
    start, busy = time.perf_counter(), time.process_time()
    _, stat, _ = suite2p.detection_wrapper(
        movie,
        diameter=np.array([diameter, diameter]),
        tau=tau,
        fs=rate,
        settings=settings["detection"],
        device=device,
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    raw, around, *_ = suite2p.extraction_wrapper(
        stat, movie, settings=settings["extraction"], device=device
    )
    traces = raw - settings["extraction"]["neuropil_coefficient"] * around
    for one, skewness, deviation in zip(
        stat, skew(traces, axis=1), traces.std(axis=1), strict=True
    ):
        one["skew"], one["std"] = skewness, deviation
    accepted = suite2p.classification.classify(
        stat=stat, classfile=suite2p.classification.builtin_classfile
    )
    total = time.perf_counter() - start
    width = movie.shape[2]
    masks = [(one["ypix"].astype(int) * width + one["xpix"]).tolist() for one in stat]
    return {
        "masks": masks,
        "accepted": (accepted[:, 0] > 0).tolist(),
        "seconds": seconds,
        "cpu": cpu,
        "total": total,
    }


for line in sys.stdin:
    movie, *numbers = line.split()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = detected(movie, *map(float, numbers))
        except ValueError as error:  # suite2p raises it where it finds nothing
            answer = {"masks": [], "accepted": [], "seconds": 0, "cpu": 0, "total": 0}
            answer["error"] = str(error)
    print(json.dumps(answer), flush=True)
