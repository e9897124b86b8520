"""Settings are searched inside the training rows, the same from every entrance."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.pipeline import (
    STIMULUS,
    Search,
    TargetConfig,
    exhaust,
    search_settings,
)
from napari_cebra.pipeline.encoder_shape import EncoderShape
from napari_cebra.pipeline.search import evenly, lengths
from napari_cebra.pipeline.search_result import SearchLine
from napari_cebra.recording import InvalidInput, Recording, Traces

from .conftest import TRAINING

SHORT = replace(TRAINING, model_architecture="m2 u2 d1", max_iterations=60)


@pytest.fixture(scope="module")
def found(tiny, config):
    reports = []
    result = exhaust(search_settings(tiny, config(training=SHORT)), reports.append)
    return result, reports


def test_every_coordinate_is_tried_from_where_it_started(found):
    result, _ = found
    assert result.complete
    start, *others = result.lines
    assert start.training == replace(SHORT, seed=0)
    assert {line.frames for line in result.lines} >= {1, 3, 10}
    assert {line.training.temperature for line in others} >= {0.1, 0.4, 0.8}
    assert {line.training.output_dimension for line in others} >= {3, 8}
    assert len({line.training for line in result.lines}) == len(result.lines)
    assert all(np.isfinite(line.errors).all() for line in result.lines)
    assert result.proposed in result.lines and result.best in result.lines
    assert result.settings().training == result.training
    table = result.table()
    assert [row["proposed"] for row in table].count(True) == 1
    assert table[0]["receptive_field_s"] == 0.3
    assert table[0]["mean frame error"] == start.error


def test_progress_ends_at_its_total(found):
    _, reports = found
    assert all(0 <= r.done <= r.total for r in reports)
    assert reports[-1].done == reports[-1].total
    assert reports[-1].seconds_left == 0
    counts = [len(r.result.lines) for r in reports]
    assert counts == sorted(counts)


def test_same_seed_same_table(tiny, config, found):
    again = exhaust(search_settings(tiny, config(training=SHORT)))
    assert [line.errors for line in again.lines] == [
        line.errors for line in found[0].lines
    ]
    assert again.training == found[0].training


@pytest.mark.parametrize("target", [STIMULUS, "position"])
def test_what_decode_scores_is_never_touched(tiny, recording_of, config, target):
    settings = config(target, training=SHORT)
    search = Search(tiny, settings)
    untouched = search.folds[0].test
    assert untouched.any()
    for fold in search.folds:
        np.testing.assert_array_equal(fold.test, untouched)
        assert not (untouched & (fold.train | fold.validation | fold.refit)).any()
    changed = tiny.raw.values.copy()
    changed[untouched] = 1e4 * np.random.default_rng(0).random(changed[untouched].shape)
    other = Search(recording_of(changed), settings)
    assert first_line(search).errors == first_line(other).errors


def first_line(search):
    run = search.run()
    found = next(r.result.lines[0] for r in run if r.result.lines)
    run.close()
    return found


def test_blocks_keep_their_gap(tiny, config):
    settings = config("position", training=SHORT)
    search = Search(tiny, settings)
    gap = settings.resolved(tiny).gap(tiny.rate)
    for fold in search.folds:
        rows, train = np.flatnonzero(fold.validation), np.flatnonzero(fold.train)
        assert np.abs(rows[:, None] - train[None]).min() > gap


def test_stopping_keeps_what_is_known(tiny, config):
    search = Search(tiny, config(training=SHORT))
    run = search.run()
    for report in run:
        if len(report.result.lines) == 2:
            break
    run.close()
    result = search.result()
    assert len(result.lines) == 2 and not result.complete
    assert "stopped early" in result.verdict()
    assert result.training is not None


def test_without_a_line_nothing_is_proposed(tiny, config):
    result = Search(tiny, config(training=SHORT)).result()
    assert result.lines == () and result.training is None
    assert "nothing is proposed" in result.verdict()


def test_time_alone_searches_dimensions_at_one_temperature_and_window(tiny, config):
    result = exhaust(search_settings(tiny, config(None, training=SHORT)))
    assert len({line.training.temperature for line in result.lines}) == 1
    assert len({line.frames for line in result.lines}) == 1
    assert {line.training.output_dimension for line in result.lines} == {3, 4, 8}
    assert result.heading == "Bits"
    assert "does not compare" in result.judged()


def test_white_noise_has_bits_where_windows_overlap():
    """Why the receptive field is not searched by goodness of fit."""
    from napari_cebra.embedding import TimePairs, Training
    from napari_cebra.recording import segments

    noise = np.random.default_rng(0).normal(size=(2000, 20)).astype(np.float32)
    rows = np.arange(2000)
    segment = segments(np.zeros(2000, int), rows >= 0)
    bits = {}
    for name in ("m4 d1", "m20 d1"):
        training = replace(
            TRAINING,
            model_architecture=name,
            time_offsets=5,
            max_iterations=100,
            evaluations=2,
        )
        run = Training(noise, segment, rows < 1500, rows > 1550, TimePairs(5), training)
        for _ in run.run():
            pass
        bits[name] = run.evaluations[-1].bits_heldout
    assert bits["m4 d1"] < 0.1
    assert bits["m20 d1"] > 0.5


def line(cost, *errors, frames=10):
    return SearchLine(TRAINING, frames, None, 2, cost, tuple(errors))


def test_as_good_as_is_judged_fold_by_fold():
    best = line(5, 1.0, 2.0, 3.0)
    assert best.as_good_as(best)
    assert not line(1, 1.5, 2.5, 3.5).as_good_as(best)  # always worse by as much
    assert line(1, 0.6, 2.7, 3.0).as_good_as(best)  # sometimes better
    assert not line(1, 1.5).as_good_as(line(5, 1.0))
    assert line(5, 1.0, 2.0, 4.0).spread == pytest.approx(np.std([1, 2, 4], ddof=1))


def test_what_it_started_from_is_left_only_for_something_clearly_better(found):
    start = line(5, 1.0, 2.0, 3.0)
    luckier = line(1, 0.6, 2.2, 3.0)
    result = replace(found[0], lines=(start, luckier))
    assert result.best is luckier and result.proposed is start
    best = line(9, 0.1, 1.1, 2.1)
    cheap = line(4, 0.0, 1.4, 2.1)
    poor = line(0, 9.0, 9.0, 9.0)
    result = replace(found[0], lines=(start, luckier, best, cheap, poor))
    assert result.best is best and result.proposed is cheap
    long = line(1, 0.1, 0.1, 0.1, frames=30)
    assert "search again" in replace(result, lines=(start, long)).verdict()
    assert "search again" not in result.verdict()


def tried(**changes):
    """Return a line with other settings than it started from, and its errors."""
    training = replace(TRAINING, **changes)
    shape = EncoderShape.of(training)
    return SearchLine(training, shape.frames, None, shape.kernel, 5, ())


@pytest.mark.parametrize(
    ("changes", "others", "words"),
    [
        ({"temperature": 4.0}, [], ["temperature 4)", "search again"]),
        ({"temperature": 4.0}, [{"temperature": 8.0}], []),
        ({"output_dimension": 16}, [], ["16 latents)", "search again"]),
        ({"output_dimension": 3}, [], []),
        ({"model_architecture": "offset9-model"}, [], ["receptive field 9 frames"]),
        ({"first_kernel": 4}, [], ["No first kernel above 4 frames"]),
        ({"first_kernel": 4}, [{"first_kernel": 5}], []),
        ({"first_kernel": 5}, [], []),
        ({"first_kernel": 1}, [], []),
        (
            {"temperature": 4.0, "output_dimension": 16},
            [],
            ["(temperature 4, 16 latents)"],
        ),
    ],
)
def test_the_end_of_what_was_tried_is_said(found, changes, others, words):
    start = replace(tried(), errors=(1.0, 2.0, 3.0))
    best = replace(tried(**changes), errors=(0.1, 0.1, 0.1))
    poor = [replace(tried(**other), errors=(9.0, 9.0, 9.0)) for other in others]
    text = replace(found[0], lines=(start, best, *poor)).verdict()
    assert text.startswith("Proposed: ")
    assert all(word in text for word in words), text
    if not words:
        assert "end of what" not in text and "No first kernel" not in text


def test_one_line_alone_is_not_called_the_best(found):
    result = replace(found[0], lines=found[0].lines[:1], complete=False)
    text = result.verdict()
    assert "clearly better" not in text and "nothing was compared" in text
    assert text.endswith("The search was stopped early.")


def test_what_cannot_be_searched_is_said(tiny, config):
    written = replace(SHORT, model_architecture="u2 d2", temperature_mode="auto")
    search = Search(tiny, config(training=written))
    assert search._coordinates() == ["dimension"]
    text = search.result().judged()
    assert "written out" in text and "learned" in text


def test_too_few_rows_are_one_sentence(config):
    few = Recording(Traces(np.random.default_rng(0).random((30, 5)), rate=10.0))
    with pytest.raises(InvalidInput):
        Search(few, config(TargetConfig(None), training=SHORT))


def test_lengths_surround_what_they_start_from():
    assert lengths(1) == [2, 3, 6, 10]
    assert lengths(10) == [3, 6, 17, 30]
    assert evenly(range(9), 3) == [2, 5, 8]
    assert evenly([1, 2], 3) == [1, 2]
