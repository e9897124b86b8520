"""The fast way through the layers is the plain way, forward and backward."""

import copy

import pytest
import torch

from napari_cebra.embedding import TrainConfig, compiled, fused, windows
from napari_cebra.embedding.architectures import Network, parse
from napari_cebra.embedding.stack import layers_at_once, steps_of
from napari_cebra.embedding.windows import Windows

NAMES = [
    "offset10-model",
    "offset1-model",
    "u2 +3 ~3 u1- d3 linear",
    "u5 d1 tanh",
    "m3 u4 ~1 d1",
]


@pytest.fixture(params=["compiled", "PyTorch"])
def way(request, monkeypatch):
    if request.param == "PyTorch":
        monkeypatch.setattr(fused, "kernels", lambda name: None)
        monkeypatch.setattr(windows, "kernels", lambda name: None)
    elif fused.kernels("encoder_kernels") is None:
        pytest.skip("numba is missing, or the processor has no AVX2")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [60, 3000])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_latents_and_gradients_are_those_of_autograd(name, rows, dropout, kind):
    generator = torch.Generator().manual_seed(0)
    architecture = parse(name)
    network = Network(architecture, 12, 8, 5, generator).to(kind)
    x = torch.randn(rows, 12, generator=generator, dtype=kind)
    config = TrainConfig(input_dropout=dropout)
    cut = Windows(network.mean(x), architecture, config, generator)
    drawn = torch.randint(20, rows - 20, (50,), generator=generator)
    noise = cut.noise(drawn, generator)
    assert (noise is None) == (dropout == 0)
    towards = torch.randn(50, 5, generator=generator, dtype=kind)
    found = []
    for latents in (
        network.after_mean(cut.of(drawn, noise))[:, 0],
        cut.embed(network, drawn, noise),
    ):
        loss = (latents * towards).sum()
        found.append([latents, *torch.autograd.grad(loss, list(network.parameters()))])
    for plain, fast in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)


@pytest.mark.parametrize("neurons", [3, 32, 77])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("mixing", [0.0, 0.5])
@pytest.mark.parametrize("threads", [1, 2])
def test_windows_are_cut_to_the_same_bits(
    neurons, dropout, mixing, threads, monkeypatch
):
    generator = torch.Generator().manual_seed(0)
    architecture = parse("offset10-model")
    x = torch.randn(300, neurons, generator=generator)
    config = TrainConfig(input_dropout=dropout, mix_repeats=mixing)
    cut = Windows(x, architecture, config, generator, lambda rows, _: rows.flip(0))
    rows = torch.randint(20, 280, (100,), generator=generator)
    noise = cut.noise(rows, generator)
    with compiled.threads(threads):
        found = cut.of(rows, noise)
    monkeypatch.setattr(windows, "kernels", lambda name: None)
    assert torch.equal(found, cut.of(rows, noise))


def assert_close(found, expected):
    """Rounding grows with the sums, so it is compared with the largest number."""
    error = (found.double() - expected.double()).abs().max()
    assert float(error / expected.abs().max()) < 1e-5


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("widths", [(37, 70, 5), (1, 3, 2), (9, 32, 40)])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_width_gives_the_gradients_of_double_precision(name, widths, threads):
    neurons, _, latents = widths
    generator = torch.Generator().manual_seed(0)
    architecture = parse(name)
    network = Network(architecture, *widths, generator)
    x = torch.randn(900, neurons, generator=generator)
    rows = torch.randint(20, 880, (500,), generator=generator)
    towards = torch.randn(500, latents, generator=generator)
    config = TrainConfig(input_dropout=0.0)
    found = []
    for kind in (torch.float64, torch.float32, torch.float32):
        own = copy.deepcopy(network).to(kind)
        given = network.mean(x).to(kind)
        cut = Windows(given, architecture, config, generator)
        with compiled.threads(threads):
            y = cut.embed(own, rows)
            grads = torch.autograd.grad((y * towards).sum(), list(own.parameters()))
        found.append([y, *grads])
    for expected, once, again in zip(*found, strict=True):
        assert_close(once, expected)
        assert torch.equal(once, again)


def test_layers_run_over_the_recording_while_windows_hold_more_positions():
    steps = steps_of(Network(parse("offset10-model"), 12, 8, 5))
    assert layers_at_once(steps, 1536, 10, 10_000) == 2
    assert layers_at_once(steps, 1536, 10, 100_000) == 0
    assert layers_at_once(steps, 10**6, 10, 100) == len(steps)


def test_layers_of_another_kind_take_the_plain_way():
    for name in ("offset36-model-dropout", "offset40-model-4x-subsample"):
        assert steps_of(Network(parse(name), 12, 8, 5)) is None
