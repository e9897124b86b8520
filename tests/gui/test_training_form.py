"""What is recommended, and what a person chooses, is what is trained."""

import pytest

pytest.importorskip("napari")

from napari_cebra.embedding import TrainConfig, recommended
from napari_cebra.pipeline.config import TargetConfig
from napari_cebra.widgets.training_form import TrainingChoice, TrainingForm

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("target", ["movie", "continuous", None])
@pytest.mark.parametrize("rate", [None, 7.0, 30.0])
@pytest.mark.parametrize("rows", [500, 9000])
def test_a_recommended_encoder_passes_through_the_form(qtbot, target, rate, rows):
    form = TrainingForm()
    qtbot.addWidget(form)
    form.set_targets(["position"])
    config = TrainConfig(**recommended(rate, 100, rows, target))
    form.setValue(TrainingChoice(TargetConfig(name="position"), config))
    form.set_rate(rate)
    assert form.value().config == config


def test_a_published_encoder_can_be_chosen_instead(qtbot):
    form = TrainingForm()
    qtbot.addWidget(form)
    form.setValue(
        TrainingChoice(TargetConfig(), TrainConfig(model_architecture="m7 u4 d1"))
    )
    form.set_rate(30.0)
    assert form._encoder.itemText(0) == "10 frames (0.33 s), m7 u4 d1"
    form._encoder.setValue("offset15-model")
    assert form.value().config.model_architecture == "offset15-model"
