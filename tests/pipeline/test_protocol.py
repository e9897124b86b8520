from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.pipeline import (
    STIMULUS,
    DecodingConfig,
    Fit,
    TargetConfig,
    decode,
    exhaust,
    fit,
)
from napari_cebra.recording import InvalidInput, NapariCebraError, Recording, Traces

N_MOVIE = 60


@pytest.fixture(scope="module")
def movie_fit(tiny, config):
    reports = []
    embedding = exhaust(Fit(tiny, config()).run(latents_every=0.0), reports.append)
    return embedding, reports


@pytest.fixture(scope="module")
def movie_decoding(tiny, movie_fit):
    reports = []
    return exhaust(decode(tiny, movie_fit[0]), reports.append), reports


def test_fit_chooses_and_then_fits_again(movie_fit):
    embedding, reports = movie_fit
    assert [r.phase for r in reports].index("fitting") > 0
    assert {r.phase for r in reports} == {"choosing", "fitting"}
    assert embedding.k in embedding.config.decoding.ks
    assert embedding.steps == embedding.log.step[-1]
    assert embedding.steps in embedding.choosing_log.step
    assert embedding.latents.shape == (5 * N_MOVIE, 4)
    assert embedding.rows.all()
    assert embedding.bits_heldout is not None
    assert embedding.complete


def test_progress_rises_to_its_end(movie_fit, movie_decoding):
    for reports in (movie_fit[1], movie_decoding[1]):
        shares = [r.done / r.total for r in reports]
        assert 0 <= min(shares) and max(shares) <= 1
        assert all(isinstance(r.text, str) and r.text for r in reports)
    assert movie_fit[1][-1].done == movie_fit[1][-1].total
    assert any(r.latents is not None for r in movie_fit[1])


def test_the_final_fit_shows_no_test_score_while_it_runs(movie_fit):
    embedding, reports = movie_fit
    assert all(r.report.bits_heldout is None for r in reports if r.phase == "fitting")
    assert np.isfinite(embedding.log.bits_heldout).all()


def test_movie_is_decoded_above_chance_and_control(movie_decoding):
    decoding, _ = movie_decoding
    assert decoding.looked_up
    assert decoding.scores.within_1s > decoding.chance.within_1s + 0.3
    control = decoding.control("within_1s")
    assert abs(control - decoding.chance.within_1s) < 0.25
    assert decoding.raw.within_1s > decoding.chance.within_1s + 0.3
    assert decoding.scores.n_rows == N_MOVIE
    assert decoding.folds == ("repeat 4",)


def test_same_seed_same_bits(tiny, movie_fit, movie_decoding, config):
    embedding = exhaust(fit(tiny, config()))
    assert np.array_equal(embedding.latents, movie_fit[0].latents)
    decoding = exhaust(decode(tiny, embedding))
    assert np.array_equal(decoding.predicted, movie_decoding[0].predicted)
    assert decoding.scores == movie_decoding[0].scores
    assert decoding.controls == movie_decoding[0].controls
    other = exhaust(fit(tiny, config(seed=1)))
    assert not np.array_equal(other.latents, embedding.latents)


def test_all_folds_decode_every_row(tiny, movie_fit):
    decoding = exhaust(decode(tiny, movie_fit[0], folds="all", n_controls=0))
    assert (decoding.predicted >= 0).all()
    assert set(decoding.part) == {"test"}
    assert len(decoding.folds) == len(decoding.k) == 5
    assert decoding.scores.n_rows == 5 * N_MOVIE
    last = exhaust(decode(tiny, movie_fit[0], n_controls=0))
    test = last.fold >= 0
    assert np.array_equal(decoding.predicted[test], last.predicted[test])


@pytest.mark.parametrize(
    ("target", "score"),
    [
        ("position", "r2"),
        ("phase", "median_angular_error"),
        ("half", "balanced_accuracy"),
    ],
)
def test_variables_are_decoded_in_blocks(tiny, target, score, config):
    settings = config(target)
    embedding = exhaust(fit(tiny, settings))
    assert not embedding.split.test.any()
    decoding = exhaust(decode(tiny, embedding))
    assert decoding.scores.n_rows == tiny.n_frames
    assert (decoding.fold >= 0).all() and decoding.fold.max() == 3
    assert decoding.predicted.shape == decoding.true.shape
    for scores in (decoding.scores, decoding.chance, decoding.raw, *decoding.controls):
        assert getattr(scores, score) is not None
        assert scores.within_1s is None
    ours, guess = getattr(decoding.scores, score), getattr(decoding.chance, score)
    if target == "phase":
        assert ours < guess / 2
    if target == "half":
        assert ours > guess + 0.2
    rows = decoding.candidates[decoding.candidates[:, 0] >= 0]
    if target != "half":  # neighbours are rows outside the block they speak for
        first = decoding.fold[rows[:, 0]]
        assert (first != decoding.fold[decoding.candidates[:, 0] >= 0]).all()


def test_time_alone_embeds_and_does_not_decode(tiny, config):
    plain = Recording(tiny.traces)
    embedding = exhaust(fit(plain, config(None)))
    assert embedding.k is None
    assert embedding.rows.all()
    assert set(embedding.part) == {"train", "validation"}
    assert embedding.bits_heldout is not None
    with pytest.raises(InvalidInput, match="nothing to decode"):
        exhaust(decode(plain, embedding))


def test_time_mode_can_still_decode_a_movie(tiny, config):
    settings = config(TargetConfig(STIMULUS, mode="time"))
    embedding = exhaust(fit(tiny, settings))
    decoding = exhaust(decode(tiny, embedding, n_controls=0))
    assert decoding.folds == ("repeat 4",)


def test_hybrid_fits(tiny, config):
    settings = config(TargetConfig("position", mode="hybrid"))
    assert exhaust(fit(tiny, settings)).k is not None


def test_invalid_rows_get_nothing(tiny, config):
    unused = np.zeros(tiny.n_frames, bool)
    unused[100:110] = True
    recording = tiny.exclude(unused, "not running")
    embedding = exhaust(fit(recording, config()))
    assert np.array_equal(embedding.rows, ~unused)
    assert (embedding.part[unused] == "invalid").all()
    decoding = exhaust(decode(recording, embedding, n_controls=0))
    assert (decoding.predicted[unused] == -1).all()


def test_windows_look_at_rows_set_aside_that_get_no_latent(tiny, config):
    """With every fifth row set aside, no window of ten frames would be whole."""
    aside = np.arange(tiny.n_frames) % 5 == 0
    settings = config(target=TargetConfig("position"))
    with pytest.raises(InvalidInput, match="leaves no stretch to train on"):
        Fit(tiny.exclude(aside, "not running"), settings)
    looked = tiny.exclude(aside, "not running", look=True)
    embedding = exhaust(fit(looked, settings))
    assert np.isnan(embedding.latents[aside]).all()
    assert np.isfinite(embedding.latents[~aside]).all()
    assert set(embedding.part[aside]) == {"invalid"}
    other = replace(tiny.traces, values=tiny.traces.values.copy())
    other.values[aside] += 1
    changed = replace(looked, traces=other, raw=None, neuropil=None)
    same = replace(looked, raw=None, neuropil=None)
    ours, theirs = (exhaust(fit(each, settings)) for each in (same, changed))
    assert not np.array_equal(ours.latents[~aside], theirs.latents[~aside])


def test_stopping_keeps_what_was_learnt(tiny, config):
    for phase in ("choosing", "fitting"):
        work = Fit(tiny, config())
        run = work.run()
        for report in run:
            if report.phase == phase:
                break
        run.close()
        embedding = work.embedding()
        assert not embedding.complete
        assert embedding.rows.all()
        assert embedding.k is not None
        assert (embedding.choosing_log is None) == (phase == "choosing")
        decoding = exhaust(decode(tiny, embedding, n_controls=0))
        trained = embedding.split.refit
        assert (decoding.predicted[trained] == -1).all()


def test_stopping_before_the_first_step_keeps_nothing(tiny, config):
    with pytest.raises(NapariCebraError, match="start it again"):
        Fit(tiny, config()).embedding()


def test_unknown_rate_leaves_out_seconds(tiny, raw_counts, config):
    from dataclasses import replace

    recording = Recording(
        Traces(tiny.traces.values),
        stimulus=replace(tiny.stimulus, frame_times=None),
    )
    embedding = exhaust(fit(recording, config()))
    decoding = exhaust(decode(recording, embedding, n_controls=0))
    assert decoding.scores.within_1s is None
    assert decoding.scores.median_frame_error is not None
    assert decoding.settings["baseline_saw_test_rows"] is True


def test_another_recording_is_refused(tiny, movie_fit):
    short = Recording(Traces(tiny.traces.values[:100]))
    with pytest.raises(InvalidInput, match="300 rows but the recording has 100"):
        exhaust(decode(short, movie_fit[0]))


def test_missing_targets_are_named(tiny, config):
    with pytest.raises(InvalidInput, match="no variable 'speed'"):
        Fit(tiny, config("speed"))
    with pytest.raises(InvalidInput, match="no stimulus"):
        Fit(Recording(tiny.traces), config())


def test_more_controls_are_other_controls(tiny, movie_fit, config):
    decoding = exhaust(
        decode(
            tiny,
            movie_fit[0],
            config(decoding=DecodingConfig(ks=(9,), sigmas=(0.0,), n_controls=2)),
        )
    )
    assert len(decoding.controls) == 2
    assert decoding.controls[0] != decoding.controls[1]
    assert decoding.seconds["controls"] > 0
