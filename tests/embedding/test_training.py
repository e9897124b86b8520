"""The loop: it learns, it repeats itself to the bit, and it fails in sentences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cebra.embedding import (
    ContinuousPairs,
    HybridPairs,
    TimePairs,
    TrainConfig,
    Training,
    TrainingError,
    describe_device,
    resolve_device,
)
from napari_cebra.embedding import loop as loop_module
from napari_cebra.embedding import training as training_module
from napari_cebra.embedding.loop import learning_rate
from napari_cebra.recording import InvalidInput


def train(showing, config, heldout=True, pairs=None, **run):
    training = Training(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout if heldout else None,
        pairs or showing.pairs,
        config,
    )
    return training, list(training.run(**run))


def weights(training):
    return training.model().network.state_dict()


def identical(first, second):
    return all(
        torch.equal(a, b) for a, b in zip(first.values(), second.values(), strict=True)
    )


def test_it_learns_what_the_repeats_share(showing, quick):
    config = replace(quick, max_iterations=300)
    training, reports = train(showing, config)
    assert reports[-1].step == 300
    assert reports[-1].bits_heldout > 1.5
    latents = training.model().transform(showing.values, showing.segment)
    known, asked = latents[showing.train], latents[showing.heldout]
    found = showing.shown[showing.train][(asked @ known.T).argmax(1)]
    apart = np.abs(found - showing.shown[showing.heldout])
    assert np.mean(np.minimum(apart, 60 - apart) <= 3) > 0.8


def test_broken_labels_carry_no_bits(showing, quick):
    rng = np.random.default_rng(0)
    shown = showing.shown.copy()
    for repeat in range(6):
        rows = showing.repeat == repeat
        shown[rows] = rng.permutation(shown[rows])
    pairs = type(showing.pairs)(shown, showing.repeat)
    training, _ = train(showing, replace(quick, max_iterations=150), pairs=pairs)
    best = max(e.bits_heldout for e in training.evaluations)
    assert abs(best) < 0.3


def test_same_seed_same_bits(showing, quick):
    first, _ = train(showing, quick)
    second, _ = train(showing, quick)
    other, _ = train(showing, replace(quick, seed=4))
    assert identical(weights(first), weights(second))
    assert not identical(weights(first), weights(other))
    np.testing.assert_array_equal(first.losses, second.losses)


def test_reports_pauses_and_snapshots_change_nothing(showing, quick):
    plain, few = train(showing, quick, report_every=1e9)
    assert len(few) == 1
    watched, many = train(showing, quick, report_every=0.0, latents_every=0.0)
    assert len(many) == quick.max_iterations
    assert many[-1].latents is not None
    assert identical(weights(plain), weights(watched))
    np.testing.assert_array_equal(plain.losses, watched.losses)
    assert plain.evaluations == watched.evaluations
    torch.manual_seed(99)
    paused = Training(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout,
        showing.pairs,
        quick,
    )
    for report in paused.run(report_every=0.0):
        torch.rand(report.step)  # somebody else draws from the global generator
        if report.step == 20:
            break
    for _ in paused.run():  # resumed after a stop
        pass
    assert list(paused.run()) == []  # nothing is left to do
    assert identical(weights(plain), weights(paused))
    np.testing.assert_array_equal(plain.losses, paused.losses)


def test_the_seed_of_others_is_left_alone(showing, quick):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(showing, quick)
    assert torch.equal(torch.rand(3), expected)


def test_held_out_rows_have_no_part_in_the_weights(showing, quick):
    config = replace(quick, keep_best=False)
    plain, _ = train(showing, config)
    spoiled = showing.values.copy()
    spoiled[showing.heldout] = 1e3
    other = Training(
        spoiled,
        showing.segment,
        showing.train,
        showing.heldout,
        showing.pairs,
        config,
    )
    for _ in other.run():
        pass
    assert identical(weights(plain), weights(other))
    alone, reports = train(showing, config, heldout=False)
    assert identical(weights(plain), weights(alone))
    assert reports[-1].bits_heldout is None


def test_windows_of_references_stay_inside_the_training_rows(showing, quick):
    training, _ = train(showing, quick, pairs=TimePairs(2))
    batch = training.objective.sampler.draw(5000, torch.Generator().manual_seed(0))
    left, right = training.model().receptive_field
    for rows in (batch.reference, *batch.positives, batch.negative):
        for reach in range(-left, right):
            assert showing.train[rows.numpy() + reach].all()


def test_best_weights_are_kept_and_can_be_met_again_by_a_refit(showing, quick):
    config = replace(quick, max_iterations=120, evaluations=12, learning_rate=0.03)
    training, reports = train(showing, config)
    bits = {e.step: e.bits_heldout for e in training.evaluations}
    assert len(bits) == 12
    assert training.best_step == max(bits, key=bits.get) == reports[-1].best_step
    refit, _ = train(
        showing, replace(config, stop_iteration=training.best_step), heldout=False
    )
    assert refit.step == training.best_step
    assert identical(weights(refit), weights(training))


def test_patience_stops_early(showing, quick):
    config = replace(
        quick, max_iterations=5000, evaluations=500, patience=3, lr_schedule="constant"
    )
    training, reports = train(showing, config)
    assert reports[-1].step < 5000
    later = [e for e in training.evaluations if e.step > training.best_step]
    assert len(later) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature_mode": "auto", "min_temperature": 0.1},
        {"average_decay": 0.9},
        {"normalize_frames": True, "model_architecture": "m3 u3 d1"},
        {"distance": "euclidean", "model_architecture": "u5 d1 linear"},
        {"lr_schedule": "cosine"},
        {"mix_repeats": 0.5},
    ],
)
def test_options_learn_too(showing, quick, settings):
    config = replace(quick, max_iterations=100, **settings)
    training, reports = train(showing, config)
    assert reports[-1].bits_heldout > 1
    assert training.temperature >= 0.1
    if config.temperature_mode == "auto":
        assert training.temperature != pytest.approx(config.temperature, abs=1e-6)


@pytest.mark.parametrize("kind", ["time", "continuous", "hybrid"])
def test_every_mode_trains(showing, quick, kind):
    phase = np.cos(2 * np.pi * showing.shown / 60)
    pairs = {
        "time": TimePairs(1),
        "continuous": ContinuousPairs(phase, 1),
        "hybrid": HybridPairs(showing.pairs, 1),
    }[kind]
    training, reports = train(
        showing, replace(quick, output_dimension=5, max_iterations=100), pairs=pairs
    )
    assert reports[-1].bits_heldout > 0.3
    assert np.isfinite(training.losses).all()


def test_weights_that_explode_end_with_a_sentence_and_the_last_good_ones(
    showing, quick, monkeypatch
):
    sound, _ = train(showing, replace(quick, stop_iteration=20, keep_best=False))

    def exploding(step, config):
        return 1e38 if step == 24 else learning_rate(step, config)

    monkeypatch.setattr(loop_module, "learning_rate", exploding)
    training = Training(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout,
        showing.pairs,
        replace(quick, keep_best=False),
    )
    with pytest.raises(TrainingError, match=r"step 26.*learning rate") as raised:
        list(training.run())
    assert not isinstance(raised.value, RuntimeError)
    assert identical(weights(training), weights(sound))
    latents = training.model().transform(showing.values, showing.segment)
    assert np.isfinite(latents).all()


def test_out_of_memory_is_one_sentence(showing, quick, monkeypatch):
    def exhausted(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Training, "_train_step", exhausted)
    with pytest.raises(TrainingError, match=r"ran out of memory.*smaller batch"):
        train(showing, quick)


def test_any_other_failure_of_torch_is_one_sentence(showing, quick, monkeypatch):
    def broken(self):
        raise RuntimeError("cuDNN error: NOT_INITIALIZED\nmore lines")

    monkeypatch.setattr(Training, "_train_step", broken)
    with pytest.raises(TrainingError, match=r"cuDNN error.*train on the CPU"):
        train(showing, quick)


def test_threads_are_put_back(showing, quick):
    before = torch.get_num_threads()
    training = Training(
        showing.values,
        showing.segment,
        showing.train,
        None,
        showing.pairs,
        replace(quick, threads=before + 1),
    )
    for _ in training.run(report_every=0.0):
        assert torch.get_num_threads() == before
    assert training.model().training["threads"] == before + 1


def test_model_of_an_unfinished_training_is_usable(showing, quick):
    training = Training(
        showing.values,
        showing.segment,
        showing.train,
        showing.heldout,
        showing.pairs,
        quick,
    )
    run = training.run(report_every=0.0)
    next(run)
    run.close()
    encoder = training.model()
    assert encoder.training["steps"] == 1
    latents = encoder.transform(showing.values, showing.segment)
    assert np.isfinite(latents).all()


def test_reports_say_how_far(showing, quick):
    _, reports = train(showing, quick, report_every=0.0)
    first, last = reports[0], reports[-1]
    assert first.bits_train is None and first.seconds_left > 0
    assert (last.step, last.max_steps, last.seconds_left) == (60, 60, 0)
    assert last.seconds > 0 and last.steps_per_second > 0
    assert math.isfinite(last.loss) and last.temperature == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_learning_rates(schedule):
    config = TrainConfig(lr_schedule=schedule, max_iterations=100, learning_rate=0.01)
    rates = [learning_rate(step, config) for step in range(100)]
    assert max(rates) == pytest.approx(0.01) and min(rates) > 0
    if schedule != "constant":
        assert rates[-1] < 0.001
        assert np.all(np.diff(rates[10:]) < 0)
    if schedule == "one_cycle":
        assert np.all(np.diff(rates[:10]) > 0)


def test_bad_input_is_named(showing, quick):
    def attempt(values=None, segment=None, rows=None, held=None, config=quick):
        Training(
            showing.values if values is None else values,
            showing.segment if segment is None else segment,
            showing.train if rows is None else rows,
            held,
            showing.pairs,
            config,
        )

    bad = showing.values.copy()
    bad[17, 3] = np.nan
    with pytest.raises(InvalidInput, match="row 17"):
        attempt(values=bad)
    with pytest.raises(InvalidInput, match="time × ROIs"):
        attempt(values=bad[:, 0])
    with pytest.raises(InvalidInput, match="stretch numbers"):
        attempt(segment=showing.segment[1:])
    with pytest.raises(InvalidInput, match="no row to train on"):
        attempt(rows=np.zeros(len(bad), bool))
    with pytest.raises(InvalidInput, match="both trained on and held out"):
        attempt(held=showing.train)
    with pytest.raises(InvalidInput, match="window of 5 frames"):
        attempt(segment=np.arange(len(bad)) // 3)
    with pytest.raises(InvalidInput, match="no encoder called"):
        attempt(config=replace(quick, model_architecture="resnet"))


def test_rows_that_are_not_valid_may_hold_nan(showing, quick):
    values, segment = showing.values.copy(), showing.segment.copy()
    values[100:110] = np.nan
    segment[100:110] = -1
    segment[110:] = 1
    training = Training(
        values, segment, showing.train, showing.heldout, showing.pairs, quick
    )
    for _ in training.run():
        pass
    latents = training.latents()
    np.testing.assert_array_equal(np.isnan(latents[:, 0]), segment < 0)


def test_devices(monkeypatch):
    assert resolve_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    assert resolve_device("cuda_if_available").type == "cpu"
    assert describe_device("auto", 2).startswith("CPU, 2 threads (")
    for name, match in [
        ("cuda:3", "sees 0 CUDA"),
        ("mps", "sees none"),
        ("tpu", "no device called"),
        ("meta", "no device called"),
    ]:
        with pytest.raises(InvalidInput, match=match):
            resolve_device(name)


def test_evaluation_is_part_of_the_settings_not_of_the_clock(showing, quick):
    training, _ = train(showing, quick)
    assert [e.step for e in training.evaluations] == [10, 20, 30, 40, 50, 60]
    assert training_module._EVALUATION_BATCHES >= 1
