"""What was recognised in a file, and what the person may correct before loading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)
from napari_cebra.widgets.frame_size import FrameSize, PixelSize

if TYPE_CHECKING:
    from napari_cebra.io.binary import BinaryLayout

KIND_NAMES = {
    "stack": "Imaging stack",
    "suite2p": "suite2p folder",
    "program": "ROIs with their traces",
    "traces": "Trace matrix",
    "spikes": "Spike times",
    "project": "CEBRA project",
}
TRACE_KINDS = (
    ("dff", "dF/F"),
    ("raw", "raw fluorescence"),
    ("events", "deconvolved events"),
    ("rates", "spikes per bin"),
    ("other", "z-scores, or other units"),
)
HAS_RATE = ("stack", "suite2p", "program", "traces")
"""Kinds whose frame rate can be corrected."""
TIME_AS_DETECTED = "as detected"
_TIME_AXES = {"rows are time": 0, "columns are time": 1}
TIME_CHOICES = (TIME_AS_DETECTED, *_TIME_AXES)
_POSITIONS = (("C", "Channel"), ("Z", "Plane"), ("S", "Colour"), ("Q", "Axis Q"))


@dataclass(frozen=True)
class Recognised:
    """What stands in a file, as far as it says so itself.

    Parameters
    ----------
    kind : {"stack", "suite2p", "program", "traces", "spikes", "project"}
        What it can be loaded as.
    facts : str
        Size, type and shape in words.
    axes : str
        Order of the axes as the file says or as was guessed; empty where there
        is nothing to choose.
    axes_choices : tuple of str
        Orders that are possible.
    rate : float or None
        Frames per second, None where the file does not say.
    data_sets : tuple of (name, text)
        Arrays inside the file, where there are several.
    data_set : str or None
        The one that is described.
    to_choose : tuple of (letter, length)
        Axes of which one position is to be chosen: channels, planes.
    trace_kind : str
        What a trace matrix seems to hold.
    notes : tuple of str
        What was assumed, in sentences.
    lengths : tuple of int
        Of the axes of a stack, one per letter of `axes`; of anything else the
        number of imaging frames alone. Empty where it is known only after
        loading.
    pixel_um : (y, x) or None
        Size of a pixel in µm.
    layout : BinaryLayout or None
        Of a file that does not say the size of its frames.
    """

    kind: str
    facts: str
    axes: str = ""
    axes_choices: tuple[str, ...] = ()
    rate: float | None = None
    data_sets: tuple[tuple[str, str], ...] = ()
    data_set: str | None = None
    to_choose: tuple[tuple[str, int], ...] = ()
    trace_kind: str = "dff"
    notes: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    pixel_um: tuple[float, float] | None = None
    layout: BinaryLayout | None = None


@dataclass(frozen=True)
class SourceChoice:
    """How to load it."""

    kind: str = "stack"
    axes: str = ""
    rate: float | None = None
    data_set: str | None = None
    time_axis: int | None = None
    trace_kind: str = "dff"
    bin_s: float = 0.1
    select: tuple[tuple[str, int], ...] = ()
    pixel_um: tuple[float, float] | None = None


class SourceForm(QFrame):
    """A box that says what was recognised, with axes and rate to correct."""

    valueChanged = Signal(object)
    dataSetChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recognised: Recognised | None = None
        self.setObjectName("recognised")
        self.setStyleSheet(
            "#recognised { border: 1px solid rgba(128, 128, 128, 110);"
            " border-radius: 4px; }"
        )
        self._facts = QLabel()
        self._facts.setWordWrap(True)
        body = QWidget()
        self._rows = form(body)
        self._data_set = add(
            self._rows, "Data set", Choice(), "Which array inside the file to load"
        )
        self._layout = add(
            self._rows,
            "Rows × columns",
            FrameSize(),
            "Rows and columns of a frame, and the type of its values: a raw binary "
            "file does not say them",
        )
        self._axes = add(
            self._rows,
            "Axes",
            Choice(),
            "Order of the axes in the file: T time, Y rows, X columns (N: ROIs); "
            "correct it here if frames look scrambled",
        )
        self._positions = {
            letter: add(
                self._rows,
                name,
                Whole(0, 0, 0),
                f"Which {name.lower()} to load, counting from 0",
            )
            for letter, name in _POSITIONS
        }
        self._rate = add(
            self._rows,
            "Frame rate",
            Real(0, 100_000, 0, "Hz", decimals=3, step=1),
            "Imaging frames per second; unknown is allowed, then everything is in "
            "frames instead of seconds",
        )
        self._rate.setSpecialValueText("unknown")
        self._pixel = add(
            self._rows,
            "Pixel size (µm)",
            PixelSize(),
            "Rows × columns of a pixel in µm; unknown is allowed, then lengths are in "
            "pixels",
        )
        self._trace_kind = add(
            self._rows, "Values are", Choice(TRACE_KINDS), "What the numbers mean"
        )
        self._bin = add(
            self._rows,
            "Bin",
            Whole(1, 60_000, 100, "ms", step=10),
            "Spikes are counted in bins of this length",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.addWidget(self._facts)
        column.addWidget(body)
        self.hide()

        for choice in (self._axes, self._trace_kind):
            choice.currentIndexChanged.connect(self._on_changed)
        for number in (self._rate, self._pixel, self._bin, *self._positions.values()):
            number.valueChanged.connect(self._on_changed)
        self._layout.valueChanged.connect(lambda it: self.dataSetChanged.emit(str(it)))
        self._data_set.activated.connect(self._on_data_set)

    def set_recognised(self, found: Recognised | None) -> None:
        """Show what was found; None hides the box."""
        self._recognised = found
        self.setVisible(found is not None)
        if found is None:
            return
        blocked = self.blockSignals(True)
        notes = "".join(f"<br><i>{note}</i>" for note in found.notes)
        self._facts.setText(f"<b>{KIND_NAMES[found.kind]}</b><br>{found.facts}{notes}")
        self._data_set.set_items((name, text) for name, text in found.data_sets)
        self._data_set.setValue(found.data_set)
        self._axes.set_items((order, _spelt(order)) for order in found.axes_choices)
        self._axes.setValue(found.axes)
        self._rate.setValue(found.rate or 0)
        self._pixel.setValue(found.pixel_um)
        if found.layout is not None:
            self._layout.setValue(found.layout)
        self._trace_kind.setValue(found.trace_kind)
        lengths = dict(found.to_choose)
        for letter, position in self._positions.items():
            position.setRange(0, max(lengths.get(letter, 1) - 1, 0))
            set_row_visible(self._rows, position, letter in lengths)
        for field, wanted in (
            (self._data_set, len(found.data_sets) > 1),
            (self._layout, found.layout is not None),
            (self._axes, len(found.axes_choices) > 1),
            (self._pixel, found.kind == "stack"),
            (self._rate, found.kind in HAS_RATE),
            (self._trace_kind, found.kind == "traces"),
            (self._bin, found.kind == "spikes"),
        ):
            set_row_visible(self._rows, field, wanted)
        self.blockSignals(blocked)
        self._on_changed()

    def recognised(self) -> Recognised | None:
        """Return what is shown."""
        return self._recognised

    def n_frames(self) -> int | None:
        """Return how many imaging frames it has as chosen; None if not known yet."""
        found, choice = self._recognised, self.value()
        if found is None or choice is None or not found.lengths:
            return None
        if found.kind != "stack":
            turned = choice.axes not in ("", TIME_AS_DETECTED)
            return None if turned else found.lengths[0]
        if "T" not in choice.axes or len(choice.axes) != len(found.lengths):
            return None
        return found.lengths[choice.axes.index("T")]

    def value(self) -> SourceChoice | None:
        """Return how to load it; None where nothing was recognised."""
        if self._recognised is None:
            return None
        return SourceChoice(
            kind=self._recognised.kind,
            axes=str(self._axes.value() or self._recognised.axes),
            rate=self._chosen_rate(),
            data_set=self._data_set.value() or self._recognised.data_set,
            time_axis=_TIME_AXES.get(str(self._axes.value())),
            trace_kind=str(self._trace_kind.value()),
            bin_s=self._bin.value() / 1000,
            select=tuple(
                (letter, self._positions[letter].value())
                for letter, _ in self._recognised.to_choose
                if letter in self._positions
            ),
            pixel_um=self._pixel.value() if self._recognised.kind == "stack" else None,
        )

    def _chosen_rate(self) -> float | None:
        """Return the rate as detected, to the last digit, unless it was corrected."""
        shown = self._rate.value()
        found = None if self._recognised is None else self._recognised.rate
        if found is not None and shown == round(found, self._rate.decimals()):
            return found
        return shown or None

    def setValue(self, value: SourceChoice) -> None:
        """Correct what was recognised."""
        blocked = self.blockSignals(True)
        self._axes.setValue(value.axes)
        self._rate.setValue(value.rate or 0)
        self._pixel.setValue(value.pixel_um)
        self._trace_kind.setValue(value.trace_kind)
        self._bin.setValue(round(value.bin_s * 1000))
        self.blockSignals(blocked)
        self._on_changed()

    def _on_data_set(self, _: int) -> None:
        self.dataSetChanged.emit(str(self._data_set.value()))

    def _on_changed(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())


def _spelt(order: str) -> str:
    """Return an axis order as a person reads it: "T × Y × X"."""
    return order if " " in order else " × ".join(order)
