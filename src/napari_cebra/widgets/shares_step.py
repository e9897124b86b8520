"""Step 5: which ROIs the latents come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QCheckBox, QLabel
from superqt.utils import signals_blocked

from napari_cebra.pipeline.attribution import DEFAULT
from napari_cebra.recording import InvalidInput
from napari_cebra.viewer.adapters.shares import COLORMAP
from napari_cebra.viewer.latent_view.colouring import Colouring, colour_table
from napari_cebra.viewer.latent_view.legend import Legend
from napari_cebra.viewer.numbers import count
from napari_cebra.viewer.roi_picker import names_of, word_for
from napari_cebra.widgets.shares_form import METHOD_NAMES, SharesChoice, SharesForm
from napari_cebra.widgets.shares_table import SharesTable, in_latent, percent_texts
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.pipeline import Embedding, RoiShares
    from napari_cebra.recording import Progress
    from napari_cebra.widgets.session import Session

_CAUTION = (
    "A share says what the encoder uses, not what causes what: of two ROIs that say "
    "the same it may use either."
)
_DOUBT = (
    " The embedding is no better than chance on held-out rows, so its shares mean "
    "little."
)
_ROWS = {
    "training": "training rows",
    "all": "rows of all parts",
    "selected": "selected rows",
}


class SharesStep(Step):
    """Method, rows, latent; the ROIs coloured and listed by their share."""

    title = "Which ROIs"
    is_optional = True

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Compute shares")
        self.form = SharesForm()
        self.fields.addWidget(self.form)
        self.colours = QCheckBox("Colour the ROIs by their share")
        self.colours.setToolTip(
            "Cover the ROIs in the image with the colours below; without it they have "
            "their own colours again"
        )
        self.made = QLabel()
        self.made.setWordWrap(True)
        self.outdated = QLabel("The choice above is another; compute again to see it.")
        self.outdated.setWordWrap(True)
        self.outdated.setStyleSheet("color: #d9a032;")
        self.legend = Legend()
        self.table = SharesTable(session.workspace)
        self.note = QLabel(_CAUTION)
        self.note.setWordWrap(True)
        self.note.setStyleSheet("color: #909090; font-style: italic;")
        for part in (
            *(self.made, self.outdated, self.colours),
            *(self.legend, self.table, self.note),
        ):
            self.layout().addWidget(part)
        self.button.setToolTip("Compute the share of each ROI (Ctrl+Return)")

        self._view = session.main_view.shares
        self._latent: int | None = None  # shown now
        self.form.valueChanged.connect(self._on_form)
        self.colours.toggled.connect(self._on_toggled)
        connect, workspace = self.connections.add, session.workspace
        connect(workspace.recording_changed, self.refresh)
        connect(workspace.embedding_changed, self._on_embedding)
        connect(workspace.shares_changed, self._on_shares)
        connect(workspace.selection.frames_changed, self._on_frames)
        connect(session.main_view.shares.changed, self._show_colours)
        self._on_embedding()
        self._on_frames()
        self._on_shares()

    def value(self) -> SharesChoice:
        """Return what is chosen."""
        return self.form.value()

    def setValue(self, value: SharesChoice) -> None:
        """Choose."""
        self.form.setValue(value)

    def main_action(self) -> None:
        """Compute the shares in the background."""
        workspace, choice = self.session.workspace, self.form.value()
        recording, embedding = workspace.recording, workspace.embedding
        if recording is None or embedding is None:
            return
        rows = choice.rows
        if rows == "selected":
            if not workspace.selection.frames:
                raise InvalidInput(
                    "No latents are selected: shift and drag a box in the Latents "
                    "dock, or choose other rows."
                )
            rows = np.zeros(recording.n_frames, bool)
            rows[list(workspace.selection.frames)] = True
        config = replace(DEFAULT, method=choice.method)
        is_kept = workspace.shares is not None

        def make() -> Generator[Progress, None, RoiShares]:
            from napari_cebra.pipeline.attribution import roi_shares

            return roi_shares(recording, embedding, config, rows)

        self.start_job(
            "shares",
            "Computing shares",
            make,
            lambda shares: self._on_computed(shares, embedding),
            stopped_text="Cancelled; the shares computed before are kept."
            if is_kept
            else "Cancelled.",
        )

    def refresh(self, *_: object) -> None:
        """Show whether there is something to attribute, or what was found."""
        workspace = self.session.workspace
        if workspace.embedding is None or workspace.recording is None:
            self.announce(
                "locked", reason="There is no embedding yet: train one in step 3."
            )
        elif workspace.shares is None:
            self.announce("todo")
        else:
            self.announce("done", self._largest())
        self.button.setText(
            "Compute shares" if workspace.shares is None else "Compute again"
        )

    def _on_computed(self, shares: RoiShares, embedding: Embedding) -> None:
        if self.session.workspace.embedding is not embedding:
            return  # another was trained meanwhile
        self.session.workspace.set_shares(shares)
        self._view.show(self.form.value().latent)
        self.session.autosave()
        self.bring_into_view(self.table)

    def _on_embedding(self) -> None:
        embedding = self.session.workspace.embedding
        self.abandon_job()  # it attributes another one
        n_latents = 0 if embedding is None else embedding.latents.shape[1]
        self.form.set_latents(n_latents)
        self.message.clear()  # it told of another embedding
        self.refresh()

    def _on_frames(self) -> None:
        self.form.set_selected(len(self.session.workspace.selection.frames))
        self._show_made()

    def _on_shares(self) -> None:
        shares = self.session.workspace.shares
        self._show_latent()
        self._show_colours()
        self.note.setVisible(shares is not None)
        self._tell()
        self.refresh()

    def _tell(self) -> None:
        """Say whose share is the largest, and whether to believe it."""
        workspace = self.session.workspace
        if workspace.shares is None or workspace.embedding is None:
            return
        bits = workspace.embedding.bits_heldout
        is_doubtful = bits is not None and bits <= 0
        tell = self.message.warning if is_doubtful else self.message.info
        tell(self._summary(workspace.shares) + (_DOUBT if is_doubtful else ""))

    def _on_form(self, value: SharesChoice) -> None:
        if value.latent == self._latent:
            self._show_made()
            return  # what else is chosen waits for the button
        self._show_latent()
        self._tell()
        self.refresh()
        if self._view.is_shown:
            self._view.show(value.latent)

    def _on_toggled(self, is_wanted: bool) -> None:
        if is_wanted:
            self._view.show(self.form.value().latent)
        else:
            self._view.hide()

    def _show_colours(self) -> None:
        """Tick the box where the colours are seen, whoever showed or hid them."""
        is_there = self.session.workspace.shares is not None
        self.colours.setVisible(is_there and self._view.can_show)
        with signals_blocked(self.colours):
            self.colours.setChecked(self._view.is_shown)

    def _show_made(self) -> None:
        """Say of what the shares below are, and whether something else is chosen."""
        shares, choice = self.session.workspace.shares, self.form.value()
        self.made.setVisible(shares is not None)
        self.outdated.hide()
        if shares is None:
            return
        self.made.setText(
            f"Made with {self._made(shares)}, {in_latent(choice.latent)}."
        )
        self.outdated.setVisible(
            (choice.method, choice.rows) != (shares.config.method, shares.rows)
        )

    def _made(self, shares: RoiShares) -> str:
        rows = f"{count(shares.n_rows)} {_ROWS[shares.rows]}"
        return f"{METHOD_NAMES[shares.config.method]}, over {rows}"

    def _show_latent(self) -> None:
        shares, latent = self.session.workspace.shares, self.form.value().latent
        self._latent = latent
        self.table.show_latent(latent)
        self.table.setVisible(shares is not None)
        self._show_made()
        if shares is None:
            self.legend.setColouring(None)
            return
        self.legend.setColouring(
            Colouring(
                np.zeros((0, 4), np.float32),
                f"{self._made(shares)}: share {in_latent(latent)}",
                "%",
                high=float(100 * shares.share(latent).max()),
                table=colour_table(COLORMAP),
            )
        )

    def _largest(self) -> str:
        workspace, latent = self.session.workspace, self.form.value().latent
        share = workspace.shares.share(latent)
        at = int(share.argmax())
        name = names_of(workspace.recording)[at]
        found = f"{percent_texts(share)[at]} {in_latent(latent)}"
        return f"{word_for(workspace.recording)} {name}: {found}"

    def _summary(self, shares: RoiShares) -> str:
        times = shares.ids.size * shares.share(self.form.value().latent).max()
        return f"Largest share: {self._largest()}, {times:.1f}× even."
