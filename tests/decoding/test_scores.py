import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score

from napari_cebra.decoding import (
    angular_errors,
    balanced_accuracy,
    chance,
    chance_frame_errors,
    chance_within_seconds,
    evaluate,
    frame_errors,
    pooled_r2,
    within_seconds,
)
from napari_cebra.recording import InvalidInput

TIMES = np.arange(5) * 0.5


def test_within_a_second_is_strict():
    shown = np.array([2, 2, 2, 2])
    decoded = np.array([2, 3, 4, 0])  # 0, 0.5, 1.0 and 1.0 s away
    assert within_seconds(decoded, shown, TIMES) == 0.5


def test_within_a_second_does_not_wrap_and_leaves_blanks_out():
    shown = np.array([0, 4, -1])
    decoded = np.array([4, 4, 0])
    assert within_seconds(decoded, shown, TIMES) == 0.5


def test_seconds_are_seconds_at_any_rate():
    shown, decoded = np.array([0]), np.array([20])
    assert within_seconds(decoded, shown, np.arange(900) / 30) == 1
    assert within_seconds(decoded, shown, np.arange(900) / 10) == 0


def test_chance_by_hand():
    # From frames 0..4 at 0.5 s: less than 1 s away are 2, 3, 3, 3, 2 of 5 frames.
    assert chance_within_seconds(np.array([0, 2, -1]), TIMES) == pytest.approx(0.5)


def test_chance_is_what_random_guesses_reach():
    rng = np.random.default_rng(0)
    shown = np.tile(np.arange(90), 200)
    guess = rng.integers(0, 90, shown.size)
    times = np.arange(90) / 10
    expected = chance_within_seconds(shown, times)
    assert within_seconds(guess, shown, times) == pytest.approx(expected, abs=0.01)
    mean, median = chance_frame_errors(shown, 90)
    errors = frame_errors(guess, shown)
    assert errors.mean() == pytest.approx(mean, rel=0.02)
    assert np.median(errors) == pytest.approx(median, abs=1)


def test_median_chance_error_by_hand():
    # One row at frame 0 of 4: errors 0, 1, 2, 3.
    assert chance_frame_errors(np.array([0]), 4) == (1.5, 1.5)
    # At frame 1 of 3: 1, 0, 1.
    assert chance_frame_errors(np.array([1]), 3) == (pytest.approx(2 / 3), 1)


def test_r2_is_about_the_training_mean():
    true = np.array([1.0, 2.0, 3.0])
    decoded = np.array([1.0, 2.0, 2.0])
    assert pooled_r2(decoded, true, 0.0) == pytest.approx(1 - 1 / 14)
    assert pooled_r2(decoded, true, 2.0) == pytest.approx(r2_score(true, decoded))
    assert pooled_r2(np.full(3, 5.0), true, 5.0) == 0


def test_r2_pools_folds_with_their_own_means():
    true = np.array([1.0, 3.0])
    assert pooled_r2(np.array([1.0, 4.0]), true, np.array([2.0, 5.0])) == 1 - 1 / 5


def test_angles_go_the_short_way():
    errors = angular_errors(np.array([350.0, 10, 180]), np.array([10.0, 350, 0]), 360)
    np.testing.assert_allclose(errors, [20, 20, 180])


def test_balanced_accuracy_agrees_with_sklearn():
    rng = np.random.default_rng(0)
    true = rng.choice(4, 200, p=[0.7, 0.1, 0.1, 0.1])
    decoded = np.where(rng.random(200) < 0.6, true, 0)
    assert balanced_accuracy(decoded, true) == pytest.approx(
        balanced_accuracy_score(true, decoded)
    )


def test_each_task_has_its_scores_and_chance():
    shown = np.array([0, 1, 2])
    movie = evaluate("index", shown, shown, frame_times=TIMES)
    assert (movie.within_1s, movie.median_frame_error, movie.r2) == (1, 0, None)
    unknown_rate = evaluate("index", shown, shown)
    assert unknown_rate.within_1s is None
    guess = chance("index", shown, n_movie_frames=5)
    assert guess.within_1s is None and guess.median_frame_error > 0
    value = evaluate("regression", shown * 1.0, shown * 1.0, training_mean=0.5)
    assert value.r2 == 1
    assert chance("regression", shown * 1.0, training_mean=0.5).r2 == 0
    assert chance("angle", shown * 1.0, period=8.0).median_angular_error == 2
    assert chance("class", shown).balanced_accuracy == pytest.approx(1 / 3)
    assert evaluate("class", shown, shown).balanced_accuracy == 1


def test_nothing_to_score_is_said():
    with pytest.raises(InvalidInput, match="no test rows"):
        evaluate("class", np.zeros(0), np.zeros(0))
    with pytest.raises(InvalidInput, match="No movie frame"):
        evaluate("index", np.array([1]), np.array([-1]))
