"""Settings: round trip, and one sentence for each that is wrong."""

import subprocess
import sys

import pytest

from napari_cebra.embedding import TrainConfig, recommended
from napari_cebra.recording import InvalidInput


def test_json_round_trip_keeps_every_setting():
    config = TrainConfig(
        model_architecture="u6 +3 d2",
        first_kernel=4,
        temperature_mode="auto",
        learning_rate=1e-3,
        threads=2,
        patience=5,
    )
    assert TrainConfig.from_json(config.to_json()) == config
    assert TrainConfig.from_dict({}) == TrainConfig()


def test_whole_numbers_given_as_float_become_int():
    config = TrainConfig(batch_size=64.0, temperature=1)
    assert isinstance(config.batch_size, int)
    assert isinstance(config.temperature, float)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("temperature", -1),
        ("batch_size", 1),
        ("batch_size", 3.5),
        ("batch_size", None),
        ("max_iterations", "many"),
        ("output_dimension", True),
        ("input_dropout", 1.0),
        ("temperature_mode", "learned"),
        ("lr_schedule", "linear"),
        ("distance", "manhattan"),
        ("standardize", "yes"),
        ("device", None),
        ("seed", -1),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("text", ["{", "[1]", '{"learning_rte": 1}'])
def test_json_that_is_no_config_is_refused(text):
    with pytest.raises(InvalidInput, match="training settings"):
        TrainConfig.from_json(text)


def test_last_iteration():
    assert TrainConfig(max_iterations=100).last_iteration == 100
    assert TrainConfig(max_iterations=100, stop_iteration=40).last_iteration == 40
    assert TrainConfig(max_iterations=100, stop_iteration=400).last_iteration == 100


@pytest.mark.parametrize(
    "target", ["movie", "continuous", "circular", "discrete", None]
)
@pytest.mark.parametrize("n_rows", [200, 9000, None])
@pytest.mark.parametrize("rate", [5.0, 30.0, None])
def test_recommended_settings_are_valid(target, n_rows, rate):
    TrainConfig(**recommended(rate, 100, n_rows, target))


def test_settings_load_without_torch():
    code = (
        "import sys; from napari_cebra.embedding import TrainConfig, recommended; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
