"""How many seconds of activity the encoder sees at once, and in which layers."""

from __future__ import annotations

import re

from qtpy.QtCore import Signal
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_cebra.embedding import TrainConfig
from napari_cebra.embedding.descriptions import receptive_field
from napari_cebra.embedding.published import describe
from napari_cebra.pipeline.encoder_shape import LONGEST, EncoderShape
from napari_cebra.pipeline.fit_split import in_words
from napari_cebra.recording import InvalidInput
from napari_cebra.widgets.form_rows import Choice, Whole, add, form, set_row_visible

_LONGEST_MEAN = 100_000
_OWN = "own"
KIND_NAMES = {
    "mean": "Hidden layer",
    "linear": "Linear",
    "offset": "Published offset layers",
    "wide": "Wide first convolution",
    _OWN: "Own description",
}
_TYPED = re.compile(r"\s*(\d+[.,]?\d*|[.,]\d+)\s*([a-z]*)\s*")
_SECONDS = ("s", "sec", "second", "seconds")
_FRAMES = ("f", "frame", "frames")


class Length(Whole):
    """A number of frames, shown and typed in seconds where the rate is known.

    Either unit may be typed. What cannot be taken leaves the value as it is;
    `refused` says why.
    """

    refused = Signal(str)

    _rate: float | None = None  # of the class: Qt asks for texts while it is made

    def __init__(self, high: int, value: int) -> None:
        super().__init__(1, high, value)
        self.lineEdit().textEdited.connect(lambda _: self.refused.emit(""))
        self.valueChanged.connect(lambda _: self.refused.emit(""))

    def set_rate(self, rate: float | None) -> None:
        """Show seconds at this rate; frames for None."""
        self._rate = rate
        self.setValue(self.value())
        self.lineEdit().setText(self.textFromValue(self.value()))
        self.refused.emit("")

    def textFromValue(self, frames: int) -> str:
        """Return frames as a person reads them."""
        if self._rate is None:
            return _frames(frames)
        seconds = frames / self._rate
        return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.1f} s"

    def valueFromText(self, text: str) -> int:
        """Return what was typed as frames."""
        try:
            return self._read(text)
        except InvalidInput:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let anything be typed; only a length in range is taken."""
        try:
            self._read(text)
        except InvalidInput:
            return QValidator.State.Intermediate, text, position
        return QValidator.State.Acceptable, text, position

    def fixup(self, text: str) -> str:
        """Say what is wrong; Qt then puts back the last value."""
        try:
            self._read(text)
        except InvalidInput as error:
            kept = self.textFromValue(self.value())
            self.refused.emit(f"{error} It is left at {kept}.")
        return text

    def _read(self, text: str) -> int:
        """Return a length as frames, or raise what is accepted."""
        if text == self.textFromValue(self.value()):
            return self.value()  # which the text may have rounded
        shown, rate = text.strip(), self._rate
        typed = _TYPED.fullmatch(text.lower())
        unit = typed[2] if typed else ""
        if typed is None or unit not in ("", *_SECONDS, *_FRAMES):
            examples = '"0.5 s" or "15 frames"' if rate else '"15 frames"'
            raise InvalidInput(
                f'"{shown}" is not a receptive field; type a number with its '
                f"unit, such as {examples}."
            )
        number = float(typed[1].replace(",", "."))
        in_seconds = unit in _SECONDS or (unit == "" and rate is not None)
        if in_seconds and rate is None:
            raise InvalidInput(
                f'"{shown}" needs the imaging rate, which is not known; type the '
                'receptive field in frames, such as "15 frames".'
            )
        if not in_seconds and number != int(number):
            raise InvalidInput(f'"{shown}" is not a whole number of frames; type one.')
        frames = round(number * rate) if in_seconds else int(number)
        if not self.minimum() <= frames <= self.maximum():
            low, high = (in_words(n, rate) for n in (self.minimum(), self.maximum()))
            raise InvalidInput(
                f'"{shown}" is out of range; this kind of encoder sees {low} to {high}.'
            )
        return frames


class EncoderForm(QWidget):
    """Receptive field and kind of encoder.

    Attributes
    ----------
    first_kernel : Whole
        To be put among the settings that seldom need a change.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = TrainConfig()
        self._rate: float | None = None
        self._recommended: str | None = None
        self._shown: EncoderShape | None = None

        rows = self._rows = form(self)
        self._kind = add(
            rows,
            "Encoder",
            Choice(),
            "Its layers. Hidden layer and Linear: on a running mean over the window. "
            "Published offset layers: those of offset10-model and its like, at any "
            "length. Wide first convolution: one layer sees the whole window. Own "
            "description: a published name or a line of layers",
        )
        self._length = add(
            rows,
            "Receptive field",
            Length(_LONGEST_MEAN, 10),
            "How much activity the encoder sees at once: a latent is made of the "
            "frames around its own. Long windows average noise away, short ones "
            "resolve what changes fast; none crosses the border of a trial",
        )
        self._own = add(
            rows,
            "Description",
            QLineEdit(),
            'A published name such as offset36-model-dropout, or layers such as "u2 +3 '
            '+3 +3 d3"; the guide has the language',
        )
        self._count = QLabel()
        self._count.setWordWrap(True)
        self._count.setStyleSheet("color: #909090;")
        rows.addRow("", self._count)
        self._refusal, self._problem = _Warning(), _Warning()
        rows.addRow(self._refusal)
        rows.addRow(self._problem)
        self.first_kernel = Whole(0, 10, 0, "frames")
        self._offer_kinds()
        self.setValue(self._base)

        self._length.refused.connect(self._refusal.say)
        self._length.valueChanged.connect(self._on_changed)
        self._kind.currentIndexChanged.connect(self._on_kind)
        self._own.editingFinished.connect(self._on_changed)
        self.first_kernel.valueChanged.connect(self._on_changed)

    def value(self) -> dict[str, object]:
        """Return the settings of `TrainConfig` that make the encoder."""
        base = self._base
        kept = {
            "model_architecture": base.model_architecture,
            "first_kernel": base.first_kernel,
        }
        shape = self._shape()
        if shape is None:
            name = self._own.text().strip()
            changed = name and name != base.model_architecture
            return (
                {"model_architecture": name, "first_kernel": None} if changed else kept
            )
        if shape == EncoderShape.of(base):
            return kept
        return shape.settings()

    def setValue(self, config: TrainConfig) -> None:
        """Show the encoder of a training."""
        self._base = config
        self._refusal.say("")
        shape = EncoderShape.of(config)
        widgets = (self._kind, self._length, self._own, self.first_kernel)
        blocked = [widget.blockSignals(True) for widget in widgets]
        self._own.setText(config.model_architecture)
        self._kind.setValue(_OWN if shape is None else shape.kind)
        if shape is not None:
            self._fit_ranges()
            self._length.setValue(shape.frames)
            self.first_kernel.setMaximum(shape.frames)
            self.first_kernel.setValue(shape.first_kernel or 0)
        for widget, before in zip(widgets, blocked, strict=True):
            widget.blockSignals(before)
        self._show()

    def set_rate(self, rate: float | None) -> None:
        """Show the receptive field in seconds; in frames for None."""
        self._rate = rate
        self._length.set_rate(rate)
        self._show()

    def set_recommended(self, config: TrainConfig) -> None:
        """Mark the kind of encoder that is recommended."""
        shape = EncoderShape.of(config)
        self._recommended = None if shape is None else shape.kind
        self._offer_kinds()

    def set_problem(self, text: str) -> None:
        """Say why this receptive field cannot be trained here; "" if it can."""
        self._problem.say(text)

    def _offer_kinds(self) -> None:
        self._kind.set_items(
            (kind, f"{name} (recommended)" if kind == self._recommended else name)
            for kind, name in KIND_NAMES.items()
        )

    def _shape(self) -> EncoderShape | None:
        kind = self._kind.value()
        if kind == _OWN:
            return None
        frames, kernel = self._length.value(), self.first_kernel.value()
        fixed = kind == "wide" or kernel == 0
        return EncoderShape(kind, frames, None if fixed else min(kernel, frames))

    def _fit_ranges(self) -> None:
        published = self._kind.value() in ("offset", "wide")
        self._length.setMaximum(LONGEST if published else _LONGEST_MEAN)

    def _on_kind(self) -> None:
        if self._kind.value() == _OWN and self._shown is not None:
            # What was shown until now, as a description to go on from.
            name, first = self._shown.settings().values()
            self._own.setText(name if first is None else describe(name, first))
        blocked = self.first_kernel.blockSignals(True)
        self.first_kernel.setValue(0)  # each kind has its own
        self.first_kernel.blockSignals(blocked)
        self._on_changed()

    def _on_changed(self) -> None:
        self._fit_ranges()
        self._show()
        self.valueChanged.emit()

    def _show(self) -> None:
        """Show what belongs to the kind, and the length in frames."""
        shape = self._shown = self._shape()
        set_row_visible(self._rows, self._own, shape is None)
        set_row_visible(self._rows, self._length, shape is not None)
        self.first_kernel.setEnabled(shape is not None and shape.kind != "wide")
        if shape is None:
            self._count.setText(self._length_of_own())
            self.first_kernel.setSpecialValueText("as described")
        else:
            self.first_kernel.setMaximum(shape.frames)
            own = EncoderShape(shape.kind, shape.frames).kernel
            self.first_kernel.setSpecialValueText(f"auto ({_frames(own)})")
            rate = self._rate
            self._count.setText(
                f"{_frames(shape.frames)} at {rate:.4g} Hz" if rate else ""
            )
        self._count.setVisible(bool(self._count.text()))

    def _length_of_own(self) -> str:
        value = self.value()
        try:
            frames = sum(
                receptive_field(value["model_architecture"], value["first_kernel"])
            )
        except InvalidInput:
            return ""  # `set_problem` says why
        return f"Receptive field: {in_words(frames, self._rate)}"


class _Warning(QLabel):
    """A sentence below a field, shown while there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setStyleSheet("color: #d9a032;")
        self.hide()

    def say(self, text: str) -> None:
        self.setText(text)
        self.setVisible(bool(text))


def _frames(n: int) -> str:
    return f"{n} frame{'s' if n != 1 else ''}"
