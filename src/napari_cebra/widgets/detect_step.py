"""Cells found in the stack, as ROIs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget
from superqt.utils import signals_blocked

from napari_cebra.pipeline.config import DETECT
from napari_cebra.recording import InvalidInput
from napari_cebra.traces.detection import (
    SMALLEST,
    Detection,
    DetectionSettings,
    SummaryImages,
    detect,
    given_diameter,
    summary_images,
)
from napari_cebra.widgets.detect_form import IMAGES, DetectForm
from napari_cebra.widgets.detect_preview import DetectPreview
from napari_cebra.widgets.form_rows import Choice, Real, Whole, add, form
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from napari_cebra.recording import RoiSet
    from napari_cebra.widgets.session import Session

_SETTLE_MS = 250


class DetectStep(Step):
    """Preview of the stack, settings, search, and how many of the found are kept."""

    title = "Find ROIs"
    is_optional = True

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Find cells")
        self._images: SummaryImages | None = None
        self._detection: Detection | None = None
        self._put_last: RoiSet | None = None
        self._seen_as = DetectionSettings()  # of the preview's images
        self.preview = DetectPreview(session.viewer)
        self.form = DetectForm()
        self.image = Choice(IMAGES)
        self.preview_button = QPushButton("Preview")
        self.preview_button.setCheckable(True)
        self.preview_button.setToolTip(
            "Read the stack once and show it as one image, with a ring as wide as a "
            "cell that you can drag onto one; press again to take both away"
        )
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.image, 1)
        row.addWidget(self.preview_button)
        preview_row = QWidget()
        preview_row.setLayout(row)
        rows = form(shown := QWidget())
        add(rows, "Look at", preview_row, "What the stack looks like over time")
        self.fields.addWidget(shown)
        self.fields.addWidget(self.form)
        self.kept = QWidget()
        rows = form(self.kept)
        self.quality = add(
            rows,
            "Least quality",
            Real(0, 1, 0.5, decimals=2, step=0.05),
            "How much a mask must look like a cell in focus: round, of the right size, "
            "sharp, the same each time it lights up. Applies at once",
        )
        self.most = add(
            rows,
            "Keep the best",
            Whole(1, 100_000, 2000, "ROIs"),
            "Keep no more than this. Applies at once",
        )
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        for part in (self.kept, self.counts):
            self.layout().addWidget(part)
        self.button.setToolTip("Find cells by their activity (Ctrl+Return)")
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)

        self.setValue(DetectionSettings())
        self.preview_button.clicked.connect(self._on_preview)
        self.image.currentIndexChanged.connect(self._show_image)
        self.form.valueChanged.connect(self._on_form)
        for field in (self.quality, self.most):
            field.valueChanged.connect(lambda *_: self._settle.start())
        self._settle.timeout.connect(self._keep)
        session.configChanged.connect(self._show_config)
        self.connections.add(session.workspace.stack_changed, self._on_stack)
        self.connections.add(session.workspace.rois_changed, self._on_rois)
        self._on_stack()

    def value(self) -> DetectionSettings:
        """Return what is chosen."""
        return replace(
            self.form.value(),
            min_quality=self.quality.value(),
            max_rois=self.most.value(),
        )

    def setValue(self, value: DetectionSettings) -> None:
        """Choose."""
        self.form.setValue(value)
        with signals_blocked(self.quality), signals_blocked(self.most):
            self.quality.setValue(value.min_quality)
            self.most.setValue(value.max_rois)

    def main_action(self) -> None:
        """Find cells in the background."""
        stack, settings = self._stack(), self.value()
        still = self.session.workspace.still
        given_diameter(stack, settings)  # refused before the stack is read
        self.start_job(
            "detection",
            "Finding cells",
            lambda: detect(still, settings),
            lambda found: self._on_found(found, stack),
            stopped_text="Cancelled; the ROIs from before are kept.",
        )

    def refresh(self, *_: object) -> None:
        """Show whether there is a stack, and what was found in it."""
        stack, found = self.session.workspace.stack, self._detection
        self.kept.setVisible(found is not None)
        self.counts.setVisible(found is not None)
        self.preview_button.setEnabled(stack is not None and not self.is_busy)
        self.preview_button.setChecked(self.preview.is_shown)
        self.button.setText("Find cells" if found is None else "Find again")
        if stack is None:
            self.announce(
                "locked",
                reason="No stack is open: load one in step 1 to find cells in it.",
            )
        elif found is None:
            self.announce("todo")
        else:
            self.announce("done", _cells(self._n_kept(found)))

    # The preview.

    def _on_preview(self, is_wanted: bool) -> None:
        if not is_wanted:
            self.preview.hide()
        elif self._images is not None and self._seen_as == self._of_images():
            self._show_image(force=True)
        else:
            self.preview_button.setChecked(False)
            self.try_to(self._make_preview)

    def _make_preview(self) -> None:
        stack, settings = self._stack(), self.form.value()
        still = self.session.workspace.still
        self.start_job(
            "detection",
            "Reading the stack",
            lambda: summary_images(still, settings),
            lambda images: self._on_images(images, stack),
            stopped_text="The preview was cancelled.",
        )

    def _of_images(self) -> DetectionSettings:
        """Return the settings that the images hang on, the others as they are."""
        chosen = self.form.value()
        return DetectionSettings(
            diameter=chosen.diameter,
            diameter_um=chosen.diameter_um,
            average_s=chosen.average_s,
            average_frames=chosen.average_frames,
        )

    def _on_images(self, images: SummaryImages, stack: Any) -> None:
        if self.session.workspace.stack is not stack:
            return
        self._images, self._seen_as = images, self._of_images()
        self._show_image(force=True)
        how = "estimated" if self.form.value().diameter is None else "as given"
        self.message.info(
            f"A cell is {images.diameter:.1f} pixels wide, {how}; drag the yellow ring "
            "onto one to compare."
        )

    def _show_image(self, *_: object, force: bool = False) -> None:
        if self._images is not None and (force or self.preview.is_shown):
            above = self.session.main_view.stack_layer
            self.preview.show(self._images, str(self.image.value()), above)
        self.preview_button.setChecked(self.preview.is_shown)

    def _on_form(self, settings: DetectionSettings) -> None:
        if settings.diameter is not None:
            self.preview.show_diameter(settings.diameter)
        elif self._images is not None:
            self.preview.show_diameter(self._images.diameter)

    # What was found.

    def _on_found(self, found: Detection, stack: Any) -> None:
        if self.session.workspace.stack is not stack:
            return
        self._images, self._seen_as = found.images, self._of_images()
        if self.preview.is_shown:
            self._show_image()
            self.preview.hide_diameter()
        if self.session.workspace.mean_image is None:
            self.session.workspace.set_mean_image(found.images.mean)
        self._detection = found
        self._put(found)
        self.completed.emit()

    def _keep(self) -> None:
        """Keep other ones of what was found, without another search."""
        if self._detection is None:
            return
        wanted = self.value()
        kept = replace(
            self._detection,
            settings=replace(
                self._detection.settings,
                min_quality=wanted.min_quality,
                max_rois=wanted.max_rois,
            ),
        )
        if self.try_to(lambda: self._put(kept)):
            self._detection = kept
        self.refresh()

    def _put(self, found: Detection) -> None:
        """Make what is kept the ROIs, and say so; the ROIs before can be got back."""
        workspace, session = self.session.workspace, self.session
        before = workspace.rois
        n = self._n_kept(found)
        self.counts.setText(
            f"{n} of {len(found.candidates)} masks found are kept."
            if n < len(found.candidates)
            else f"All {n} masks found are kept."
        )
        rois = found.rois
        workspace.set_rois(rois, forget_history=before is None)
        session.config = replace(
            session.config,
            detection=found.settings,
            source=replace(session.config.source, rois=DETECT),
        )
        size = found.images.diameter
        text = f"{_cells(len(rois))} of about {size:.0f} pixels found."
        if before is not None and before is not self._put_last:
            text += " Undo brings back the ROIs from before."
        self._put_last = rois
        if self.form.value().diameter is None and size <= SMALLEST:
            self.message.warning(
                f"{text} Cells this small can hardly be told from noise: look at each, "
                "or take the ROIs from a regular grid."
            )
        else:
            self.message.info(text)

    def _n_kept(self, found: Detection) -> int:
        above = int((found.quality >= found.settings.min_quality).sum())
        return min(above, found.settings.max_rois)

    def _on_stack(self) -> None:
        self.abandon_job()
        self._images = self._detection = self._put_last = None
        self.preview.hide()
        self.message.clear()  # it told of another stack
        stack = self.session.workspace.stack
        self.form.set_rate(None if stack is None else stack.rate)
        self.refresh()

    def _on_rois(self) -> None:
        """Claim no longer that the ROIs are as found, once they were changed."""
        session, source = self.session, self.session.config.source
        is_mine = self._put_last is not None and source.rois == DETECT
        if is_mine and session.workspace.rois is not self._put_last:
            session.config = replace(session.config, source=replace(source, rois=None))

    def _show_config(self) -> None:
        self.setValue(self.session.config.detection)

    def _stack(self) -> Any:
        stack = self.session.workspace.stack
        if stack is None:
            raise InvalidInput(
                "No stack is open: load one in step 1 to find cells in it."
            )
        return stack


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
