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


def test_nonsense_is_not_taken(form):
    length = form.encoder._length
    before = length.value()
    types(length, "abc")
    assert length.value() == before
    form.encoder._kind.setValue("offset")
    types(length, "5000")
    assert length.value() == 1000


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
    if kind == "mean" and target == "position":  # a first kernel of 4 is not its own
        assert form.encoder.first_kernel.value() == 4
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
