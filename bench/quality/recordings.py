"""Recordings that quality is measured on, with the published recipe for each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_cebra.io import bin_spikes, read_spikes
from napari_cebra.pipeline import (
    STIMULUS,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
    exhaust,
    load_recording,
)
from napari_cebra.recording import Recording, Traces
from napari_cebra.simulate import Ca1Track, V1Movie, simulate_ca1, simulate_v1

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

ALME = (
    "17724_fambegin2",
    "18237_novel7begin2",
    "17894_novel4begin2",
    "19251_novel2begin2",
)
"""The four sessions of alme_ca3 whose units carry position."""

_PUBLISHED: dict[str, Any] = {
    "batch_size": 512,
    "learning_rate": 3e-4,
    "temperature": 1.0,
    "max_iterations": 10_000,
    "distance": "cosine",
    "conditional": "time_delta",
}
_WINDOW_10 = {
    "model_architecture": "offset10-model",
    "time_offsets": 10,
    "num_hidden_units": 32,
    "output_dimension": 32,
}
_WINDOW_1 = {
    "model_architecture": "offset1-model",
    "time_offsets": 1,
    "num_hidden_units": 128,
    "output_dimension": 128,
}


@dataclass(frozen=True, eq=False)
class Case:
    """A recording, what is decoded from it, and how the reference is trained.

    Parameters
    ----------
    name : str
    recording : Recording
    target : str
        A variable, or "stimulus frame".
    labels : (T, d) float
        What the published recipe makes positives of.
    recipe : dict
        Keywords of the reference estimator.
    changes : dict
        Changes of our recommended settings: the window, where it is given.
    """

    name: str
    recording: Recording
    target: str
    labels: np.ndarray
    recipe: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def movie(self) -> bool:
        """Whether a frame of a repeated movie is decoded."""
        return self.target == STIMULUS

    def tested_on(self, repeat: int) -> Case:
        """Return the case with this repeat (of a movie) as the last of all."""
        stimulus = self.recording.stimulus
        assert stimulus is not None
        n = stimulus.repeat.max() + 1
        order = np.where(stimulus.repeat < 0, -1, (stimulus.repeat - repeat - 1) % n)
        turned = replace(self.recording, stimulus=replace(stimulus, repeat=order))
        return replace(self, recording=turned)


def movie(cells: int, frames: int, seed: int = 0) -> Case:
    """Return simulated V1, ten repeats of a movie, windows of 1 or 10 frames.

    The labels of the published recipe are features of the frames (there of a
    vision network, here the principal components of their pixels).
    """
    made = simulate_v1(V1Movie(seed=seed, n_cells=cells))
    pixels = made.movie.reshape(len(made.movie), -1).astype(np.float64)
    pixels -= pixels.mean(axis=0)
    u, s, _ = np.linalg.svd(pixels, full_matrices=False)
    features = (u * s)[:, :16] / s[0] * np.sqrt(len(u))
    return Case(
        f"movie-{cells}-{frames}",
        made.recording,
        STIMULUS,
        features[made.shown],
        _PUBLISHED | (_WINDOW_10 if frames == 10 else _WINDOW_1),
        {} if frames == 10 else {"model_architecture": "u1 d1"},
    )


def track(cells: int = 120, seed: int = 0) -> Case:
    """Return simulated CA1 on a linear track; labels: position and direction."""
    made = simulate_ca1(Ca1Track(seed=seed, n_cells=cells))
    recording = made.recording
    position = recording.variable("position").values / 100
    outward = recording.variable("direction").values > 0
    labels = np.stack([position, outward, ~outward], axis=1)
    return Case(
        f"track-{cells}", recording, "position", labels, _PUBLISHED | _WINDOW_10
    )


def alme(session: str) -> Case:
    """Return rat CA3 in an open field, 100 ms bins; labels: x and y.

    The bins in which the rat runs follow one another as if there were no
    others, as in the published use of such recordings; every decoder gets
    these same rows.
    """
    whole = bin_spikes(read_spikes(DATA / "alme_ca3" / f"{session}.h5"), 0.1, 50, 5.0)
    runs, traces = whole.valid, whole.traces
    position = whole.variable("position")
    position = replace(position, values=position.values[runs])
    recording = Recording(
        Traces(traces.values[runs], traces.kind, traces.rate), variables=(position,)
    )
    return Case(
        f"alme-{session}", recording, "position", position.values / 100,
        _PUBLISHED | _WINDOW_10,
    )  # fmt: skip


def thunder() -> Case:
    """Return a mouse's imaging movie, in tiles of 4 × 4 pixels; corridor position."""
    folder = DATA / "thunder_mouse_s1"
    source = SourceConfig(
        stack=str(folder / "mouse_s1_2p_500x64x64_int16.tif"),
        rois="grid:4",
        variables=str(folder / "covariates.csv"),
    )
    target = TargetConfig("corridor_position")
    config = PipelineConfig(source=source, target=target)
    recording = exhaust(load_recording(config))
    return Case("thunder", recording, "corridor_position", np.zeros((0, 1)))


def case(name: str) -> Case:
    """Return a case by its name, such as "movie-300-10", "track-120", "alme-…"."""
    kind, _, rest = name.partition("-")
    if kind == "movie":
        cells, frames = rest.split("-")
        return movie(int(cells), int(frames))
    if kind == "thunder":
        return thunder()
    return track(int(rest)) if kind == "track" else alme(rest)
