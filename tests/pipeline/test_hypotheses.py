"""Hypothesis comparison: what drives the activity is told from what does not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from napari_cebra import Recording, Stimulus, Traces, TrainConfig, Variable, exhaust
from napari_cebra.pipeline import (
    STIMULUS,
    Comparison,
    DecodingConfig,
    Interval,
    PipelineConfig,
    compare_hypotheses,
)
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
        variables=(Variable("driven", driven, units="cm"), Variable("other", other)),
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
    assert {score.variable for score in result.rows[-1].decoding} == {"driven", "other"}
    assert [row.name for row in result.hypotheses] == ["driven", "other"]
    assert result.control(result.rows[0]) is result.rows[1]
    assert result.control(result.rows[-1]) is None


def test_the_variable_that_drives_the_cells_is_found(compared):
    driven, control, other, *_ = compared[0].rows
    assert driven.goodness_of_fit.mean > control.goodness_of_fit.mean + 0.3
    assert driven.is_supported and driven.gain.low > 0
    assert driven.gain.mean > other.gain.mean + 0.3
    assert driven.score("driven", "r2").interval.mean > 0.6
    assert other.score("other", "r2").interval.mean < 0.3
    error = driven.score("driven")
    assert (error.measure, error.unit) == ("median_error", "cm")
    assert error.interval.mean < control.score("driven").interval.mean / 2
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


def test_a_variable_shuffled_beforehand_gains_nothing(recording):
    """Labels that were broken before anyone looked are no better than their control."""
    driven = recording.variable("driven")
    rng = np.random.default_rng(5)
    shuffled = replace(driven, name="shuffled", values=rng.permutation(driven.values))
    blind = replace(recording, variables=(driven, shuffled))
    result = exhaust(compare_hypotheses(blind, ["shuffled"], CONFIG, n_seeds=2))
    (row,) = result.hypotheses
    assert abs(row.goodness_of_fit.mean) < 0.1, "bits"
    assert not row.is_supported and abs(row.gain.mean) < 0.1


def test_how_much_work_it_is_can_be_said_beforehand(recording):
    plan = Comparison(recording, ["driven", "other"], CONFIG, n_seeds=3, n_controls=1)
    assert plan.n_trainings == 3 * (2 * (3 + 1) + 3)
    reports = []
    short = replace(CONFIG, training_changes={"max_iterations": 2})
    plan = Comparison(recording, ["driven"], short, n_seeds=2, n_controls=1)
    found = exhaust(plan.run(), reports.append)
    assert plan.n_trainings == 3 * (2 + 1 + 2) == reports[-1].total / 2
    assert np.isnan(found.rows[1].consistency.mean), "one seed: unknown"
    assert np.isfinite(found.hypotheses[0].consistency.mean)
    log = SimpleNamespace(step=np.array([2, 4]))
    made = SimpleNamespace(steps=2, seconds=1.0, log=log, complete=True)
    assert plan.seconds(made) == pytest.approx(plan.n_trainings * 2 / 4)
    stopped = SimpleNamespace(**{**vars(made), "complete": False})
    assert plan.seconds(stopped) is None, "a few steps do not tell"


def test_the_table_by_column_has_a_cell_for_every_line(compared):
    result, _ = compared
    columns = result.columns()
    assert {len(values) for values in columns.values()} == {5}
    assert columns["driven median_error (cm)"][0] == (
        result.rows[0].score("driven").interval.mean
    )
    assert np.isnan(columns["driven median_error (cm)"][2]), "the line of the other"
    assert np.isnan(columns["gain"][1]) and columns["kind"][1] == "shuffled"


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
        movie.score(STIMULUS).interval.mean < control.score(STIMULUS).interval.mean / 2
    )
    assert movie.score(STIMULUS).unit == "frames"


def test_intervals_are_students():
    blocks = np.array([[1.0, 2.0], [3.0, 4.0], [4.0, 7.0]])
    means = blocks.mean(axis=1)
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    found = Interval.of(blocks)
    np.testing.assert_allclose([found.low, found.high], [low, high])
    assert np.isnan(Interval.of(blocks[:1]).low)


@pytest.mark.parametrize(
    ("candidates", "seeds", "controls", "says"),
    [
        ([], 2, 1, "one candidate or more"),
        (["nothing"], 2, 1, "nothing"),
        ([STIMULUS], 2, 1, "no stimulus"),
        ([(STIMULUS, "driven")], 2, 1, "cannot be joined"),
        (["driven"], 1, 1, "n_seeds"),
        (["driven"], 2, 0, "n_controls"),
    ],
)
def test_what_cannot_be_compared_is_said(recording, candidates, seeds, controls, says):
    with pytest.raises(InvalidInput, match=says):
        exhaust(compare_hypotheses(recording, candidates, CONFIG, seeds, controls))


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        (["driven", "driven"], "'driven' is given twice"),
        ([("driven", "other"), ("other", "driven")], "is given twice"),
        ([("driven", "driven")], "with itself"),
    ],
)
def test_a_candidate_is_named_once(recording, candidates, says):
    with pytest.raises(InvalidInput, match=says):
        Comparison(recording, candidates, CONFIG)
