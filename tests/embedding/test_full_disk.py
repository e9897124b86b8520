"""What cannot be written leaves the file that stood there, and one sentence."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_cebra import CEBRA
from napari_cebra.embedding import (
    Session,
    SessionTraining,
    TimePairs,
    TrainConfig,
    Training,
    UnifiedTraining,
)
from napari_cebra.embedding.pairs import ContinuousPairs
from napari_cebra.recording import InvalidInput

CONFIG = TrainConfig(
    batch_size=8, max_iterations=1, evaluations=1, time_offsets=1, device="cpu"
)
VALUES = np.random.default_rng(0).normal(size=(60, 30)).astype(np.float32)
ROWS = np.zeros(60, int), np.ones(60, bool)


def trained(training):
    for _ in training.run():
        pass
    return training


def estimator(x):
    quick = {"max_iterations": 1, "batch_size": 8, "device": "cpu", "threads": 1}
    return CEBRA(**quick, num_hidden_units=32).fit(x)


def writers():
    plain = trained(Training(VALUES, *ROWS, None, TimePairs(1), CONFIG))
    sessions = [
        Session(VALUES, ROWS[0], ContinuousPairs(VALUES[:, :1], 1)) for _ in range(2)
    ]
    one, two = estimator(VALUES), estimator([VALUES, VALUES])
    return {
        "encoder": plain.model().save,
        "checkpoint": plain.checkpoint,
        "encoders": trained(SessionTraining(sessions, CONFIG)).model().save,
        "unified": trained(UnifiedTraining(sessions, CONFIG)).model().save,
        "estimator": one.save,
        "estimator of several": two.save,
        "for the reference": lambda path: one.save(path, backend="cebra"),
    }


WRITERS = (
    *("encoder", "checkpoint", "encoders", "unified", "estimator"),
    *("estimator of several", "for the reference"),
)


@pytest.fixture(scope="module")
def write():
    return writers()


@contextmanager
def largest_file(n_bytes):
    """Let no file grow beyond so many bytes: writing fails half-way, as on a disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITERS)
def test_writing_that_fails_half_way(name, write, tmp_path):
    path = tmp_path / "model.safetensors"
    write[name](path)
    before = path.read_bytes()
    with largest_file(len(before) // 2), pytest.raises(InvalidInput) as caught:
        write[name](path)
    text = str(caught.value)
    assert text.startswith("Cannot write model.safetensors") and text.count(".") == 2
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk(name, step, write, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "model"
    path.write_bytes(b"old")
    where = {"write": (Path, "write_bytes"), "fsync": (os, "fsync")}
    with monkeypatch.context() as patch, pytest.raises(InvalidInput) as caught:
        patch.setattr(*where.get(step, (os, "replace")), full)
        write[name](path)
    assert f"the disk of {tmp_path} is full; free some" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
