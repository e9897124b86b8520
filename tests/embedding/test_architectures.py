"""Encoders: the description language, and the same outputs as the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_cebra.embedding import Training
from napari_cebra.embedding.architectures import (
    Network,
    offset_description,
    parse,
    published_names,
    receptive_field,
)
from napari_cebra.embedding.published import describe
from napari_cebra.embedding.stack import slide
from napari_cebra.recording import InvalidInput

OFFSETS = {5: (2, 3), 10: (5, 5), 15: (7, 8), 20: (10, 10), 36: (18, 18)}
N, U, D = 12, 32, 8


def network(name, n=N, u=U, d=D, first_kernel=None):
    seeded = torch.Generator().manual_seed(0)
    return Network(parse(name, first_kernel), n, u, d, seeded)


def reference_pair(name, n=5, u=6, d=3):
    """The reference's model of that name, and ours with its weights."""
    models = pytest.importorskip("cebra.models")
    torch.manual_seed(1)
    theirs = models.init(name, num_neurons=n, num_units=u, num_output=d).eval()
    ours = network(describe(name, tied=True), n, u, d)
    ours.copy_reference_weights(theirs.state_dict())
    return theirs, ours


def latents_of(model, windows):
    if hasattr(model, "set_output_num"):
        model.set_output_num(4)
        return model(windows)[0]  # the features that its classifier sees
    return model(windows)


def test_published_names_are_those_the_reference_registers():
    models = pytest.importorskip("cebra.models")
    assert sorted(published_names()) == sorted(models.get_options())
    assert len(published_names()) == 147


@pytest.mark.parametrize("name", published_names())
def test_same_as_reference_from_the_same_weights(name):
    theirs, ours = reference_pair(name)
    offset = theirs.get_offset()
    assert ours.architecture.receptive_field == (offset.left, offset.right)
    assert ours.architecture.subsampling == getattr(theirs, "resample_factor", 1)
    count = sum(p.numel() for p in theirs.parameters())
    assert sum(p.numel() for p in ours.parameters()) == count
    windows = torch.randn(7, len(offset), 5)
    with torch.no_grad():
        expected = latents_of(theirs, windows.transpose(1, 2)).reshape(7, 3)
        got = ours(windows)[:, 0]
        slid = slide(ours, windows[0])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(slid, expected[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 30])
@pytest.mark.parametrize(
    "name", ["offset40-model-4x-subsample", "offset20-model-4x-subsample"]
)
def test_same_as_reference_on_sequences(name, length):
    theirs, ours = reference_pair(name)
    x = torch.randn(1, sum(ours.architecture.receptive_field) + length, 5)
    with torch.no_grad():
        expected = theirs(x.transpose(1, 2)).reshape(3, -1).T
        torch.testing.assert_close(ours(x)[0], expected, rtol=1e-5, atol=1e-6)
        every = ours.slide(x)[0]
    assert len(every) == length + 1
    torch.testing.assert_close(every[::4], expected, rtol=1e-5, atol=1e-6)


def test_every_convolutional_model_slides_as_the_reference_does():
    models = pytest.importorskip("cebra.models")
    slid = 0
    for name in published_names():
        theirs, ours = reference_pair(name)
        if not isinstance(theirs, models.ConvolutionalModelMixin):
            continue
        x = torch.randn(1, sum(ours.architecture.receptive_field) + 9, 5)
        with torch.no_grad():
            expected = theirs(x.transpose(1, 2))[0].T
            torch.testing.assert_close(ours(x)[0], expected, rtol=1e-5, atol=1e-6)
            step = ours.architecture.subsampling
            got = slide(ours, x[0])[::step]  # as transform does
            torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
        slid += 1
    assert slid == 15


@pytest.mark.parametrize("kind", ["v2", "resnet"])
def test_hidden_layers_have_weights_of_their_own_unless_tied(kind):
    name = f"offset1-model-mse-{kind}-4layers"
    assert len(network(name).convs) == 7
    tied = network(describe(name, tied=True))
    assert len(tied.convs) == 4
    # a published model taken over into separate weights gives the same latents
    theirs, ours = reference_pair(name)
    apart = network(name, 5, 6, 3)
    apart.copy_reference_weights(theirs.state_dict())
    x = torch.randn(4, 1, 5)
    torch.testing.assert_close(apart(x), ours(x))


def test_tied_layers_learn_together():
    net = network("u1 u1 = d1 linear")
    alone = network("u1 u1 u1 d1 linear")
    state = net.state_dict()
    alone.load_state_dict(
        {
            f"convs.{i}.{part}": state[f"convs.{j}.{part}"]
            for i, j in enumerate([0, 1, 1, 2])
            for part in ("weight", "bias")
        }
    )
    x = torch.randn(4, 1, N)
    net(x).square().sum().backward()
    alone(x).square().sum().backward()
    both = alone.convs[1].weight.grad + alone.convs[2].weight.grad
    torch.testing.assert_close(net.convs[1].weight.grad, both)


def test_dropout_leaves_out_channels_only_when_drawn():
    net = network("u1%50 d1 linear")
    with torch.no_grad():
        net.convs[0].weight.zero_()
        net.convs[0].bias.fill_(1.0)
        net.convs[1].weight.fill_(1.0)
        net.convs[1].bias.zero_()
    x = torch.zeros(20_000, 1, N)
    kept = net(x)
    assert torch.equal(kept, net(x))
    whole = torch.nn.functional.gelu(torch.tensor(1.0)) * U
    torch.testing.assert_close(kept[0, 0, 0], whole)
    drawn = net(x, torch.Generator().manual_seed(0))[:, 0, 0]
    each = torch.nn.functional.gelu(torch.tensor(2.0))  # what is kept is doubled
    channels = drawn / each
    torch.testing.assert_close(channels, channels.round(), rtol=0, atol=1e-3)
    assert float(channels.detach().mean()) == pytest.approx(U / 2, abs=0.1)
    assert torch.equal(drawn, net(x, torch.Generator().manual_seed(0))[:, 0, 0])


def test_dropout_of_the_reference_has_the_same_mean_and_spread():
    theirs, ours = reference_pair("offset36-model-more-dropout", u=8)
    x = torch.randn(1, 36, 5).expand(4000, 36, 5)
    torch.manual_seed(0)
    with torch.no_grad():
        expected = theirs.train()(x.transpose(1, 2))
        got = ours(x, torch.Generator().manual_seed(0))[:, 0]
    torch.testing.assert_close(got.mean(0), expected.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(got.std(0), expected.std(0), rtol=0.1, atol=0.01)


@pytest.mark.parametrize(
    ("name", "count"),
    # numbers of parameters published for N=120, U=32, D=8
    [
        ("offset1-model", 5_592),
        ("offset5-model", 11_336),
        ("offset10-model", 17_800),
        ("offset15-model", 26_856),
        ("offset20-model", 33_320),
        ("offset36-model", 58_152),
        ("offset40-model", 64_360),
        ("offset50-model", 79_880),
        ("offset1-model-mse", 106_808),
    ],
)
def test_number_of_parameters(name, count):
    assert sum(p.numel() for p in network(name, 120).parameters()) == count


@pytest.mark.parametrize("length", range(1, 41))
@pytest.mark.parametrize("first_kernel", [None, 1, 4, 9, 24])
def test_any_length_and_first_kernel_see_that_many_frames(length, first_kernel):
    text = offset_description(length, first_kernel)
    assert sum(parse(text).receptive_field) == length
    assert parse(f"offset{length}", first_kernel) == parse(text)


def test_receptive_field_is_as_published():
    for length, field in OFFSETS.items():
        assert receptive_field(f"offset{length}-model") == field


@pytest.mark.parametrize(
    "name",
    [
        "offset1-model",
        "offset10-model",
        "u4 ~3 u1 d2",
        "m4 u3- d2 linear",
        "u4/2& ~h3/3 d2 [-1,1]",
        "offset4-model-2x-subsample",
    ],
)
def test_sliding_over_a_recording_equals_window_by_window(name):
    net = network(name)
    length = sum(net.architecture.receptive_field)
    x = torch.randn(1, 40, N)
    windows = x[0].unfold(0, length, 1).transpose(1, 2)
    with torch.no_grad():
        by_window = net(windows)[:, 0]
        torch.testing.assert_close(net.slide(x)[0], by_window, rtol=1e-5, atol=1e-6)
        step = net.architecture.subsampling
        torch.testing.assert_close(net(x)[0], by_window[::step], rtol=1e-5, atol=1e-6)


def test_a_whole_window_kernel_reads_time_in_order():
    net = network("u6 d1 linear")
    x = torch.randn(3, 6, N)
    with torch.no_grad():
        by_hand = torch.einsum("bln,unl->bu", x, net.convs[0].weight)
        by_hand = torch.nn.functional.gelu(by_hand + net.convs[0].bias)
        expected = by_hand @ net.convs[1].weight[:, :, 0].T + net.convs[1].bias
        torch.testing.assert_close(net(x)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_running_mean_is_that_of_the_frames_before_the_first_layer():
    net, plain = network("m4 u3 d1"), network("u3 d1")
    assert net.architecture.receptive_field == (3, 3)
    plain.load_state_dict(net.state_dict())
    x = torch.randn(2, 6, N)
    averaged = torch.stack([x[:, t : t + 4].mean(1) for t in range(3)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(net(x), plain(averaged))


def test_latents_lie_on_the_sphere_unless_asked_otherwise():
    x = torch.randn(5, 10, N)
    assert np.allclose(network("offset10")(x).detach().norm(dim=-1), 1, atol=1e-6)
    assert network("u10 d1 linear")(x).detach().norm(dim=-1).std() > 1e-3


@pytest.mark.parametrize(
    "name",
    [
        *("", "resnet", "u2 +3", "d0", "+3 d1", "u2 x3 d1", "offset0-model", "u2 h1"),
        *("u2 = d1", "= d1", "u1 u1& = d1", "u1 d1 =", "u1 h1 = d1", "u1 +3& d1"),
        *("u2/0 d1", "u2%100 d1", "d1 [1,1]", "d1 [1]", "u2 d1&", "u2 ~d1", "12 d1"),
        *("offset1-model-mse-v2-11layers", "offset1-model-mse-v2-0layers", "[-1,1]"),
    ],
)
def test_unknown_names_are_refused(name):
    with pytest.raises(InvalidInput, match="no encoder called"):
        parse(name)


def test_weights_of_another_architecture_are_refused():
    state = network("offset5-model").state_dict()
    with pytest.raises(InvalidInput, match="arrays of weights"):
        network("offset10-model").copy_reference_weights(state)


@pytest.mark.parametrize(
    "name", ["offset4-model-2x-subsample", "u2%20 +3%20 d3", "u1 u1 = d1"]
)
def test_every_kind_of_layer_learns_and_repeats_to_the_bit(name, showing, quick):
    def trained():
        config = replace(quick, model_architecture=name, lr_schedule="one_cycle")
        training = Training(
            showing.values,
            showing.segment,
            showing.train,
            showing.heldout,
            showing.pairs,
            config,
        )
        for _ in training.run():
            pass
        return training

    first, second = trained(), trained()
    assert first.evaluations[-1].bits_heldout > first.evaluations[0].bits_heldout
    np.testing.assert_array_equal(first.losses, second.losses)
    np.testing.assert_array_equal(first.latents(), second.latents())
