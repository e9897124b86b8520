"""The windows of several recordings, each through its own encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from napari_cebra.embedding.architectures import Network
    from napari_cebra.embedding.windows import Noise, Windows


def embed(
    networks: Sequence[Network],
    windows: Sequence[Windows],
    rows: Sequence[Tensor],
    noise: Sequence[Noise | None] | None = None,
    masks: Sequence[Tensor] | None = None,
    generator: Generator | None = None,
) -> list[Tensor]:
    """Return the (n, D) latents of (n,) rows of each recording.

    One recording after the other: what a layer makes of one then stays in the
    cache, which is worth more than one product for all (measured, two cores).

    Parameters
    ----------
    networks, windows, rows
        One a recording.
    noise : one a recording, optional
        Of `Windows.noise`.
    masks : one (n, L, N) a recording, optional
        Of `Masks`.
    generator : Generator, optional
        Draws the dropout of networks that have some; None leaves it out.
    """
    latents = []
    for s, (network, window, row) in enumerate(
        zip(networks, windows, rows, strict=True)
    ):
        own = None if noise is None else noise[s]
        if masks is None:
            latents.append(window.embed(network, row, own, generator))
        else:
            x = window.of(row, own) * masks[s]
            latents.append(network.after_mean(x, generator)[:, 0])
    return latents
