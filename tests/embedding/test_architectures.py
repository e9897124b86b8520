"""Encoders: the description language, and the same outputs as the reference."""

import numpy as np
import pytest
import torch

from napari_cebra.embedding.architectures import (
    DESCRIPTIONS,
    Network,
    offset_description,
    parse,
    receptive_field,
)
from napari_cebra.recording import InvalidInput

OFFSETS = {5: (2, 3), 10: (5, 5), 15: (7, 8), 20: (10, 10), 36: (18, 18)}
NAMES = [
    *DESCRIPTIONS,
    *(f"offset{n}-model" for n in (5, 10, 15, 20, 36, 40, 50)),
]
N, U, D = 12, 32, 8


def network(name, n=N, u=U, d=D, first_kernel=None):
    seeded = torch.Generator().manual_seed(0)
    return Network(parse(name, first_kernel), n, u, d, seeded)


@pytest.mark.parametrize("name", NAMES)
def test_same_output_as_reference_from_the_same_weights(name):
    models = pytest.importorskip("cebra.models")
    torch.manual_seed(1)
    theirs = models.init(name, num_neurons=N, num_units=U, num_output=D)
    ours = network(name)
    ours.copy_reference_weights(theirs.state_dict())
    offset = theirs.get_offset()
    assert ours.architecture.receptive_field == (offset.left, offset.right)
    windows = torch.randn(7, offset.left + offset.right, N)
    with torch.no_grad():
        expected = theirs(windows.transpose(1, 2)).reshape(7, D)
        got = ours(windows)[:, 0]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


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
    "name", ["offset1-model", "offset10-model", "u4 ~3 u1 d2", "m4 u3- d2 linear"]
)
def test_sliding_over_a_recording_equals_window_by_window(name):
    net = network(name)
    length = sum(net.architecture.receptive_field)
    x = torch.randn(1, 40, N)
    windows = x[0].unfold(0, length, 1).transpose(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(net(x)[0], net(windows)[:, 0], rtol=1e-5, atol=1e-6)


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
    "name", ["", "resnet", "u2 +3", "d0", "+3 d1", "u2 x3 d1", "offset0-model", "u2 h1"]
)
def test_unknown_names_are_refused(name):
    with pytest.raises(InvalidInput, match="no encoder called"):
        parse(name)


def test_weights_of_another_architecture_are_refused():
    state = network("offset5-model").state_dict()
    with pytest.raises(InvalidInput, match="arrays of weights"):
        network("offset10-model").copy_reference_weights(state)
