"""A training put aside goes on to the bit, and one short of memory to the same end."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cebra.embedding import Training, TrainingError
from napari_cebra.embedding.training import RecordingObjective
from napari_cebra.recording import InvalidInput


def training_of(showing, config, values=None):
    return Training(
        showing.values if values is None else values,
        showing.segment,
        showing.train,
        showing.heldout,
        showing.pairs,
        config,
    )


def weights(training):
    return list(training.model().network.state_dict().values())


@pytest.mark.parametrize(
    "settings",
    [
        {"mix_repeats": 0.3},
        {"average_decay": 0.9, "temperature_mode": "auto"},
        {"model_architecture": "offset10-model", "keep_best": False},
    ],
)
def test_taken_up_again_it_ends_with_the_same_bits(showing, quick, tmp_path, settings):
    config = replace(quick, **settings)
    whole = training_of(showing, config)
    for _ in whole.run():
        pass
    first = training_of(showing, config)
    for report in first.run(report_every=0.0):
        if report.step == 33:
            break
    first.checkpoint(tmp_path / "aside")
    second = training_of(showing, config)
    second.resume(tmp_path / "aside")
    assert second.step == 33
    for _ in second.run():
        pass
    assert all(map(torch.equal, weights(whole), weights(second)))
    np.testing.assert_array_equal(whole.losses, second.losses)
    assert whole.evaluations == second.evaluations
    assert whole.best_step == second.best_step
    assert whole.temperature == second.temperature
    assert [p.name for p in tmp_path.iterdir()] == ["aside"]


def test_a_checkpoint_that_does_not_fit_is_refused(showing, quick, tmp_path):
    path = tmp_path / "aside"
    training = training_of(showing, quick)
    next(training.run(report_every=0.0))
    training.checkpoint(path)
    with pytest.raises(InvalidInput, match=r"other settings \(learning_rate, seed\)"):
        training_of(showing, replace(quick, seed=9, learning_rate=1e-4)).resume(path)
    with pytest.raises(InvalidInput, match="other traces"):
        training_of(showing, quick, showing.values * 2).resume(path)
    with pytest.raises(InvalidInput, match="no file"):
        training.resume(tmp_path / "nowhere")
    training.model().save(tmp_path / "encoder")
    with pytest.raises(
        InvalidInput, match="no file with a training put aside but holds"
    ):
        training.resume(tmp_path / "encoder")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match="cut short"):
        training.resume(path)
    with pytest.raises(InvalidInput, match="Cannot write folder: the folder"):
        training.checkpoint(tmp_path / "no" / "folder")


@pytest.mark.parametrize("parts", [2, 8])
def test_gradients_in_parts_are_those_of_the_whole(showing, quick, parts):
    config = replace(quick, mix_repeats=0.5, temperature_mode="auto")
    objective = training_of(showing, config).objective
    batch = objective.draw()
    learnt = [*objective.network.parameters(), *objective.criterion.parameters()]
    found = []
    for count in (1, parts):
        for parameter in learnt:
            parameter.grad = None
        loss = objective.backward(batch, 0, count)
        found.append([loss, *(p.grad.clone() for p in learnt)])
    for whole, summed in zip(*found, strict=True):
        torch.testing.assert_close(summed, whole, rtol=1e-4, atol=1e-6)


def test_out_of_memory_halves_the_work_and_goes_on(showing, quick, monkeypatch):
    plain = training_of(showing, quick)
    for _ in plain.run():
        pass
    backward = RecordingObjective.backward

    def short(self, batch, step, parts):
        if step >= 5 and parts < 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return backward(self, batch, step, parts)

    monkeypatch.setattr(RecordingObjective, "backward", short)
    training = training_of(showing, quick)
    for _ in training.run():
        pass
    assert training.parts == 4
    np.testing.assert_allclose(training.losses, plain.losses, rtol=1e-3)


def test_out_of_memory_in_the_smallest_parts_is_one_sentence(
    showing, quick, monkeypatch
):
    tried = []

    def exhausted(self, batch, step, parts):
        tried.append(parts)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(RecordingObjective, "backward", exhausted)
    with pytest.raises(TrainingError, match=r"ran out of memory.*smaller batch"):
        list(training_of(showing, quick).run())
    assert tried == [1, 2, 4, 8, 16, 32, 64]
