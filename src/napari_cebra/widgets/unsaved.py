"""The question before something that was not saved is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget


def may_discard(parent: QWidget, name: str, results: Sequence[str]) -> bool:
    """Ask whether unsaved results of a recording may go; Cancel is the default.

    Parameters
    ----------
    parent : QWidget
        Over which the question stands.
    name : str
        Of the recording that is open.
    results : sequence of str
        What there is, in words.
    """
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        "Discard the results?",
        f"What was made from {name} ({', '.join(results)}) is not saved. To keep "
        "it, press Cancel and save the project in the last step.",
        buttons.Discard | buttons.Cancel,
        buttons.Cancel,
    )
    return answer == buttons.Discard
