"""Hypothesis comparison: what drives the activity is told from what does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_cebra import Recording, Stimulus, Traces, TrainConfig, Variable, exhaust
from napari_cebra.pipeline import (
    STIMULUS,
    DecodingConfig,
    PipelineConfig,
    compare_hypotheses,
)
from napari_cebra.pipeline.hypotheses import Interval
from napari_cebra.recording import InvalidInput

TRAINING = TrainConfig(
    model_architecture="offset1-model",
    output_dimension=4,
    num_hidden_units=16,
    batch_size=128,
    max_iterations=50,
    time_offsets=2,
    device="cpu",
    threads=1,
)
CONFIG = PipelineConfig(
    training=TRAINING, decoding=DecodingConfig(ks=(1, 9), n_blocks=3)
)


@pytest.fixture(scope="module")
def recording():
    """Cells tuned to one smooth variable; another is as smooth, and unrelated."""
    rng = np.random.default_rng(0)
    smooth = np.ones(40) / 40
    walks = rng.normal(size=(2, 1239))
    driven, other = (np.convolve(walk, smooth, "valid") * 6 for walk in walks)
    centre = rng.uniform(-2, 2, 30)
    rate = np.exp(-((driven[:, None] - centre) ** 2))
    values = rate + rng.normal(0, 0.2, rate.shape)
    return Recording(
        Traces(values.astype(np.float32), "dff", 10.0),
        variables=(Variable("driven", driven), Variable("other", other)),
    )


@pytest.fixture(scope="module")
def compared(recording):
    reports = []
    work = compare_hypotheses(recording, ["driven", "other"], CONFIG, n_seeds=2)
    return exhaust(work, reports.append), reports


def test_each_candidate_has_a_control_and_time_comes_last(compared):
    result, _ = compared
    assert [(row.name, row.kind) for row in result.rows] == [
        ("driven", "hypothesis"),
        ("driven", "shuffled"),
        ("other", "hypothesis"),
        ("other", "shuffled"),
        ("time", "time"),
    ]
    assert len(result.folds) == 3 and len(result.seeds) == 2
    assert set(result.rows[-1].decoding) == {"driven", "other"}


def test_the_variable_that_drives_the_cells_is_found(compared):
    driven, control, other, *_ = compared[0].rows
    assert driven.goodness_of_fit.mean > control.goodness_of_fit.mean + 0.3
    assert driven.gain.low > 0
    assert driven.gain.mean > other.gain.mean + 0.3
    assert driven.decoding["driven"][0] == "r2"
    assert driven.decoding["driven"][1].mean > 0.6
    assert other.decoding["other"][1].mean < 0.3
    assert driven.consistency.mean > control.consistency.mean


def test_progress_is_told_and_hides_what_the_test_rows_say(compared):
    result, reports = compared
    done = [report.done for report in reports]
    assert done == sorted(done) and done[-1] == reports[-1].total
    assert all(report.report.bits_heldout is None for report in reports)
    table = result.table()
    assert table[0]["bits low"] <= table[0]["bits"] <= table[0]["bits high"]
    assert "gain" in table[0] and "gain" not in table[1]


def test_the_same_seed_gives_the_same_table(recording, compared):
    short = CONFIG.training.to_dict() | {"max_iterations": 5}
    config = PipelineConfig(
        training=TrainConfig(**short), decoding=DecodingConfig(ks=(1,), n_blocks=3)
    )
    tables = [
        exhaust(compare_hypotheses(recording, [("driven", "other")], config, 2)).table()
        for _ in range(2)
    ]
    assert tables[0] == tables[1]
    assert tables[0][0]["name"] == "driven + other"


def test_a_movie_is_judged_on_its_repeats():
    rng = np.random.default_rng(0)
    shown = np.tile(np.arange(40), 4)
    values = rng.normal(size=(40, 20))[shown] + rng.normal(0, 0.3, (160, 20))
    recording = Recording(
        Traces(values.astype(np.float32), "dff", 10.0),
        stimulus=Stimulus(shown, np.repeat(np.arange(4), 40)),
        trials=np.repeat(np.arange(4), 40),
    )
    config = PipelineConfig(training=TRAINING, decoding=DecodingConfig(ks=(1, 4)))
    result = exhaust(compare_hypotheses(recording, [STIMULUS], config, 2))
    assert len(result.folds) == 4
    movie, control, _ = result.rows
    assert movie.gain.low > 0
    assert (
        movie.decoding[STIMULUS][1].mean < control.decoding[STIMULUS][1].mean / 2
    )  # frames of error


def test_intervals_are_students():
    blocks = np.array([[1.0, 2.0], [3.0, 4.0], [4.0, 7.0]])
    means = blocks.mean(axis=1)
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    found = Interval.of(blocks)
    np.testing.assert_allclose([found.low, found.high], [low, high])
    assert np.isnan(Interval.of(blocks[:1]).low)


@pytest.mark.parametrize(
    ("candidates", "seeds", "says"),
    [
        ([], 2, "one candidate or more"),
        (["nothing"], 2, "nothing"),
        ([STIMULUS], 2, "no stimulus"),
        ([(STIMULUS, "driven")], 2, "cannot be joined"),
        (["driven"], 1, "n_seeds"),
    ],
)
def test_what_cannot_be_compared_is_said(recording, candidates, seeds, says):
    with pytest.raises(InvalidInput, match=says):
        exhaust(compare_hypotheses(recording, candidates, CONFIG, seeds))
