"""What an alignment found, to be looked at before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_cebra.pipeline.align_words import frame_facts, log_facts
from napari_cebra.viewer.alignment_plot import AlignmentPlot
from napari_cebra.widgets.form_rows import Choice

if TYPE_CHECKING:
    from napari_cebra.pipeline.align import Aligned


class AlignResult(QWidget):
    """Figures of each log, residuals and pulses, and a button to use them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose theme the plots follow.
    """

    accepted = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._which = Choice()
        self._which.setToolTip("Log that is drawn")
        self.plot = AlignmentPlot(napari_viewer)
        self.accept_button = QPushButton("Use this alignment")
        self.accept_button.setToolTip(
            "Make variables and stimulus of the recording again with it; choosing "
            "another method and aligning again takes it back"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.text, self._which, self.plot, self.accept_button):
            column.addWidget(part)
        self._which.currentIndexChanged.connect(self._draw)
        self.accept_button.clicked.connect(self.accepted)
        self.hide()

    def show_found(self, found: Aligned, can_be_used: bool) -> None:
        """Show what was found."""
        self.text.setText(_as_table(found))
        fitted = [log for log in found.logs if log.fit is not None]
        self._which.set_items((log, f"Pulses of the {log.what}") for log in fitted)
        self._which.setVisible(len(fitted) > 1)
        self.plot.setVisible(bool(fitted))
        self._draw()
        self.accept_button.setVisible(can_be_used)
        self.show()

    def _draw(self, *_: object) -> None:
        log = self._which.value()
        if log is not None:
            self.plot.set_log(log)  # type: ignore[arg-type]


def _as_table(found: Aligned) -> str:
    """Return what was found as a table in rich text, a column for each log."""
    facts = [(log.what.capitalize(), log_facts(log)) for log in found.logs]
    keys = dict.fromkeys(key for _, of_log in facts for key in of_log)
    head = "".join(f"<th align='left'>{name}&nbsp;&nbsp;</th>" for name, _ in facts)
    rows = [f"<tr><th></th>{head}</tr>"] if facts else []
    for key in keys:
        cells = "".join(f"<td>{of_log.get(key, '')}</td>" for _, of_log in facts)
        rows.append(f"<tr><td><i>{key}</i>&nbsp;&nbsp;</td>{cells}</tr>")
    for key, text in frame_facts(found).items():
        cell = f"<td colspan='{max(len(facts), 1)}'>{text}</td>"
        rows.append(f"<tr><td><i>{key}</i>&nbsp;&nbsp;</td>{cell}</tr>")
    return f"<table cellspacing='2'>{''.join(rows)}</table>"
