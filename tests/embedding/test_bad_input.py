"""Input that cannot be learnt from: one sentence names the argument and the row.

Files: `test_hostile_files`. Searches and trainings by themselves: `test_pairs`,
`test_training`, `test_sessions`, `test_xcebra`.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_cebra import CEBRA, InvalidInput, metrics
from napari_cebra.embedding import (
    ContinuousPairs,
    Session,
    SessionTraining,
    TrainConfig,
    UnifiedTraining,
)

QUICK = dict(
    max_iterations=2,
    batch_size=16,
    num_hidden_units=4,
    output_dimension=2,
    random_state=0,
    device="cpu",
    threads=1,
)  # fmt: skip
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
LABEL = np.sin(np.arange(80) / 5)
CLASS = np.arange(80) // 20
OTHER = RNG.normal(size=(60, 3))


def spoiled(array, place, value):
    found = np.array(array, float)
    found[place] = value
    return found


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (lambda v: (spoiled(X, (7, 2), v),), {}, "X holds NaN or inf.*row 7"),
        (
            lambda v: ([X, spoiled(OTHER, (7, 2), v)],),
            {},
            r"X\[1\] holds NaN or infinity.*row 7",
        ),
        (lambda v: (spoiled(X, (7, 2), v), LABEL), {}, "X holds NaN or inf.*row 7"),
        (
            lambda v: (spoiled(X, (7, 2), v),),
            {"valid": np.arange(80) != 3},
            "first: row 7",
        ),
        (lambda v: (X, spoiled(LABEL, 9, v)), {}, r"y\[0\] hold NaN.*row 9"),
        (
            lambda v: (X, LABEL, spoiled(np.c_[LABEL, LABEL], (11, 1), v)),
            {},
            r"y\[1\] hold NaN.*row 11",
        ),
    ],
)
def test_numbers_that_are_none(value, arguments, options, says):
    with pytest.raises(ValueError, match=says):
        CEBRA(**QUICK).fit(*arguments(value), **options)


def test_numbers_that_are_none_are_not_transformed():
    model = CEBRA(**QUICK).fit(X)
    for value in (np.nan, np.inf, 1e39):
        spoilt = spoiled(X, ([7, 9], 2), value)
        for use in (model.fit, model.partial_fit, model.transform):
            with pytest.raises(InvalidInput, match=r"X holds NaN.*2 rows.*row 7"):
                use(spoilt)
        with pytest.raises(InvalidInput, match=r"X holds NaN.*2 rows.*row 7"):
            metrics.infonce_loss(model, spoilt)
        valid = np.delete(np.arange(80), [7, 9])
        usable = np.isin(np.arange(80), valid)
        assert np.isfinite(model.transform(spoilt, valid=usable)[valid]).all()
    large = model.transform(np.full_like(X, 3e38))  # only its sum is infinite
    assert len(large) == 80
    with pytest.raises(ValueError, match="first: row 5"):
        metrics.infonce_loss(CEBRA(**QUICK).fit(X, LABEL), X, spoiled(LABEL, 5, np.nan))


@pytest.mark.parametrize("name", ["trials", "valid"])
def test_rows_without_a_trial_are_named(name):
    with pytest.raises(InvalidInput, match=f"{name} holds NaN .first: row 4"):
        CEBRA(**QUICK).fit(X, **{name: spoiled(np.ones(80), 4, np.nan)})


@pytest.mark.parametrize("standardize", [False, True])
def test_a_constant_neuron_is_silent_and_nothing_but_constant_ones_is_refused(
    standardize,
):
    settings = {**QUICK, "standardize": standardize}
    still = np.c_[X, np.full(80, 3.0)]
    latents = CEBRA(**settings).fit(still, LABEL).transform(still)
    assert np.isfinite(latents).all()
    if standardize:
        moved = np.c_[X, RNG.normal(3, 1, 80)]
        model = CEBRA(**settings).fit(still, LABEL)
        assert np.array_equal(model.transform(moved), latents)
    with pytest.raises(InvalidInput, match="None of the 5 ROIs changes in the 80 rows"):
        CEBRA(**settings).fit(np.ones((80, 5)), LABEL)
    with pytest.raises(InvalidInput, match="Recording 1: None of the 3 ROIs"):
        CEBRA(**settings).fit([X, np.ones((60, 3))], [LABEL, LABEL[:60]])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ((LABEL[:-1],), r"X has 80 rows but labels y\[0\] have 79"),
        ((LABEL, CLASS[1:]), r"labels y\[1\] have 79"),
        ((np.array(["left"] * 80),), r"y\[0\] must hold one number"),
        ((np.array(["left"] * 80, object),), r"y\[0\] are not numbers"),
        ((LABEL + 1j,), r"y\[0\] must hold one number.*complex"),
        ((np.zeros((80, 2, 2)),), r"y\[0\] must hold one number.*\(80, 2, 2\)"),
        ((np.float64(3),), r"y\[0\] must hold one number"),
        ((np.c_[CLASS, CLASS],), r"y\[0\] are whole numbers in 2 columns"),
        ((CLASS, CLASS), "only one discrete label"),
        ((np.ones(80),), "same value in all usable rows"),
        ((np.arange(80),), "exclude_self"),
    ],
)
def test_labels_of_the_wrong_length_or_kind(labels, says):
    alone = {"exclude_self": True} if says == "exclude_self" else {}
    says = "No class of the discrete variable has two" if alone else says
    with pytest.raises(InvalidInput, match=says):
        CEBRA(**QUICK, **alone).fit(X, *labels)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([LABEL], r"X is a list of 2 recordings, so y\[0\] must be a list of 2"),
        ([LABEL, LABEL], r"X has 60 rows but labels y\[0\] have 80"),
        ([LABEL, LABEL[:60] + 100], "share no range of variable 0"),
        ([CLASS, CLASS[:60] + 100], "no class of the discrete variable that every"),
        ([np.ones(80), np.ones(60)], "Variable 0 has the same value in all usable"),
        ([LABEL, CLASS[:60]], "paired in different ways"),
        ([LABEL, np.c_[LABEL, LABEL][:60]], "different numbers of variables"),
    ],
)
def test_labels_of_several_recordings_that_do_not_fit_together(labels, says):
    with pytest.raises(InvalidInput, match=says):
        CEBRA(**QUICK).fit([X, OTHER], labels)


@pytest.mark.parametrize("batch_size", [16, None])
def test_too_few_rows_for_the_window(batch_size):
    model = CEBRA(
        **{**QUICK, "batch_size": batch_size}, model_architecture="offset10-model"
    )
    with pytest.raises(InvalidInput, match="window of 10"):
        model.fit(X[:9])
    with pytest.raises(InvalidInput, match="window of 10"):
        model.fit(X, trials=np.arange(80) // 8)
    with pytest.raises(InvalidInput, match="window of 10"):
        model.fit(X, valid=np.arange(80) % 8 > 0)
    with pytest.raises(InvalidInput, match=r"Recording 1: .*window of 10"):
        model.fit([X, OTHER[:8]])
    with pytest.raises(InvalidInput, match="No stretch is long enough"):
        model.set_params(time_offsets=75).fit(X)


def test_a_trial_shorter_than_the_window_is_not_drawn_but_gets_its_latents():
    model = CEBRA(**QUICK, model_architecture="offset10-model")
    trials = np.r_[np.zeros(70, int), np.ones(4, int), np.full(6, 2)]
    short = X.copy()
    short[70:] = 1e6  # would show in the loss
    model.fit(short, trials=trials)
    same = CEBRA(**QUICK, model_architecture="offset10-model").fit(X, trials=trials)
    assert model.solver_.log == same.solver_.log
    latents = model.transform(short, trials=trials)
    assert latents.shape == (80, 2) and np.isfinite(latents).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"trials": np.zeros(79)}, "X has 80 rows but trials has shape"),
        ({"valid": np.ones((80, 1), bool)}, "X has 80 rows but valid has shape"),
        ({"validation": np.ones(79, bool)}, "X has 80 rows but validation has shape"),
        ({"validation": [80]}, "validation names rows outside 0 to 79"),
        ({"validation": np.ones(80, bool)}, "holds out all usable rows"),
        ({"validation": [0.5]}, "must be a mask or row numbers"),
        ({"valid": np.zeros(80, bool)}, "no row to train on"),
    ],
)
def test_rows_that_are_none(options, says):
    with pytest.raises(InvalidInput, match=says):
        CEBRA(**QUICK).fit(X, **options)


CONFIG = TrainConfig(batch_size=8, max_iterations=1, device="cpu", threads=1)


def session(values=X, label=LABEL, **options):
    return Session(
        values, np.zeros(len(values), int), ContinuousPairs(label), **options
    )


@pytest.mark.parametrize("kind", [SessionTraining, UnifiedTraining])
def test_recordings_are_named(kind):
    with pytest.raises(InvalidInput, match="no recording to train on"):
        kind([], CONFIG)
    with pytest.raises(InvalidInput, match=r"Recording 1: .*row 7"):
        kind([session(), session(spoiled(X, (7, 2), np.inf))], CONFIG)
    held = np.arange(80) > 60
    with pytest.raises(InvalidInput, match="Recording 1 has no held-out rows"):
        kind([session(heldout_rows=held), session()], CONFIG)
    with pytest.raises(InvalidInput, match="no two usable rows have the same"):
        config = TrainConfig(**{**CONFIG.to_dict(), "mix_repeats": 0.5})
        kind([session(label=np.arange(80.0))] * 2, config)
