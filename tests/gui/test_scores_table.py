"""A score is read beside what it has to beat, and said aloud where it does not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt

from napari_cebra.decoding import Scores
from napari_cebra.recording import Variable
from napari_cebra.widgets import docks
from napari_cebra.widgets.score_rows import doubts, score_rows, verdict

pytestmark = pytest.mark.gui


@pytest.fixture
def scored(made):
    """Return a decoding with these scores, and its recording."""
    recording = made.recording()
    decoding = made.decoding(recording, made.embedding(recording))

    def build(ours, chance, controls, raw, target="position", **same):
        scores = [Scores(300, **{**same, **s}) for s in (ours, chance, raw, *controls)]
        changes = dict(zip(("scores", "chance", "raw"), scores, strict=False))
        decoding_ = replace(
            decoding, target=target, controls=tuple(scores[3:]), **changes
        )
        return decoding_, recording

    return build


def r2(ours, chance, controls, raw):
    return {"r2": ours}, {"r2": chance}, [{"r2": c} for c in controls], {"r2": raw}


def test_the_best_control_stands_beside_the_mean(scored):
    decoding, recording = scored(*r2(0.5, 0.0, [-0.41, 0.11, 0.0], 0.3))
    (row,) = score_rows(decoding, recording)
    assert row.shuffled == "−0.10 (best 0.11)"
    assert "1 − SSE/SST" in row.tip and "training rows" in row.tip
    errors = [{"median_error": e} for e in (30.0, 20.0)]
    decoding, recording = scored(
        {"median_error": 4.0}, {"median_error": 30.0}, errors, {"median_error": 9.0}
    )
    (row,) = score_rows(decoding, recording)
    assert row.shuffled == "25 (best 20)", "the best error is the lowest"
    assert row.name == "Median error (cm)"


def test_one_control_is_its_own_best(scored):
    decoding, _ = scored(*r2(0.5, 0.0, [0.1], 0.3))
    assert score_rows(decoding)[0].shuffled == "0.10"
    decoding, _ = scored(*r2(0.5, 0.0, [], 0.3))
    assert score_rows(decoding)[0].shuffled == "–"


@pytest.mark.parametrize(
    ("units", "period", "said"),
    [("", None, "rad"), ("deg", 360, "°"), ("", 360, "°"), ("h", 24, "h")],
)
def test_an_angle_has_a_unit(scored, units, period, said):
    error = {"median_angular_error": 1.0}
    decoding, recording = scored(error, error, [error], error, target="heading")
    heading = Variable("heading", np.zeros(600), "circular", units, period)
    recording = replace(recording, variables=(heading,))
    assert score_rows(decoding, recording)[0].name == f"Median angle error ({said})"


def test_frame_errors_are_in_frames(scored):
    error = {"within_1s": 0.5, "median_frame_error": 3.0, "mean_frame_error": 4.0}
    decoding, recording = scored(error, error, [error], error, "stimulus frame")
    names = [row.name for row in score_rows(decoding, recording)]
    of_frames = [f"{which} frame error (frames)" for which in ("Median", "Mean")]
    assert names == ["Within 1 s", *of_frames]


@pytest.mark.parametrize(
    ("ours", "chance", "controls", "raw", "said"),
    [
        (0.5, 0.0, [-0.1, 0.1], 0.3, ()),
        (0.1, 0.0, [-0.1, 0.1], 0.0, ("no better than the best shuffled control",)),
        (-0.1, 0.0, [-0.3, -0.2], -0.4, ("no better than chance,",)),
        (0.2, 0.0, [-0.1, 0.1], 0.3, ("raw population decodes better",)),
        (-0.1, 0.0, [0.2], 0.1, ("chance or the best", "raw population does better")),
        (float("nan"), 0.0, [], 0.1, ("no better than chance",)),
    ],
)
def test_what_is_not_beaten_is_said(scored, ours, chance, controls, raw, said):
    decoding, _ = scored(*r2(ours, chance, controls, raw))
    sentence = doubts(decoding)
    assert bool(sentence) == bool(said)
    assert sentence.count(".") == bool(said)
    for words in said:
        assert words in sentence


def test_an_error_is_better_where_it_is_lower(scored):
    def error(e):
        return {"median_angular_error": e}

    decoding, _ = scored(error(1.0), error(2.0), [error(1.5)], error(1.2))
    assert doubts(decoding) == ""
    decoding, _ = scored(error(1.6), error(2.0), [error(1.5)], error(1.7))
    assert "the best shuffled control" in doubts(decoding)


def test_the_verdict_of_a_doubtful_decoding_is_a_warning(scored, make_napari_viewer):
    from napari_cebra.widgets.decode_step import DecodeStep
    from napari_cebra.widgets.session import Session

    step = DecodeStep(Session.of(make_napari_viewer()))
    for ours, level in ((0.5, "info"), (0.05, "warning")):
        decoding, recording = scored(*r2(ours, 0.0, [-0.1, 0.1], 0.0))
        step.session.workspace.set_recording(recording)
        step._on_decoded(decoding)
        assert step.message.level() == level
        assert verdict(decoding, recording) in step.message.text()
    step.close()


def test_all_of_it_fits_the_narrowest_dock(scored, make_napari_viewer, qtbot):
    error = {"within_1s": 0.5, "median_frame_error": 300.0, "mean_frame_error": 400.0}
    decoding, recording = scored(error, error, [error] * 3, error, "stimulus frame")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 900)
    dock = docks.open_dock(viewer, docks.CEBRA)
    qtbot.waitUntil(lambda: not dock.session.jobs.under_way, timeout=30_000)
    dock.setFixedWidth(430)
    dock.session.workspace.set_recording(recording)
    dock.decode.table.setValue(score_rows(decoding, recording))
    dock.show_step(dock.decode)
    table = dock.decode.table
    qtbot.waitUntil(lambda: 0 < table.viewport().width() < 430)
    qtbot.waitUntil(lambda: not table._resized.isActive())
    wrap = Qt.TextFlag.TextWordWrap
    for row, column in product(range(table.rowCount()), range(table.columnCount())):
        width = table.columnWidth(column)
        text = table.item(row, column).text()
        box = table.fontMetrics().boundingRect(0, 0, width, 999, wrap, text)
        assert box.width() <= width and box.height() <= table.rowHeight(row), text
    assert sum(map(table.columnWidth, range(5))) <= table.viewport().width()
