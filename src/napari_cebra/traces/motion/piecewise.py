"""What is left of the motion in blocks of the frame, after the frame's own shift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cebra.traces.motion.correlation import PhaseCorrelation, moved_by, power
from napari_cebra.traces.motion.peak import highest, refined

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHARED = 0.1  # weight, in the correlation of a block, of those beside it
_AROUND = 0.5  # weight, in what a shift is drawn to, of the blocks beside it
_DOUBT = 4.0  # confidence at which a block counts as much as those around it
_TINY = 1e-12


class Blocks:
    """Square blocks that overlap by half and cover the frame evenly.

    Parameters
    ----------
    size : (N, M)
        Of the whole binned picture.
    factor : int
        Pixels of the stack per pixel of a picture.
    block_px, reach : float
        Side of a block, and largest shift beyond that of the frame, in pixels
        of the stack.
    smooth_px, high_pass_px : float
        As in `MotionSettings`.
    device : torch.device
    """

    def __init__(
        self,
        size: tuple[int, int],
        factor: int,
        block_px: int,
        reach: float,
        smooth_px: float,
        high_pass_px: float,
        device: torch.device,
    ) -> None:
        self.factor, self.device = factor, device
        side = min(block_px // factor, *size)
        self.side = side
        self.starts = [_spread(n, side) for n in size]
        self.grid = (len(self.starts[0]), len(self.starts[1]))
        self.field = PhaseCorrelation(
            (side, side), factor, reach, smooth_px, high_pass_px, device
        )
        steps = min(int(reach // factor) + 2, side // 2 - 1)
        self.places = torch.arange(-steps, steps + 1, device=device)
        self.steps = steps
        turns = 2j * np.pi * self.places.double()
        self.down = torch.exp(turns[:, None] * self.field.fy).to(torch.complex64)
        right = torch.exp(turns[:, None] * self.field.fx) * self.field.twice
        self.right = right.T.contiguous().to(torch.complex64)

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and columns of the middles, in pixels of the stack."""
        middle = (self.side - 1) / 2
        rows, columns = (
            (np.asarray(starts) + middle + 0.5) * self.factor - 0.5
            for starts in self.starts
        )
        return rows, columns

    def spectra(self, pictures: torch.Tensor, whole: np.ndarray) -> torch.Tensor:
        """Return the (n, A, B, side, K) spectra of all blocks of n pictures.

        Parameters
        ----------
        pictures : (n, N, M)
            Binned frames.
        whole : (n, 2) int
            Shift of each in pixels of the picture, undone first.
        """
        placed = moved_by(pictures, whole)
        span = torch.arange(self.side, device=self.device)
        rows, columns = (torch.tensor(s, device=self.device) for s in self.starts)
        y, x = rows[:, None] + span, columns[:, None] + span
        blocks = placed[:, y[:, None, :, None], x[None, :, None, :]]
        return self.field.spectra(blocks)

    def learn(self, parts: Iterable[torch.Tensor], shifts: np.ndarray) -> torch.Tensor:
        """Return the weights (A, B, side, K) of all blocks, as for whole pictures.

        Parameters
        ----------
        parts : iterable of (n, A, B, side, K)
            Spectra of the pictures to learn from.
        shifts : (n in all, A, B, 2)
            To be undone in them, in pixels of the stack.
        """
        total = strength = torch.zeros((), device=self.device)
        done = 0
        for spectra in parts:
            steps = shifts[done : done + len(spectra)].reshape(-1, 2)
            placed = self.field.in_place(spectra.flatten(0, 2), steps)
            total = total + placed.view_as(spectra).sum(0)
            strength = strength + power(spectra).sum(0)
            done += len(spectra)
        mean = total / done
        noise = (strength / done - power(mean)).clamp_min(0)
        return self.field.weights(mean, noise)

    def match(self, spectra: torch.Tensor, weights: torch.Tensor) -> np.ndarray:
        """Return the shift of each block in pixels, (n, A, B, 2).

        The correlations of neighbours are added, at a small weight, before the
        peak is looked for. Then each shift is drawn to the mean of those
        around it, and that to zero (the frame's own shift), the more the less
        sure they are.
        """
        n, (tall, wide) = spectra.shape[0], self.grid
        crossed = spectra * weights
        crossed *= (power(spectra) + _TINY).rsqrt_()
        surface = (self.down @ crossed @ self.right).real
        spread = self.field.spread(weights)[..., None, None]
        surface = _smoothed(surface / spread, _SHARED)
        size = 2 * self.steps + 1
        peak, value = highest(surface.reshape(-1, size, size))
        found = refined(surface.reshape(-1, size, size), peak) - self.steps
        shifts = (found * self.factor).reshape(n, tall, wide, 2)
        confidence = value.double().cpu().numpy().reshape(n, tall, wide, 1)
        sure = (confidence / _DOUBT).clip(0) ** 2
        sure[(np.abs(shifts) > self.field.limit).any(axis=-1)] = 0
        weight, drawn = (
            _smoothed(torch.from_numpy(part), _AROUND).numpy()
            for part in (sure, sure * shifts)
        )
        around = drawn / (weight + 1)
        return np.asarray((sure * shifts + around) / (sure + 1))


def _smoothed(values: torch.Tensor, weight: float) -> torch.Tensor:
    """Average (n, A, B, ...) with the neighbours along A and B."""
    for axis in (1, 2):
        total, last = values.clone(), values.shape[axis] - 1
        count = torch.ones(last + 1, device=values.device, dtype=values.dtype)
        if last:
            after, before = values.narrow(axis, 1, last), values.narrow(axis, 0, last)
            total.narrow(axis, 0, last).add_(after, alpha=weight)
            total.narrow(axis, 1, last).add_(before, alpha=weight)
            count[:-1] += weight
            count[1:] += weight
        shape = [1] * values.ndim
        shape[axis] = -1
        values = total / count.reshape(shape)
    return values


def _spread(length: int, side: int) -> list[int]:
    """Return where blocks begin that overlap by half or a little more."""
    n = -(-(length - side) * 2 // side) + 1
    return [int(start) for start in np.linspace(0, length - side, n).round()]
