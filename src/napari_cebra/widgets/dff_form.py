"""How dF/F, and events, are computed from the raw traces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_cebra.traces.settings import PRESETS, DffSettings
from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)
from napari_cebra.widgets.slid import Slid

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANGED = "changed"
_PRESET_TIPS = (
    "napari-cebra: dF/F with a rolling percentile. suite2p: F − F0 in counts as it is "
    "deconvolved there, r 0.7, maximin of 60 s. Allen: r fitted per ROI, median of "
    "inactive frames, 600 s"
)


class DffForm(QWidget):
    """Preset, neuropil, baseline, artefacts, events; in frames without a rate."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = DffSettings()
        self._has_rate = True
        self._is_setting = False
        self._rows = form(self)
        self._preset = add(
            self._rows, "Preset", Choice(_presets(changed=False)), _PRESET_TIPS
        )
        self._add_neuropil(self._base)
        self._add_baseline(self._base)
        self._add_events(self._base)
        for field in self._numbers:
            field.valueChanged.connect(self._on_changed)
        for choice in (self._kind, self._neuropil_kind, self._divisor):
            choice.currentIndexChanged.connect(self._on_changed)
        for box in (self._centred, self._bleaching, self._deconvolve):
            box.toggled.connect(self._on_changed)
        self._preset.activated.connect(self._on_preset)
        self.setValue(self._base)

    def _add_neuropil(self, start: DffSettings) -> None:
        self._neuropil_kind = add(
            self._rows,
            "Neuropil",
            Choice(
                [
                    ("fixed", "one coefficient for all"),
                    ("fitted", "fitted per ROI, robust regression"),
                    ("Allen", "fitted per ROI, Allen's objective"),
                ]
            ),
            "How much of the surrounding neuropil is subtracted from each ROI",
        )
        self._neuropil = add(
            self._rows,
            "Coefficient r",
            Slid(Real(0, 2, start.neuropil_coefficient, step=0.05), 0, 2),
            "Share of the surrounding neuropil that is subtracted; 0.7 is suite2p's",
        )
        self._centred = QCheckBox("its changes alone, so that F0 stays")
        add(
            self._rows,
            "",
            self._centred,
            "Subtract r (Fneu − median Fneu), which leaves the level of F; without it "
            "r Fneu, as suite2p and Allen do, which can bring F0 near 0",
        )

    def _add_baseline(self, start: DffSettings) -> None:
        self._kind = add(
            self._rows,
            "Baseline F0",
            Choice(
                [
                    ("percentile", "rolling percentile"),
                    ("maximin", "maximin"),
                    ("median", "median of inactive frames"),
                ]
            ),
            "Rolling percentile, the smoothed rolling minimum and maximum that suite2p "
            "uses, or the Allen Institute's median of inactive frames",
        )
        self._percentile = add(
            self._rows,
            "Percentile",
            Slid(Real(0, 100, start.percentile, "%", decimals=1, step=1), 0, 60),
            "Which percentile of the window is taken for F0; with the median, above "
            "which (and 3 times the noise) a frame is active",
        )
        self._window_s = add(
            self._rows,
            "Window",
            Slid(
                Real(0.1, 36_000, start.window_s, "s", decimals=1, step=5),
                *(1, 1000),
                logarithmic=True,
            ),
            "Length of the rolling window; longer than the longest transient",
        )
        self._window_frames = add(
            self._rows,
            "Window",
            Whole(1, 1_000_000, start.window_frames, "frames", step=10),
            "Length of the rolling window in imaging frames, because the frame rate "
            "is not known",
        )
        self._smooth_s = add(
            self._rows,
            "Smoothing",
            Slid(Real(0, 3600, start.smooth_s or 0, "s", step=0.1), 0, 3),
            "Standard deviation of the Gaussian before the baseline, so that a low "
            "percentile finds quiet moments and not the noise",
        )
        self._smooth_frames = add(
            self._rows,
            "Smoothing",
            Real(0, 100_000, start.smooth_frames, "frames", decimals=1, step=1),
            "Standard deviation of the Gaussian before the baseline, in imaging frames",
        )
        self._bleaching = QCheckBox("follows bleaching that all ROIs share")
        add(
            self._rows,
            "",
            self._bleaching,
            "Fit the exponential decay of all ROIs first; F0 follows it, also where it "
            "may not look when something is decoded",
        )
        self._divisor = add(
            self._rows,
            "Divided by",
            Choice([("F0", "F0, but at least the noise"), ("none", "nothing: counts")]),
            "dF/F = (F − F0) / max(F0, noise), which cannot blow up, or F − F0",
        )

    def _add_events(self, start: DffSettings) -> None:
        self._artefacts = add(
            self._rows,
            "Artefacts above",
            Real(0, 1000, start.artefact_threshold, "× noise", decimals=1, step=1),
            "Frames in which the median ROI jumps by more than this are left out of "
            "every fit and not used: flashes, shutters, knocks",
        )
        self._artefacts.setSpecialValueText("off")
        self._deconvolve = QCheckBox("events instead of dF/F")
        add(
            self._rows,
            "Deconvolve",
            self._deconvolve,
            "OASIS, AR(1): the jumps that, each decaying, make up the trace; in "
            "arbitrary units, not spikes. The embedding then sees events",
        )
        self._decay_s = add(
            self._rows,
            "Decay",
            Real(0, 100, start.decay_s or 0, "s", step=0.1),
            "Time constant of the indicator (about 0.7 s for GCaMP6f, 1.25 s for "
            "GCaMP6s); estimated for each ROI if it is not given",
        )
        self._decay_frames = add(
            self._rows,
            "Decay",
            Real(0, 10_000, start.decay_frames or 0, "frames", decimals=1, step=1),
            "Time constant of the indicator in imaging frames; estimated for each ROI "
            "if it is not given",
        )
        self._smallest = add(
            self._rows,
            "Smallest event",
            Real(0, 100, start.minimal_event, "× noise", decimals=1, step=0.5),
            "Smaller events are merged away",
        )
        for field in (self._decay_s, self._decay_frames):
            field.setSpecialValueText("estimated")
        self._smallest.setSpecialValueText("any size")

    @property
    def _numbers(self) -> tuple[Slid | Real | Whole, ...]:
        return (
            *(self._neuropil, self._percentile, self._window_s, self._window_frames),
            *(self._smooth_s, self._smooth_frames, self._artefacts),
            *(self._decay_s, self._decay_frames, self._smallest),
        )

    def value(self) -> DffSettings:
        """Return the settings."""
        base, smallest = self._base, self._smallest.value()
        in_frames = base.smooth_s is None
        return replace(
            base,
            neuropil=self._neuropil_kind.value(),
            neuropil_coefficient=_kept(self._neuropil, base.neuropil_coefficient),
            neuropil_centred=self._centred.isChecked(),
            baseline=self._kind.value(),
            percentile=_kept(self._percentile, base.percentile),
            window_s=_kept(self._window_s, base.window_s),
            window_frames=self._window_frames.value(),
            smooth_s=None if in_frames else _kept(self._smooth_s, base.smooth_s),
            smooth_frames=_kept(self._smooth_frames, base.smooth_frames),
            follow_bleaching=self._bleaching.isChecked(),
            divide_by=self._divisor.value(),
            artefact_threshold=_kept(self._artefacts, base.artefact_threshold),
            deconvolve=self._deconvolve.isChecked(),
            decay_s=_kept(self._decay_s, base.decay_s),
            decay_frames=_kept(self._decay_frames, base.decay_frames),
            minimal_event=_kept(self._smallest, base.minimal_event),
            noise_constraint=base.noise_constraint and smallest == 0,
        )

    def setValue(self, value: DffSettings) -> None:
        """Show these settings."""
        self._base = value
        self._is_setting = True
        self._neuropil_kind.setValue(value.neuropil)
        self._neuropil.setValue(value.neuropil_coefficient)
        self._centred.setChecked(value.neuropil_centred)
        self._kind.setValue(value.baseline)
        self._percentile.setValue(value.percentile)
        self._window_s.setValue(value.window_s)
        self._window_frames.setValue(value.window_frames)
        self._smooth_s.setValue(value.smooth_s or 0)
        self._smooth_frames.setValue(value.smooth_frames)
        self._bleaching.setChecked(value.follow_bleaching)
        self._divisor.setValue(value.divide_by)
        self._artefacts.setValue(value.artefact_threshold)
        self._deconvolve.setChecked(value.deconvolve)
        self._decay_s.setValue(value.decay_s or 0)
        self._decay_frames.setValue(value.decay_frames or 0)
        self._smallest.setValue(value.minimal_event)
        self._is_setting = False
        self._on_changed()

    def set_rate(self, rate: float | None) -> None:
        """Ask in seconds, or in frames where the rate is not known."""
        self._has_rate = rate is not None
        self._show_rows()

    def set_neuropil_available(self, available: bool) -> None:
        """Grey the neuropil out where the ROIs leave none."""
        for field in (self._neuropil_kind, self._neuropil, self._centred):
            field.setEnabled(available)

    def _show_rows(self) -> None:
        kind, seconds = self._kind.value(), self._has_rate
        smooths = kind != "median"
        smooth_s = seconds and self._base.smooth_s is not None
        events = self._deconvolve.isChecked()
        for field, visible in (
            (self._neuropil, self._neuropil_kind.value() == "fixed"),
            (self._percentile, kind != "maximin"),
            (self._window_s, seconds),
            (self._window_frames, not seconds),
            (self._smooth_s, smooths and smooth_s),
            (self._smooth_frames, smooths and not smooth_s),
            (self._decay_s, events and seconds),
            (self._decay_frames, events and not seconds),
            (self._smallest, events),
        ):
            set_row_visible(self._rows, field, visible)

    def _show_preset(self) -> None:
        name = preset_name(self.value())
        blocked = self._preset.blockSignals(True)
        self._preset.set_items(_presets(changed=name == CHANGED))
        self._preset.setValue(name)
        self._preset.blockSignals(blocked)

    def _on_preset(self, _: int) -> None:
        name = str(self._preset.value())
        if name != CHANGED:
            preset = DffSettings.preset(name)
            self.setValue(replace(preset, deconvolve=self._deconvolve.isChecked()))

    def _on_changed(self, *_: object) -> None:
        if not self._is_setting:
            self._show_rows()
            self._show_preset()
            self.valueChanged.emit(self.value())


def preset_name(settings: DffSettings) -> str:
    """Return which preset these settings are, with events or without."""
    for name in PRESETS:
        preset = DffSettings.preset(name)
        if replace(settings, deconvolve=preset.deconvolve) == preset:
            return name
    return CHANGED


def _presets(*, changed: bool) -> Iterable[tuple[str, str]]:
    names = [(name, name) for name in PRESETS]
    return [*names, (CHANGED, CHANGED)] if changed else names


def _kept(field: Slid | Real, before: float | None) -> float | None:
    """Return a number as it was set, and not as the field rounds it; 0 for None."""
    number = field.number if isinstance(field, Slid) else field
    shown, given = field.value(), 0.0 if before is None else before
    if abs(shown - given) <= 0.5001 * 10.0 ** -number.decimals():
        return before
    return shown
