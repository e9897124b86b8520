"""What is said of a finished training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.widgets.train_step import _is_chance, _verdict

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    ("heldout", "by_chance"),
    [
        (np.linspace(0, 1.2, 10), False),
        (np.full(10, 0.3), False),
        (np.full(10, 0.0), True),
        (np.full(10, 0.004), True),
        (np.full(10, -0.2), True),
        (np.array([0.0, 0.3, -0.3, 0.2, -0.2, 0.1]), True),
    ],
)
def test_chance_is_told_within_its_spread(made, heldout, by_chance):
    embedding = made.embedding(made.recording())
    step = np.arange(heldout.size)
    train = np.full(heldout.size, 0.28)
    log = replace(embedding.log, step=step, bits_train=train, bits_heldout=heldout)
    embedding = replace(embedding, log=log, choosing_log=log)
    assert _is_chance(embedding) == by_chance
    text = _verdict(embedding)
    assert ("no better than chance" in text) == by_chance
    assert "0.28 bits on the training rows" in text


def test_both_trainings_are_counted(made):
    embedding = made.embedding(made.recording())
    embedding = replace(embedding, seconds=17.2, choosing_seconds=44.9, steps=189)
    assert _verdict(embedding).startswith(
        "Trained in 62 s (45 s to choose the number of steps, 17 s for the final fit "
        "of 189)"
    )
