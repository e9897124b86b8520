"""What is recommended, and what a person chooses, is what is trained."""

from dataclasses import replace

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cebra.embedding import TrainConfig, recommended
from napari_cebra.pipeline import (
    STIMULUS,
    EncoderConfig,
    PipelineConfig,
    TargetConfig,
)
from napari_cebra.pipeline.encoder_shape import EncoderShape
from napari_cebra.widgets.encoder_form import EncoderForm
from napari_cebra.widgets.training_form import TrainingChoice, TrainingForm

pytestmark = pytest.mark.gui


@pytest.fixture
def form(qtbot):
    form = TrainingForm()
    qtbot.addWidget(form)
    form.set_targets([STIMULUS, "position"])
    form.show()
    return form


def types(field, text):
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


@pytest.mark.parametrize("target", [STIMULUS, "position", None])
@pytest.mark.parametrize("rate", [None, 7.0, 30.0])
@pytest.mark.parametrize("rows", [500, 9000])
def test_a_recommended_encoder_passes_through_the_form(form, target, rate, rows):
    kind = {STIMULUS: "movie", "position": "continuous", None: None}[target]
    config = TrainConfig(**recommended(rate, 100, rows, kind))
    form.setValue(TrainingChoice(TargetConfig(target), config))
    form.encoder.set_rate(rate)
    assert form.value() == TrainingChoice(TargetConfig(target), config)


@pytest.mark.parametrize(
    ("name", "first_kernel"),
    [
        ("offset15-model", None),
        ("offset15-model", 2),
        ("offset15-model", 9),
        ("offset15-model", 15),
        ("m3 d2", None),
        ("u2 +3 +3 d3", None),
        ("offset36-model-dropout", None),
    ],
)
def test_any_encoder_passes_through_the_form(form, name, first_kernel):
    config = TrainConfig(model_architecture=name, first_kernel=first_kernel)
    form.setValue(TrainingChoice(TargetConfig("position"), config))
    assert form.value().config == config


def test_the_receptive_field_is_typed_in_seconds(form):
    config = TrainConfig(model_architecture="m7 u4 d1")
    form.setValue(TrainingChoice(TargetConfig(STIMULUS), config))
    form.encoder.set_rate(30.0)
    length = form.encoder._length
    assert length.text() == "0.333 s"
    assert form.encoder._count.text() == "10 frames at 30 Hz"
    types(length, "0.5")
    assert length.text() == "0.5 s"
    assert form.encoder._count.text() == "15 frames at 30 Hz"
    assert form.value().config.model_architecture == "m11 u5 d1"
    types(length, "1,2 s")
    assert form.encoder._count.text() == "36 frames at 30 Hz"
    QTest.keyClick(length, Qt.Key.Key_Up)
    assert form.encoder._count.text() == "37 frames at 30 Hz"
    types(length, "2000")
    assert length.text() == "2000.0 s"


def test_frames_where_the_rate_is_not_known(form):
    length = form.encoder._length
    types(length, "12")
    assert length.text() == "12 frames"
    assert not form.encoder._count.isVisible()
    types(length, "1")
    assert length.text() == "1 frame"


def test_either_unit_is_honoured(form):
    length, refusal = form.encoder._length, form.encoder._refusal
    form.encoder.set_rate(30.0)
    for typed, frames in (
        ("10 frames", 10),
        ("2 s", 60),
        ("1 frame", 1),
        ("0,5 seconds", 15),
        (".1", 3),
    ):
        types(length, typed)
        assert length.value() == frames, typed
        assert not refusal.isVisible()
    form.encoder.set_rate(None)
    types(length, "12 frames")
    types(length, "10 s")
    assert length.value() == 12 and length.text() == "12 frames"
    assert refusal.isVisible() and "needs the imaging rate" in refusal.text()
    types(length, "13")
    assert length.value() == 13 and not refusal.isVisible()


def test_a_length_that_is_shown_rounded_is_kept(form):
    length = form.encoder._length
    form.encoder._kind.setValue("mean")
    form.encoder.set_rate(30.0)
    length.setValue(1234)
    length.setFocus()
    QTest.keyClick(length, Qt.Key.Key_Return)
    assert length.value() == 1234


@pytest.mark.parametrize("rate", [None, 30.0])
@pytest.mark.parametrize(
    "typed", ["abc", "-5", "0", "1e3", "10 parsecs", "", "1.5 frames", "5000 frames"]
)
def test_nonsense_is_not_taken(form, typed, rate):
    form.encoder._kind.setValue("offset")
    length = form.encoder._length
    form.encoder.set_rate(rate)
    length.setValue(20)
    before = length.text()
    if typed:
        types(length, typed)
    else:
        length.setFocus()
        length.selectAll()
        QTest.keyClick(length, Qt.Key.Key_Delete)
        QTest.keyClick(length, Qt.Key.Key_Return)
    assert length.value() == 20 and length.text() == before
    refusal = form.encoder._refusal
    assert refusal.isVisible() and typed in refusal.text()
    assert refusal.text().endswith(f"It is left at {before}.")
    QTest.keyClick(length, Qt.Key.Key_Up)
    assert not refusal.isVisible()


@pytest.mark.parametrize("target", [STIMULUS, "position"])
@pytest.mark.parametrize("kind", ["mean", "linear", "offset", "wide"])
def test_window_and_command_line_make_the_same_encoder(form, made, kind, target):
    recording = made.recording()
    start = TrainConfig(model_architecture="m7 u4 d1", threads=1)
    form.setValue(TrainingChoice(TargetConfig(target), start))
    form.encoder.set_rate(recording.rate)
    form.encoder._kind.setValue(kind)
    types(form.encoder._length, "0.5")
    config = PipelineConfig(
        target=TargetConfig(target),
        training=start,
        encoder=EncoderConfig(kind=kind, seconds=0.5),
    )
    scripted = config.resolved(recording).training
    clicked = form.value().config
    assert clicked == replace(scripted, threads=clicked.threads)


def test_a_first_kernel_fits_into_the_window(form):
    form.encoder._kind.setValue("offset")
    form.encoder._length.setValue(20)
    form.encoder.first_kernel.setValue(14)
    assert form.value().config.first_kernel == 14
    assert form.value().config.model_architecture == "offset20-model"
    form.encoder._length.setValue(9)
    assert form.encoder.first_kernel.value() == 9
    form.encoder._kind.setValue("wide")
    assert form.value().config.first_kernel == 9
    assert not form.encoder.first_kernel.isEnabled()


def test_a_description_of_ones_own(form):
    encoder = form.encoder
    encoder._kind.setValue("own")
    assert encoder._own.isVisible() and not encoder._length.isVisible()
    types(encoder._own, "u2 +3 d3")
    assert form.value().config.model_architecture == "u2 +3 d3"
    assert "6 frames" in encoder._count.text()
    types(encoder._own, "u2 nonsense")
    assert encoder._count.text() == ""


@pytest.mark.parametrize(
    ("name", "first_kernel", "shown"),
    [
        ("m7 u4 d1", None, "m7 u4 d1"),
        ("offset10-model", None, "offset10-model"),
        ("offset10-model", 4, "u4 +3 +3 d3"),
    ],
)
def test_an_own_description_starts_from_the_encoder_shown(
    form, name, first_kernel, shown
):
    config = TrainConfig(model_architecture="d1")
    form.setValue(TrainingChoice(TargetConfig("position"), config))
    changed = TrainConfig(model_architecture=name, first_kernel=first_kernel)
    shape = EncoderShape.of(changed)
    form.encoder._kind.setValue(shape.kind)
    form.encoder._length.setValue(shape.frames)
    form.encoder.first_kernel.setValue(shape.first_kernel or 0)
    form.encoder._kind.setValue("own")
    assert form.encoder._own.text() == shown
    assert form.value().config.model_architecture == shown
    assert "10 frames" in form.encoder._count.text()


def test_another_target_keeps_what_was_chosen(form):
    config = TrainConfig(model_architecture="m7 u4 d1")
    form.setValue(TrainingChoice(TargetConfig(STIMULUS), config))
    form._target.setValue("position")
    assert form.value().config.model_architecture == "m7 u4 d1"
    form.encoder._kind.setValue("offset")
    form._target.setValue(STIMULUS)
    assert form.value().config.model_architecture == "offset10-model"


def test_the_recommended_kind_is_marked(qtbot):
    encoder = EncoderForm()
    qtbot.addWidget(encoder)
    config = TrainConfig(model_architecture="m4 d1")
    encoder.set_recommended(config)
    encoder.setValue(config)
    assert encoder._kind.currentText() == "Linear (recommended)"
