"""The shifts of a block of frames, rigid or piecewise, and which of them failed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.motion.correlation import PhaseCorrelation
from napari_cebra.traces.motion.piecewise import Blocks
from napari_cebra.traces.motion.result import Motion, MotionQuality
from napari_cebra.traces.motion.template import robust_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_cebra.traces.motion.settings import MotionSettings

_BATCH = 16  # frames whose spectra are in memory, and in the cache, at a time
_TEMPLATE_BYTES = 96 * 2**20
_MARGIN = 1.5  # standard deviations above the highest peak that chance gives


def frames_in_template(size: tuple[int, int], wanted: int) -> int:
    """Return how many frames make the template: as many as memory allows."""
    spectrum_bytes = 8 * size[0] * (size[1] // 2 + 1)
    return max(min(wanted, _TEMPLATE_BYTES // spectrum_bytes), 2)


@dataclass(frozen=True, eq=False)
class Found:
    """Shifts of n frames in pixels; see `Motion`."""

    shifts: np.ndarray
    confidence: np.ndarray
    correlation: np.ndarray
    failed: np.ndarray
    blocks: np.ndarray | None
    middles: tuple[np.ndarray, np.ndarray] | None

    def motion(
        self,
        shape: tuple[int, int],
        settings: MotionSettings,
        quality: MotionQuality,
    ) -> Motion:
        """Return it with the failed frames filled, but without a template."""
        rows, columns = (None, None) if self.middles is None else self.middles
        blocks = self.blocks
        if blocks is not None:
            blocks = _filled(blocks, self.failed).astype(np.float32)
        return Motion(
            _filled(self.shifts, self.failed),
            self.failed,
            self.correlation,
            self.confidence,
            np.zeros(shape, np.float32),
            shape,
            quality,
            blocks,
            rows,
            columns,
            settings,
        )


class Estimate:
    """A template, and the comparison of frames with it.

    Parameters
    ----------
    pictures : (S, N, M) float32
        Binned frames of which the template is made.
    factor : int
        Pixels of the stack per pixel of a picture.
    settings : MotionSettings
    shape : (Y, X)
        Of the stack's frames.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        factor: int,
        settings: MotionSettings,
        shape: tuple[int, int],
    ) -> None:
        self.device = _device(settings.device)
        smoothing = settings.smooth_px, settings.high_pass_px
        size = pictures.shape[1], pictures.shape[2]
        reach = settings.max_shift_px(shape)
        self.field = PhaseCorrelation(size, factor, reach, *smoothing, self.device)
        self.blocks: Blocks | None = None
        lively = pictures[pictures.max(axis=(1, 2)) > pictures.min(axis=(1, 2))]
        if len(lively) == 0:
            raise InvalidInput(
                "No frame could be registered: every frame looked at is of one "
                "brightness; check that the stack is not dark."
            )
        self.template, shifts = robust_template(self.field, lively)
        if settings.kind == "piecewise":
            self.blocks = Blocks(
                *(size, factor, settings.block_px, settings.block_max_shift_px),
                *smoothing,
                self.device,
            )
            self._block_weights = self._learn_blocks(lively, shifts)

    def __call__(self, pictures: np.ndarray) -> Found:
        """Estimate n frames from their (n, N, M) pictures."""
        parts = [self._few(part) for part in self._batches(pictures)]
        return self.joined(parts)

    def joined(self, parts: list[Found]) -> Found:
        """Put the estimates of successive frames together."""
        names = ("shifts", "confidence", "correlation", "failed")
        whole = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        blocks = middles = None
        if self.blocks is not None:
            blocks = np.concatenate([p.blocks for p in parts])
            middles = self.blocks.centres()
        return Found(**whole, blocks=blocks, middles=middles)

    def _few(self, pictures: torch.Tensor) -> Found:
        field = self.field
        found = field.locate(pictures, self.template)
        # The highest of so many places in noise alone.
        chance = math.sqrt(2 * math.log(field.n_places))
        failed = (
            ~(found.confidence >= chance + _MARGIN)
            | (np.abs(found.shifts) > field.limit).any(axis=1)
            | (found.likeness <= 0)
        )
        blocks = None
        if self.blocks is not None:
            whole = field.whole(found.shifts)
            rest = self.blocks.match(
                self.blocks.spectra(pictures, whole), self._block_weights
            )
            blocks = rest + (whole * field.factor)[:, None, None]
            blocks = blocks.astype(np.float32)
        return Found(
            found.shifts,
            found.confidence,
            found.likeness,
            failed,
            blocks,
            None,
        )

    def _learn_blocks(self, pictures: np.ndarray, shifts: np.ndarray) -> torch.Tensor:
        """Make a template of each block from the frames of the frame's template.

        Twice: the second time, the blocks themselves are in place.
        """
        assert self.blocks is not None
        blocks, whole = self.blocks, self.field.whole(shifts)
        rest = (shifts - whole * self.field.factor)[:, None, None]
        rest = np.broadcast_to(rest, (len(pictures), *blocks.grid, 2))
        weights = None
        for _ in range(2):
            if weights is not None:
                parts = self._block_spectra(pictures, whole)
                rest = np.concatenate([blocks.match(s, weights) for s in parts])
                rest = rest - np.median(rest, axis=0)
            parts = self._block_spectra(pictures, whole)
            weights = blocks.learn(parts, rest)
        assert weights is not None
        return weights

    def _block_spectra(
        self, pictures: np.ndarray, whole: np.ndarray
    ) -> Iterator[torch.Tensor]:
        assert self.blocks is not None
        for at, part in enumerate(self._batches(pictures)):
            yield self.blocks.spectra(part, whole[at * _BATCH :][: len(part)])

    def _batches(self, pictures: np.ndarray) -> list[torch.Tensor]:
        return [
            torch.from_numpy(np.ascontiguousarray(pictures[a : a + _BATCH])).to(
                self.device
            )
            for a in range(0, len(pictures), _BATCH)
        ]


def _filled(shifts: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Lay straight lines through the frames that failed."""
    good = np.flatnonzero(~failed)
    if good.size == 0 or good.size == failed.size:
        return shifts
    bad = np.flatnonzero(failed)
    flat = shifts.reshape(len(shifts), -1).copy()
    for column in flat.T:
        column[bad] = np.interp(bad, good, column[good])
    return flat.reshape(shifts.shape)


def _device(name: str) -> torch.device:
    there = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if there else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    known = kind == "cuda" and (not number or number.isdigit())
    if not (known and there and int(number or 0) < torch.cuda.device_count()):
        raise InvalidInput(
            f"Motion cannot be estimated on the device {name!r}, which is not here; "
            "use auto or cpu."
        )
    return torch.device(name)
