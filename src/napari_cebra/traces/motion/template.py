"""A template that a few bad frames do not spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cebra.traces.motion.correlation import power

if TYPE_CHECKING:
    from napari_cebra.traces.motion.correlation import PhaseCorrelation, Template

_ROUNDS = 8
_SETTLED = 0.02  # pixels by which the median frame may still move in a round
_SEED_FRAMES = 20
_BATCH = 32


def robust_template(
    field: PhaseCorrelation, pictures: np.ndarray
) -> tuple[Template, np.ndarray]:
    """Make a template of S pictures (S, N, M), and find where they stand.

    It begins with the frames most like one another as they are. Then all
    frames are put in place, the half that agrees best is averaged, and so on
    until nothing moves. The median shift of that half is zero.

    Returns
    -------
    template : Template
    shifts : (S, 2) float64
        In pixels of the stack.
    """
    kept = _most_alike(field, pictures)
    shifts = np.zeros((len(pictures), 2))
    template = _mean(field, pictures, shifts, kept)
    for _ in range(_ROUNDS):
        before, likeness = shifts, np.empty(len(pictures))
        shifts = np.empty_like(before)
        for start in range(0, len(pictures), _BATCH):
            part = slice(start, start + _BATCH)
            found = field.locate(_on(field, pictures[part]), template)
            shifts[part], likeness[part] = found.shifts, found.likeness
        kept = np.flatnonzero(likeness >= np.median(likeness))
        shifts -= np.median(shifts[kept], axis=0)
        template = _mean(field, pictures, shifts, kept)
        if np.median(np.abs(shifts - before)) < _SETTLED:
            break
    return template, shifts


def _most_alike(field: PhaseCorrelation, pictures: np.ndarray) -> np.ndarray:
    """Return the frames most like the frame that has the most frames like it."""
    flat = torch.cat(
        [
            torch.view_as_real(
                field.spectra(_on(field, pictures[start : start + _BATCH]))
                * (field.filter * field.twice.sqrt())
            ).flatten(1)
            for start in range(0, len(pictures), _BATCH)
        ]
    )
    flat /= flat.norm(dim=1, keepdim=True) + 1e-12
    alike = (flat @ flat.T).cpu().numpy()
    n = min(_SEED_FRAMES, len(alike))
    nearest = np.sort(alike, axis=1)[:, -n:].mean(axis=1)
    return np.argsort(-alike[nearest.argmax()], kind="stable")[:n]


def _mean(
    field: PhaseCorrelation,
    pictures: np.ndarray,
    shifts: np.ndarray,
    kept: np.ndarray,
) -> Template:
    """Average these frames in place; what differs between them is noise."""
    total = strength = torch.zeros((), device=field.device)
    for start in range(0, kept.size, _BATCH):
        at = kept[start : start + _BATCH]
        part = field.placed(_on(field, pictures[at]), shifts[at])
        total = total + part.sum(0)
        strength = strength + power(part).sum(0)
    mean = total / kept.size
    noise = (strength / kept.size - power(mean)).clamp_min(0)
    return field.template(mean, noise)


def _on(field: PhaseCorrelation, pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(field.device)
