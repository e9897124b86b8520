"""Nothing that is fitted or chosen may see the rows that are scored."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.pipeline import Fit, Target, decode, exhaust, fit
from napari_cebra.pipeline.stage import Stage

N_MOVIE = 60


@pytest.fixture(scope="module")
def fitted(tiny, config):
    return exhaust(fit(tiny, config()))


@pytest.fixture(scope="module")
def shaken(raw_counts, recording_of):
    """The same recording with another last repeat: other activity, other labels."""
    other = raw_counts.copy()
    rng = np.random.default_rng(9)
    other[-N_MOVIE:] = rng.uniform(10, 900, other[-N_MOVIE:].shape)
    recording = recording_of(other)
    shown = recording.stimulus.shown.copy()
    shown[-N_MOVIE:] = rng.permutation(N_MOVIE)
    return replace(recording, stimulus=replace(recording.stimulus, shown=shown))


def test_test_rows_do_not_touch_the_encoder(fitted, shaken, config):
    again = exhaust(fit(shaken, config()))
    assert again.k == fitted.k
    assert again.steps == fitted.steps
    for a, b in zip(
        fitted.encoder.network.state_dict().values(),
        again.encoder.network.state_dict().values(),
        strict=True,
    ):
        assert np.array_equal(a.numpy(), b.numpy())
    train = fitted.split.refit
    assert np.array_equal(fitted.latents[train], again.latents[train])
    assert not np.array_equal(fitted.latents[~train], again.latents[~train])
    np.testing.assert_array_equal(fitted.log.bits_train, again.log.bits_train)


def test_test_rows_do_not_touch_the_decoder_or_its_choices(
    fitted, shaken, tiny, config
):
    ours = exhaust(decode(tiny, fitted, n_controls=0))
    # What was fitted on the true recording, asked about other test rows: a
    # decoder that had learnt from test rows would choose otherwise.
    again = exhaust(decode(shaken, exhaust(fit(shaken, config())), n_controls=0))
    assert ours.k == again.k
    assert ours.raw_choice == again.raw_choice
    assert not np.array_equal(ours.predicted, again.predicted)


def test_validation_rows_do_not_touch_what_is_judged_on_them(
    tiny, raw_counts, config, recording_of
):
    other = raw_counts.copy()
    other[3 * N_MOVIE : 4 * N_MOVIE] *= 7
    stages = []
    for recording in (tiny, recording_of(other)):
        target = Target.of(recording, config().target.name)
        plan = Fit(recording, config())
        stage = Stage(recording, target, plan.split, plan.config, choosing=True)
        for _ in stage.run():
            pass
        stages.append(stage)
    train = stages[0].split.train
    assert np.array_equal(stages[0].values[train], stages[1].values[train])
    last = [s.training.latents()[train] for s in stages]
    assert np.array_equal(*last)


def test_block_under_test_does_not_touch_its_encoder(
    tiny, raw_counts, config, recording_of
):
    target = Target.of(tiny, "position")
    settings = config("position").resolved(tiny)
    split = target.folds(tiny, 7, 5)[2]
    other = raw_counts.copy()
    other[split.test] += 500
    latents = []
    for recording in (tiny, recording_of(other)):
        target = Target.of(recording, "position")
        stage = Stage(recording, target, split, settings, choosing=False, steps=10)
        for _ in stage.run():
            pass
        latents.append(stage.encoder().transform(stage.values, stage.segment))
    assert np.array_equal(latents[0][split.refit], latents[1][split.refit])
    assert not np.array_equal(latents[0][split.test], latents[1][split.test])


def test_baseline_sees_no_test_row(fitted, tiny):
    stage_rows = fitted.split.refit
    from napari_cebra.pipeline.stage import fitted_values

    values = fitted_values(tiny, stage_rows)
    assert not np.array_equal(values[stage_rows], tiny.traces.values[stage_rows])


def test_rows_trained_on_have_no_prediction(fitted, tiny):
    decoding = exhaust(decode(tiny, fitted, n_controls=0))
    trained = np.isin(decoding.part, ["train", "validation"])
    assert trained.sum() == 4 * N_MOVIE
    assert (decoding.predicted[trained] == -1).all()
    assert (decoding.candidates[trained] == -1).all()
    assert np.isnan(decoding.confidence[trained]).all()
    assert (decoding.predicted[decoding.part == "test"] >= 0).all()
