"""What every test may count on: no display needed, no settings of the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_cebra.decoding import Split
from napari_cebra.pipeline.decoding_result import Decoding
from napari_cebra.pipeline.embedding_result import Embedding, TrainingLog
from napari_cebra.recording import Recording, RoiSet, Stimulus, Traces, Variable

ROOT = Path(__file__).resolve().parent.parent

# Before napari or this package is imported: nothing a test does may reach the
# settings or the cache of the person who runs it, or depend on them.
_home = Path(tempfile.mkdtemp(prefix="napari-cebra-tests-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["NAPARI_ASYNC"] = "0"
# Windows of two workers on one display would take the focus from each other.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
if _worker and (_displays := os.environ.get("NAPARI_CEBRA_DISPLAYS", "").split()):
    os.environ["DISPLAY"] = _displays[int(_worker) % len(_displays)]
# Two workers with two threads each would wait for one another on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NAPARI_CONFIG"] = str(_home / "napari" / "settings.yaml")
os.environ.setdefault("NAPARI_CEBRA_CACHE", str(_home / "recordings"))
for _kind in ("CACHE", "CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = str(_home / _kind.lower())


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what draws where nothing can be drawn."""
    if _has_display():
        return
    skip = pytest.mark.skip(
        reason="there is no display; run under scripts/with_display.py"
    )
    for item in items:
        if item.get_closest_marker("gui"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, or a skip that says where it was looked for."""
    folder = os.environ.get("NAPARI_CEBRA_DATA")
    path = Path(folder) if folder else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the real recordings are not at {path} (NAPARI_CEBRA_DATA)")
    return path


class Made:
    """Builds the parts of a workspace; T frames of a ring run round and round."""

    n_movie = 100

    def recording(self, n_frames: int = 600, n_rois: int = 12) -> Recording:
        rng = np.random.default_rng(0)
        labels = np.zeros((48, 64), int)
        for roi in range(n_rois):
            y, x = 4 + 12 * (roi // 4), 4 + 15 * (roi % 4)
            labels[y : y + 6, x : x + 6] = roi + 1
        angle = self.angle(n_frames)
        preferred = np.linspace(0, 2 * np.pi, n_rois, endpoint=False)
        values = np.exp(np.cos(angle[:, None] - preferred)) + 0.1 * rng.normal(
            size=(n_frames, n_rois)
        )
        valid = np.ones(n_frames, bool)
        valid[50:60] = False
        movie = rng.integers(0, 255, (self.n_movie, 20, 30), dtype=np.uint8)
        return Recording(
            Traces(values, rate=30.0),
            RoiSet.from_labels(labels),
            variables=(
                Variable("angle", angle % (2 * np.pi), "circular"),
                Variable("side", (np.arange(n_frames) // 50) % 2, "discrete"),
                Variable("position", np.cos(angle), "continuous", "cm"),
            ),
            stimulus=Stimulus(np.arange(n_frames) % self.n_movie, movie=movie),
            trials=np.arange(n_frames) // (n_frames // 3),
            valid=valid,
        )

    def angle(self, n_frames: int) -> np.ndarray:
        return np.arange(n_frames) / self.n_movie * 2 * np.pi

    def latents(self, recording: Recording, dimensions: int = 3) -> np.ndarray:
        rng = np.random.default_rng(1)
        angle = self.angle(recording.n_frames)
        latents = 0.03 * rng.normal(size=(recording.n_frames, dimensions))
        latents[:, 0] += np.cos(angle)
        latents[:, 1] += np.sin(angle)
        if dimensions > 2:
            latents[:, 2] += 0.5 * np.sin(2 * angle)
        latents[~recording.valid] = np.nan
        return latents.astype(np.float32)

    def embedding(self, recording: Recording, dimensions: int = 3) -> Embedding:
        train, validation, test = (
            recording.valid & (recording.trials == trial) for trial in range(3)
        )
        names = ["train", "validation", "test"]
        part = np.select([train, validation, test], names, "invalid")
        step = np.arange(0, 1000, 100)
        curve = np.linspace(0, 4, step.size, dtype=np.float32)
        log = TrainingLog(step, 6 - curve, curve, 0.8 * curve)
        return Embedding(
            latents=self.latents(recording, dimensions),
            encoder=None,
            config=None,
            split=Split(train, validation, test),
            part=part,
            log=log,
            choosing_log=log,
            k=5,
            steps=1000,
            seconds=1.0,
            choosing_seconds=1.0,
            device="cpu",
            threads=1,
        )

    def decoding(self, recording: Recording, embedding: Embedding) -> Decoding:
        test = embedding.part == "test"
        shown = recording.stimulus.shown
        predicted = np.where(test, (shown + 3) % self.n_movie, -1)
        weights = np.ones((shown.size, 1), np.float32)
        return Decoding(
            target="stimulus frame",
            task="index",
            predicted=predicted,
            true=shown,
            candidates=predicted[:, None],
            weights=weights,
            confidence=np.where(test, 1.0, np.nan),
            part=embedding.part,
            fold=np.where(test, 0, -1),
            folds=("last repeat",),
            k=(5,),
            steps=(1000,),
            raw_choice=((5, 0.0),),
            scores=None,
            chance=None,
            raw=None,
            raw_predicted=predicted,
            controls=(),
        )


@pytest.fixture
def made() -> Made:
    return Made()
