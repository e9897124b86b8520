"""ROIs by their share in the embedding; what is selected here is everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtGui import QColor

from napari_cebra.viewer.adapters.shares import COLORMAP
from napari_cebra.viewer.latent_view.colouring import colour_table
from napari_cebra.viewer.roi_picker import names_of, word_for
from napari_cebra.widgets.linked_table import LinkedTable
from napari_cebra.widgets.sortable_table import Column

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace


def percent_texts(share: np.ndarray) -> list[str]:
    """Write shares as "0.24 %", with digits enough for an even one to have two."""
    decimals = max(2, int(np.ceil(1 + np.log10(max(share.size, 1) / 100))))
    return [f"{100 * value:.{decimals}f} %" for value in share.tolist()]


def in_latent(latent: int | None) -> str:
    """Return "in all latents", or "in latent 3"."""
    return "in all latents" if latent is None else f"in latent {latent}"


class SharesTable(LinkedTable):
    """A row per ROI: its number, its share in %, and that beside an even share.

    Parameters
    ----------
    workspace : Workspace
        Its shares and its selection of ROIs.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, sorted_by=1, descending=True)
        self.setToolTip("Click a row to select the ROI everywhere")

    def show_latent(self, latent: int | None) -> None:
        """Show the shares in a latent, or in the mean of all."""
        shares, recording = self._workspace.shares, self._workspace.recording
        if shares is None or recording is None:
            self.set_rois(np.zeros(0, np.int64), ())
            return
        share = shares.share(latent)
        percent, times = 100 * share, share.size * share
        texts = percent_texts(share)
        names, word = names_of(recording), word_for(recording)
        table = colour_table(COLORMAP)
        at = np.round(share / (share.max() or 1) * (len(table) - 1)).astype(int)

        def explained(row: int) -> str:
            return (
                f"{word} {names[row]}: {texts[row]} {in_latent(latent)}, "
                f"{times[row]:.1f}× what it would be if all had the same"
            )

        self.set_rois(
            shares.ids,
            (
                Column(
                    word,
                    "Its number, and its name in the source if that is another",
                    shares.ids,
                    lambda row: names[row],
                    explained,
                    lambda row: QColor.fromRgbF(*map(float, table[at[row]])),
                ),
                Column(
                    "Share (%)",
                    "Part of the whole attribution that falls to it; all together "
                    "are 100 %",
                    percent,
                    lambda row: texts[row].removesuffix(" %"),
                    explained,
                ),
                Column(
                    "× even",
                    "Its share beside what it would be if all had the same; 1 is "
                    "nothing special",
                    times,
                    lambda row: f"{times[row]:.1f}",
                    explained,
                ),
            ),
        )
