"""Products and convolutions of float32 on the CPU, as fast as PyTorch has them.

PyTorch multiplies matrices with MKL, which leaves half the width of AMD's vector
units unused. oneDNN, which computes PyTorch's convolutions, does not: its products
are up to 2.3 times as fast there, if memory is laid out as it likes best.

Windows are laid out time first, (L·n, C): L times after one another, and at each
the n windows with their C channels. This is an image of L rows and n columns with
its channels last, so a convolution over time is one over its rows, and nothing is
unfolded. A recording is one long window.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def _of_onednn() -> Any:
    """Return oneDNN's product, which PyTorch has for its compiler, if it is there."""
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_linear = _of_onednn()

_SMALL = 2**20
"""Multiplications below which calling oneDNN takes longer than MKL computes."""
_NARROW = 32
"""Channels up to which oneDNN is quickest at all gradients of a layer at once."""


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``, without a graph.

    Parameters
    ----------
    x : (n, K) tensor
        Contiguous, or it is copied.
    weight : (m, K) tensor
        Contiguous, or ``a.T`` of a contiguous ``a``.
    bias : (m,) tensor, optional
    """
    if _fast(x) and x.numel() * weight.shape[0] >= _SMALL:
        found: Tensor = _linear.default(x, weight, bias, "none", [], "")
        return found
    return x @ weight.T if bias is None else torch.addmm(bias, x, weight.T)


def convolve(x: Tensor, weight: Tensor, bias: Tensor, n: int) -> Tensor:
    """((P + k - 1)·n, C) → (P·n, O) by a weight of (O, C, k)."""
    out, _, kernel = weight.shape
    if kernel == 1:
        return product(x, weight[:, :, 0], bias)
    if _fast(x):
        y = torch.conv2d(_image(x, n), _over_time(weight, n), bias)
        return y.permute(0, 2, 3, 1).reshape(-1, out)
    rows = len(x) - (kernel - 1) * n
    taps = weight.permute(2, 1, 0).contiguous()
    y = torch.addmm(bias, x[:rows], taps[0])
    for t in range(1, kernel):
        y.addmm_(x[t * n : t * n + rows], taps[t])
    return y


def weight_gradient(
    x: Tensor, grad: Tensor, kernel: int, n: int, across: Tensor | None = None
) -> Tensor:
    """Return the (O, C, k) gradient of the weight, by that of what came out.

    Of a recording that is also there as `across`, contiguous (C, L), it is one
    product, in which the recording is read once.
    """
    rows, out = grad.shape
    if across is not None:
        shifted = grad.new_empty(x.shape[0], kernel * out)
        shifted[: kernel - 1] = shifted[rows:] = 0
        for t in range(kernel):
            shifted[t : t + rows, t * out : (t + 1) * out] = grad
        each = product(across, shifted.T).view(-1, kernel, out)
        return each.permute(2, 0, 1).contiguous()
    # a plain copy across would take one thread
    columns = torch.mul(grad.T, 1, out=grad.new_empty(out, rows))
    taps = [product(columns, x[t * n : t * n + rows].T) for t in range(kernel)]
    return torch.stack(taps, dim=2)


def gradients(
    x: Tensor, grad: Tensor, weight: Tensor, n: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, of the weight and of the bias."""
    width, kernel = weight.shape[1:]
    if kernel == 1:
        of_x = product(grad, weight[:, :, 0].T)
    elif _fast(grad):
        at_once = max(weight.shape[:2]) <= _NARROW
        of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
            _image(grad, n),
            _image(x, n),
            _over_time(weight, n),
            [weight.shape[0]],
            *([1, 1], [0, 0], [1, 1], False, [0, 0], 1),
            [True, at_once, at_once],
        )
        of_x = of_x.permute(0, 2, 3, 1).reshape(-1, width)
        if at_once:
            return of_x, of_weight.reshape(weight.shape), of_bias
    else:
        taps = weight.permute(2, 0, 1).contiguous()
        of_x = torch.zeros_like(x)
        for t in range(kernel):
            of_x[t * n : t * n + len(grad)].addmm_(grad, taps[t])
    return of_x, weight_gradient(x, grad, kernel, n), grad.sum(0)


def _fast(x: Tensor) -> bool:
    return _linear is not None and x.dtype == torch.float32 and x.device.type == "cpu"


def _image(x: Tensor, n: int) -> Tensor:
    """(L·n, C) → (1, C, L, n), and (1, C, 1, L) of a recording, its long side last."""
    image = x.view(1, -1, n, x.shape[1]).permute(0, 3, 1, 2)
    return image.transpose(2, 3) if n == 1 else image


def _over_time(weight: Tensor, n: int) -> Tensor:
    return weight.unsqueeze(2 if n == 1 else 3).contiguous(
        memory_format=torch.channels_last
    )
