"""A trained encoder of the neurons of several recordings together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cebra.embedding.encoder import Encoder, Standardization
from napari_cebra.embedding.pairs import Pairs, Rows
from napari_cebra.embedding.sessions.side_by_side import UnifiedSampler, line_up
from napari_cebra.recording import InvalidInput, complete_windows, window_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CHUNK = 2**23
"""Numbers in the windows that are embedded at once."""


@dataclass(frozen=True, eq=False)
class UnifiedEncoder:
    """Maps the neurons of all recordings together to latents.

    Parameters
    ----------
    encoder : Encoder
        Of the neurons of all recordings side by side.
    """

    encoder: Encoder

    @property
    def n_neurons(self) -> tuple[int, ...]:
        """Number of ROIs of each recording."""
        return tuple(self.encoder.training["neurons"])

    @torch.no_grad()
    def transform(
        self,
        values: Sequence[np.ndarray],
        segments: Sequence[np.ndarray],
        pairs: Sequence[Pairs],
        session: int,
    ) -> np.ndarray:
        """Return the latents of one recording.

        Beside the window of each of its rows stand those of the nearest rows of
        the other recordings, as while training.

        Parameters
        ----------
        values : one (T, N) float a recording
        segments : one (T,) int a recording
        pairs : one Pairs a recording
            Over the variables that link them.
        session : int
            The recording whose rows are embedded.

        Returns
        -------
        (T, D) float32
            NaN where the row is in no stretch, or its variables are not known.

        Raises
        ------
        InvalidInput
            If the recordings are not those it was trained on.
        """
        shapes = tuple(np.shape(v)[-1] for v in values)
        if shapes != self.n_neurons or not 0 <= session < len(values):
            raise InvalidInput(
                f"The encoder was trained on recordings of {self.n_neurons} ROIs; give "
                f"all of them, in that order, and one of their numbers from 0 (not "
                f"{shapes} and {session})."
            )
        left, right = self.encoder.receptive_field
        rows = []
        for s, segment in enumerate(segments):
            whole = complete_windows(segment, left, right)
            rows.append(Rows(segment >= 0 if s == session else whole, segment))
        device = self.encoder.device
        linked = line_up(pairs, rows, device, exclude_self=False)
        sampler = UnifiedSampler(linked, first=True, exclude_self=False)
        start = sum(len(v) for v in values[:session])
        own = linked.pools[session].rows
        generator = torch.Generator(device)  # the first of ties: nothing is drawn
        found = sampler.beside(own, torch.tensor(session, device=device), generator)
        latents = np.full(
            (len(values[session]), self.encoder.output_dimension), np.nan, np.float32
        )
        chunk = max(1, _CHUNK // (sum(shapes) * (left + right)))
        for low in range(0, len(own), chunk):
            part = found[:, low : low + chunk].cpu().numpy()
            latents[part[session] - start] = self._of(values, segments, part)
        return latents

    def _of(
        self,
        values: Sequence[np.ndarray],
        segments: Sequence[np.ndarray],
        rows: np.ndarray,
    ) -> np.ndarray:
        """Return the latents of (S, n) rows that stand side by side."""
        device, scale = self.encoder.device, self.encoder.standardization
        first = start = 0
        parts = []
        for s, (v, segment) in enumerate(zip(values, segments, strict=True)):
            neurons = slice(first, first + v.shape[1])
            one = Standardization(
                scale.mean[neurons], scale.scale[neurons], scale.normalize_frames
            )
            where = window_rows(segment, *self.encoder.receptive_field)[rows[s] - start]
            x = np.ascontiguousarray(v[where], dtype=np.float32)
            parts.append(one(torch.from_numpy(x).to(device)))
            first, start = first + v.shape[1], start + len(v)
        found: np.ndarray = (
            self.encoder.network(torch.cat(parts, 2))[:, 0].cpu().numpy()
        )
        return found

    def save(self, path: str | Path) -> None:
        """Write it to a file, as `Encoder.save` does."""
        self.encoder.save(path)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> UnifiedEncoder:
        """Open a file that `save` wrote.

        Raises
        ------
        InvalidInput
            If it is not such a file.
        """
        encoder = Encoder.load(path, device)
        neurons: Any = encoder.training.get("neurons")
        known = isinstance(neurons, list) and all(type(n) is int for n in neurons)
        if not known or 0 in neurons or sum(neurons) != encoder.n_neurons:
            raise InvalidInput(
                f"{path} holds the encoder of one recording, not of several together; "
                "choose another file."
            )
        return cls(encoder)
