"""What is to be learnt, and how."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline.config import TargetConfig
from napari_cebra.widgets.encoder_form import EncoderForm
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.form_rows import Choice, Real, Whole, add, form

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODES = (
    ("behavior", "Behaviour or stimulus"),
    ("time", "Time (no variable)"),
    ("hybrid", "Hybrid: both"),
)
_DEVICES = (
    ("auto", "auto"),
    ("cpu", "CPU"),
    ("cuda", "CUDA GPU"),
    ("mps", "Apple GPU"),
)


@dataclass(frozen=True)
class TrainingChoice:
    """What to learn from (no name: time alone), and the settings."""

    target: TargetConfig = field(default_factory=TargetConfig)
    config: TrainConfig = field(default_factory=TrainConfig)


class TrainingForm(QWidget):
    """Mode, target and settings of a training; the rare ones are folded away."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = TrainConfig()
        self._base = start

        first = QWidget()
        rows = form(first)
        self._mode = add(
            rows,
            "Learn from",
            Choice(_MODES),
            "What makes two moments alike. Behaviour or stimulus: the same value of "
            "the target. Time: nearness in time alone, no variable is used. Hybrid: "
            "both, on one embedding",
        )
        self._target = add(
            rows,
            "Target",
            Choice(),
            "The variable that the embedding is organised by and that is decoded",
        )
        self.encoder = EncoderForm()
        main = QWidget()
        rows = form(main)
        self._dimension = add(
            rows,
            "Output dimension",
            Whole(2, 4096, start.output_dimension),
            "Number of latents; more than three are drawn through their principal "
            "components",
        )
        self._steps = add(
            rows,
            "Steps",
            Whole(1, 1_000_000, start.max_iterations, step=100),
            "Optimisation steps of the whole schedule",
        )
        temperature = QWidget()
        self._temperature = Real(0.001, 100, start.temperature, decimals=3, step=0.05)
        self._temperature_mode = Choice([("constant", "fixed"), ("auto", "learned")])
        pair = QHBoxLayout(temperature)
        pair.setContentsMargins(0, 0, 0, 0)
        pair.addWidget(self._temperature, 1)
        pair.addWidget(self._temperature_mode, 1)
        add(
            rows,
            "Temperature",
            temperature,
            "Of the InfoNCE loss: small values resolve fine structure, large ones the "
            "global shape. Learned: it starts here and is trained along",
        )
        self._seed = add(
            rows,
            "Seed",
            Whole(0, 2**31 - 1, start.seed),
            "The same seed, machine and thread count give the same embedding to the "
            "bit on the CPU",
        )
        self._device = add(
            rows,
            "Device",
            Choice(_DEVICES),
            "Where the encoder is trained; auto takes a GPU where there is one",
        )
        self._device_text = QLabel()
        self._device_text.setWordWrap(True)
        self._device_text.setStyleSheet("color: #909090;")
        rows.addRow("", self._device_text)

        rare = QWidget()
        more = form(rare)
        add(
            more,
            "First kernel",
            self.encoder.first_kernel,
            "Imaging frames that the first layer with weights sees; auto is what is "
            "recommended for this kind of encoder. A wider one can tell the order of "
            "events, and has more weights to learn",
        )
        self._units = add(
            more,
            "Hidden units",
            Whole(1, 4096, start.num_hidden_units, step=8),
            "Width of the encoder",
        )
        self._batch = add(
            more,
            "Batch size",
            Whole(2, 1_000_000, start.batch_size, step=64),
            "References, positives and negatives per step; a smaller one needs less "
            "memory",
        )
        self._rate_field = add(
            more,
            "Learning rate",
            Real(1e-6, 1, start.learning_rate, decimals=6, step=1e-4),
            "The highest of the schedule",
        )
        self._time_offset = add(
            more,
            "Time offset",
            Whole(1, 100_000, start.time_offsets, "frames"),
            "How far apart in time a reference and its positive lie",
        )
        self._dropout = add(
            more,
            "Input dropout",
            Real(0, 0.99, start.input_dropout, step=0.05),
            "Share of cells left out at random in each training window, against "
            "learning single cells by heart",
        )
        self._decay = add(
            more,
            "Weight decay",
            Real(0, 10, start.weight_decay, decimals=4, step=0.005),
            "Pulls the weights towards zero, against overfitting",
        )
        self._threads = add(
            more,
            "CPU threads",
            Whole(0, 256, 0),
            "Threads of a training on the CPU; auto takes what PyTorch is set to",
        )
        self._threads.setSpecialValueText("auto")
        self._advanced = Fold("Advanced", rare)
        self._advanced.setToolTip("Settings that seldom need a change")

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(first)
        column.addWidget(self.encoder)
        column.addWidget(main)
        column.addWidget(self._advanced)

        self.setValue(TrainingChoice())
        for choice in (
            self._mode,
            self._target,
            self._temperature_mode,
            self._device,
        ):
            choice.currentIndexChanged.connect(self._on_changed)
        for number in (
            self._dimension,
            self._steps,
            self._temperature,
            self._seed,
            self._units,
            self._batch,
            self._rate_field,
            self._time_offset,
            self._dropout,
            self._decay,
            self._threads,
        ):
            number.valueChanged.connect(self._on_changed)
        self.encoder.valueChanged.connect(self._on_changed)

    def value(self) -> TrainingChoice:
        """Return what is chosen."""
        mode = str(self._mode.value())
        config = replace(
            self._base,
            **self.encoder.value(),
            output_dimension=self._dimension.value(),
            max_iterations=self._steps.value(),
            temperature=self._temperature.value(),
            temperature_mode=self._temperature_mode.value(),
            seed=self._seed.value(),
            device=self._device.value(),
            num_hidden_units=self._units.value(),
            batch_size=self._batch.value(),
            learning_rate=self._rate_field.value(),
            time_offsets=self._time_offset.value(),
            input_dropout=self._dropout.value(),
            weight_decay=self._decay.value(),
            threads=self._threads.value() or None,
        )
        name = None if mode == "time" else self._target.value()
        return TrainingChoice(TargetConfig(name=name, mode=mode), config)

    def setValue(self, value: TrainingChoice) -> None:
        """Choose; settings the form does not show are kept as they are."""
        config = value.config
        self._base = config
        blocked = self.blockSignals(True)
        self._mode.setValue(value.target.mode)
        if value.target.name is not None:
            self._target.setValue(value.target.name)
        self.encoder.setValue(config)
        self._dimension.setValue(config.output_dimension)
        self._steps.setValue(config.max_iterations)
        self._temperature.setValue(config.temperature)
        self._temperature_mode.setValue(config.temperature_mode)
        self._seed.setValue(config.seed)
        self._device.setValue(config.device)
        self._units.setValue(config.num_hidden_units)
        self._batch.setValue(config.batch_size)
        self._rate_field.setValue(config.learning_rate)
        self._time_offset.setValue(config.time_offsets)
        self._dropout.setValue(config.input_dropout)
        self._decay.setValue(config.weight_decay)
        self._threads.setValue(config.threads or 0)
        self.blockSignals(blocked)
        self._on_changed()

    def set_targets(self, names: Iterable[str], *, afresh: bool = False) -> None:
        """Offer these targets; without any, only time mode is left.

        Parameters
        ----------
        names : iterable of str
        afresh : bool
            Of another recording: learn from them, whatever was chosen for the last.
        """
        names = list(names)
        had_any = self._target.count() > 0
        self._target.set_items((name, name) for name in names)
        if afresh or bool(names) != had_any:
            self._mode.setValue("behavior" if names else "time")
        self._on_changed()

    def set_device_text(self, text: str) -> None:
        """Say which device that is here."""
        self._device_text.setText(text)

    def _on_changed(self, *_: object) -> None:
        has_targets = self._target.count() > 0
        self._target.setEnabled(has_targets and self._mode.value() != "time")
        self._target.setPlaceholderText("" if has_targets else "no variable loaded")
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
