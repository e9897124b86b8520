"""A small recording with something to learn in it."""

from dataclasses import dataclass

import numpy as np
import pytest

from napari_cebra.embedding import MoviePairs, TrainConfig


@dataclass
class Showing:
    """Six repeats of a 60-frame movie, 24 neurons tuned to it."""

    values: np.ndarray
    segment: np.ndarray
    shown: np.ndarray
    repeat: np.ndarray

    @property
    def pairs(self):
        return MoviePairs(self.shown, self.repeat)

    @property
    def train(self):
        return self.repeat < 5

    @property
    def heldout(self):
        return self.repeat == 5


@pytest.fixture(scope="session")
def showing():
    rng = np.random.default_rng(0)
    frames, repeats, n = 60, 6, 24
    shown = np.tile(np.arange(frames), repeats)
    phase = rng.uniform(0, 2 * np.pi, n)
    angle = 2 * np.pi * shown[:, None] / frames
    values = np.exp(2 * np.cos(angle - phase)) + rng.normal(0, 2, (shown.size, n))
    return Showing(
        values.astype(np.float32),
        np.zeros(shown.size, np.int64),
        shown,
        np.repeat(np.arange(repeats), frames),
    )


@pytest.fixture
def quick():
    return TrainConfig(
        model_architecture="offset5-model",
        output_dimension=3,
        num_hidden_units=16,
        batch_size=64,
        max_iterations=60,
        evaluations=6,
        input_dropout=0.2,
        device="cpu",
        threads=1,
        seed=3,
    )
