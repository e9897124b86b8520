"""Products and convolutions in float32 are those of autograd in double precision."""

import pytest
import torch

from napari_cebra.embedding import convolutions
from napari_cebra.embedding.convolutions import (
    convolve,
    gradients,
    product,
    weight_gradient,
)


@pytest.fixture(params=["onednn", "mkl"])
def library(request, monkeypatch):
    if request.param == "mkl":
        monkeypatch.setattr(convolutions, "_linear", None)
    elif convolutions._linear is None:
        pytest.skip("PyTorch was built without oneDNN")


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_close(found, expected):
    """Rounding grows with the sums, so it is compared with the largest number."""
    error = (found.double() - expected).abs().max() / expected.abs().max()
    assert found.dtype == torch.float32 and float(error) < 1e-5


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("n, length", [(1, 900), (1, 3), (200, 7), (64, 3)])
@pytest.mark.parametrize("width, out", [(120, 32), (32, 32), (7, 5), (1, 1)])
def test_a_convolution_and_its_gradients(kernel, n, length, width, out):
    x, weight = drawn(length * n, width), drawn(out, width, kernel, seed=1)
    bias, towards = drawn(out, seed=2), drawn((length - kernel + 1) * n, out, seed=3)
    leaves = [each.double().requires_grad_() for each in (x, weight, bias)]
    windows = leaves[0].view(length, n, width).permute(1, 2, 0)
    plain = torch.conv1d(windows, leaves[1], leaves[2])
    plain = plain.permute(2, 0, 1).reshape(-1, out)
    expected = torch.autograd.grad((plain * towards).sum(), leaves)
    assert_close(convolve(x, weight, bias, n), plain.detach())
    for found, gradient in zip(gradients(x, towards, weight, n), expected, strict=True):
        assert_close(found, gradient)
    assert_close(weight_gradient(x, towards, kernel, n), expected[1])
    if n == 1:
        across = x.T.contiguous()
        assert_close(weight_gradient(x, towards, kernel, n, across), expected[1])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("size", [3, 300])
def test_a_product_of_rows_and_of_columns(size):
    x, weight, bias = drawn(size, 40), drawn(128, 40, seed=1), drawn(128, seed=2)
    expected = x.double() @ weight.double().T
    assert_close(product(x, weight), expected)
    assert_close(product(x, weight.T.contiguous().T, bias), expected + bias)
    assert_close(
        product(x[:, ::2], weight[:, ::2].contiguous()),
        x[:, ::2].double() @ weight[:, ::2].double().T,
    )
