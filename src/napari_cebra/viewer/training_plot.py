"""Loss and goodness of fit, while an encoder learns and afterwards."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from napari_cebra.viewer import _compat, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.plot_view import HINT, PlotView
from napari_cebra.viewer.registry import workspace_of

if TYPE_CHECKING:
    from napari_cebra.pipeline.embedding_result import TrainingLog

_EMPTY = "Loss and goodness of fit are drawn here while an encoder is being trained."


class TrainingPlot(QWidget):
    """Loss (nats) and goodness of fit (bits) by training step.

    A fit has two phases: the first chooses the number of steps on held-out
    rows, the second fits again on all but the test rows. The curves of the
    first stay, faint, beneath those of the second.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose workspace is followed.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = _compat.unwrap(napari_viewer)
        self._viewer = weakref.ref(viewer)
        self._workspace = workspace_of(viewer)
        self._phase: str | None = None
        self._curves = {"now": _Curves(), "before": _Curves()}

        self._empty = QLabel(_EMPTY)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._view = PlotView()
        self._loss = self._view.addPlot(row=0, col=0)
        self._bits = self._view.addPlot(row=1, col=0)
        self._best = pg.InfiniteLine(
            angle=90, pen=pg.mkPen(theme.GREEN, style=Qt.PenStyle.DashLine)
        )
        self._best_label = pg.InfLineLabel(
            self._best, "best", position=0.1, color=theme.GREEN
        )
        self._lines: dict[tuple[str, str], Any] = {}
        self._draw_axes()
        self._legend = QLabel()
        self._legend.setWordWrap(True)
        self._legend.setToolTip(
            "Above: InfoNCE loss of the training batches. Below: goodness of fit, "
            "the bits by which the encoder does better than one that tells nothing "
            "apart; 0 is chance.\n\n" + HINT
        )
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._legend)
        column.addWidget(self._view, 1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        self.setMinimumSize(260, 220)

        self._connections = Connections()
        self._connections.add(self._workspace.training_report, self.add)
        self._connections.add(self._workspace.embedding_changed, self._on_embedding)
        self._connections.add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(self._connections.close)
        self._view.doubleClicked.connect(self.show_all)
        self._on_theme()
        self._on_embedding()

    def add(self, report: Any) -> None:
        """Draw one more report: a `FitReport`, or a bare `TrainReport`."""
        phase = getattr(report, "phase", "training")
        report = getattr(report, "report", report)
        now = self._curves["now"]
        if phase != self._phase:
            begins_again = self._phase is None or phase == "choosing"
            self._curves["before"] = _Curves() if begins_again else now
            if begins_again:
                self.show_all()
            self._curves["now"] = now = _Curves()
            self._phase = phase
        elif now.steps and report.step < now.steps[-1]:  # trained again
            self._curves = {"now": _Curves(), "before": _Curves()}
            now = self._curves["now"]
            self.show_all()
        now.add(
            report.step,
            report.loss,
            report.bits_train,
            report.bits_heldout,
            report.best_step,
        )
        self._draw()

    def clear(self) -> None:
        """Show nothing."""
        self._phase = None
        self._curves = {"now": _Curves(), "before": _Curves()}
        self._draw()

    def show_all(self) -> None:
        """Let the axes follow the curves again."""
        for plot in (self._loss, self._bits):
            plot.enableAutoRange()

    def show_log(self, final: TrainingLog, choosing: TrainingLog | None) -> None:
        """Draw the log of a fit that was made before."""
        self._phase = None
        self._curves = {
            "now": _Curves.of(final),
            "before": _Curves() if choosing is None else _Curves.of(choosing),
        }
        self._draw()
        self.show_all()

    def _on_embedding(self) -> None:
        embedding = self._workspace.embedding
        if embedding is None:
            if self._phase is None:
                self.clear()
        elif getattr(embedding, "log", None) is not None:
            self.show_log(embedding.log, embedding.choosing_log)

    def _draw_axes(self) -> None:
        self._loss.setLabel("left", "Loss (nats)")
        self._bits.setLabel("left", "Fit (bits)")
        self._bits.setLabel("bottom", "Training step")
        self._bits.setXLink(self._loss)
        self._loss.getAxis("bottom").setStyle(showValues=False)
        for plot in (self._loss, self._bits):
            plot.getAxis("left").setWidth(56)  # so that the two plots line up
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            plot.showGrid(y=True, alpha=0.2)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.setMouseEnabled(x=True, y=False)
        for which, width, alpha in (("before", 1, 110), ("now", 2, 255)):
            for name, colour, plot in (
                ("loss", theme.BLUE, self._loss),
                ("train", theme.BLUE, self._bits),
                ("heldout", theme.ORANGE, self._bits),
            ):
                pen = pg.mkPen((*colour, alpha), width=width)
                self._lines[which, name] = plot.plot(pen=pen, connect="finite")
        self._bits.addItem(self._best)

    def _draw(self) -> None:
        for which, curves in self._curves.items():
            steps, loss, train, held = curves.arrays()
            self._lines[which, "loss"].setData(steps, loss)
            self._lines[which, "train"].setData(steps, train)
            self._lines[which, "heldout"].setData(steps, held)
        best = self._curves["now"].best
        best = self._curves["before"].best if best is None else best
        self._best.setVisible(best is not None)
        if best is not None:
            self._best.setPos(best)
            self._best_label.setFormat(f"best: step {best}")
        entries = [("training rows", theme.BLUE), ("held-out rows", theme.ORANGE)]
        faint = ""
        if self._curves["before"].steps:
            faint = " &nbsp; faint: the run that chose the number of steps"
        self._legend.setText(theme.legend_text(entries) + faint)
        is_empty = not any(curves.steps for curves in self._curves.values())
        self._pages.setCurrentIndex(0 if is_empty else 1)

    def _on_theme(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            theme.style_plots(self._view, [self._loss, self._bits], viewer.theme)


class _Curves:
    """What was reported in one phase."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.loss: list[float] = []
        self.train: list[float] = []
        self.heldout: list[float] = []
        self.best: int | None = None

    @classmethod
    def of(cls, log: TrainingLog) -> _Curves:
        curves = cls()
        curves.steps = [int(step) for step in log.step]
        curves.loss = [float(value) for value in log.loss]
        curves.train = [float(value) for value in log.bits_train]
        curves.heldout = [float(value) for value in log.bits_heldout]
        if np.isfinite(log.bits_heldout).any():
            curves.best = curves.steps[int(np.nanargmax(log.bits_heldout))]
        return curves

    def add(
        self,
        step: int,
        loss: float,
        train: float | None,
        heldout: float | None,
        best: int | None,
    ) -> None:
        self.steps.append(step)
        self.loss.append(loss)
        self.train.append(np.nan if train is None else train)
        self.heldout.append(np.nan if heldout is None else heldout)
        self.best = best

    def arrays(self) -> tuple[np.ndarray, ...]:
        lists = (self.steps, self.loss, self.train, self.heldout)
        return tuple(np.asarray(values, float) for values in lists)
