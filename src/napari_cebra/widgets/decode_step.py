"""Step 4: decode what no fit has seen, and say what it is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel

from napari_cebra.pipeline.target import Target
from napari_cebra.recording import NapariCebraError
from napari_cebra.widgets.decoding_form import DecodingForm
from napari_cebra.widgets.score_rows import score_rows, verdict
from napari_cebra.widgets.scores_table import ScoresTable
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.pipeline import Decoding
    from napari_cebra.pipeline.config import DecodingConfig
    from napari_cebra.pipeline.decode import DecodeReport
    from napari_cebra.recording import Recording
    from napari_cebra.widgets.session import Session

LOOKED_UP = (
    "The decoded picture is looked up, not painted: what is decoded is the number of "
    "a known movie frame, and that frame of the stimulus is shown."
)


class DecodeStep(Step):
    """Protocol in words, folds, controls; scores beside what they compare with."""

    title = "Decode"

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Decode")
        self.protocol = QLabel()
        self.protocol.setWordWrap(True)
        self.protocol.setToolTip("Which rows are learnt from and which are decoded")
        self.form = DecodingForm()
        self.table = ScoresTable()
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setStyleSheet("color: #909090; font-style: italic;")
        self.note.hide()
        self.fields.addWidget(self.protocol)
        self.fields.addWidget(self.form)
        self.layout().addWidget(self.table)
        self.layout().addWidget(self.note)
        self.button.setToolTip("Decode the held-out rows (Ctrl+Return)")

        self.form.valueChanged.connect(self.refresh)
        session.configChanged.connect(self._show_config)
        connect = self.connections.add
        connect(session.workspace.recording_changed, self.refresh)
        connect(session.workspace.embedding_changed, self._on_embedding)
        connect(session.workspace.decoding_changed, self._on_decoding)
        self._show_config()
        self._on_decoding()

    def value(self) -> DecodingConfig:
        """Return the settings."""
        return self.form.value()

    def setValue(self, value: DecodingConfig) -> None:
        """Show these settings."""
        self.form.setValue(value)

    def main_action(self) -> None:
        """Decode with the embedding there is."""
        workspace = self.session.workspace
        recording, embedding = workspace.recording, workspace.embedding
        if recording is None or embedding is None:
            return
        config = replace(embedding.config, decoding=self.form.value())
        self.session.config = replace(self.session.config, decoding=config.decoding)

        def make() -> Generator[DecodeReport, None, Decoding]:
            from napari_cebra.pipeline.decode import decode

            return decode(recording, embedding, config)

        self.start_job(
            "decoding",
            "Decoding",
            make,
            self._on_decoded,
            stopped_text="Decoding was cancelled; what was decoded before is kept.",
        )

    def refresh(self, *_: object) -> None:
        """Show the protocol, and whether there is something to decode."""
        workspace = self.session.workspace
        embedding, decoding = workspace.embedding, workspace.decoding
        self.protocol.setText("")
        if embedding is None or workspace.recording is None:
            self.announce(
                "locked", reason="There is no embedding yet: train one in step 3."
            )
        elif embedding.config.target.name is None:
            self.announce(
                "locked",
                reason="An embedding of time alone has nothing to decode: choose a "
                "variable or the stimulus as target in step 3, and train again.",
            )
        else:
            self.protocol.setText(
                protocol_in_words(
                    workspace.recording,
                    embedding.config.target.name,
                    self.form.value(),
                )
            )
            self.announce(
                "todo" if decoding is None else "done",
                "" if decoding is None else score_rows(decoding)[0].summary,
            )
        self.protocol.setVisible(bool(self.protocol.text()))
        self.button.setText("Decode" if decoding is None else "Decode again")

    def _show_config(self) -> None:
        self.form.setValue(self.session.config.decoding)

    def _on_decoded(self, decoding: Decoding) -> None:
        self.session.workspace.set_decoding(decoding)
        self.session.autosave()
        self.message.info(verdict(decoding))
        self.completed.emit()

    def _on_embedding(self) -> None:
        self.message.clear()  # it told of another embedding
        self.refresh()

    def _on_decoding(self) -> None:
        decoding = self.session.workspace.decoding
        self.table.setValue(() if decoding is None else score_rows(decoding))
        self.note.setText(LOOKED_UP)
        self.note.setVisible(decoding is not None and decoding.looked_up)
        self.refresh()


def protocol_in_words(recording: Recording, name: str, config: DecodingConfig) -> str:
    """Return which rows are trained on and which are tested, for this recording."""
    try:
        target = Target.of(recording, name)
    except NapariCebraError as error:
        return str(error)
    if target is None:
        return ""
    if target.stimulus is None:
        return (
            f"{config.n_blocks} contiguous blocks, each decoded in turn by an encoder "
            "trained on the others; at each border a gap of the receptive field and "
            "the calcium decay is left out. Settings are chosen inside the training "
            "blocks."
        )
    repeats = target.stimulus.repeats.tolist()  # numbered as in the table
    if len(repeats) < 4:
        return (
            f"The movie was shown {len(repeats)} times, and decoding it needs 4 "
            "repeats: two to pair, one to choose settings on, one to test."
        )
    if config.folds == "all":
        return (
            f"Each of repeats {_span(repeats)} is decoded in turn by an encoder "
            "trained on the others; settings are chosen inside the training repeats."
        )
    return (
        f"Train on repeats {_span(repeats[:-1])}, test on repeat {repeats[-1]}. "
        f"Settings were chosen with an encoder of repeats {_span(repeats[:-2])}, "
        f"judged on repeat {repeats[-2]}; repeat {repeats[-1]} is touched once."
    )


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]}–{numbers[-1]}"
