"""Step 3: train the encoder and watch the latents form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_cebra.embedding import TrainConfig, recommended
from napari_cebra.pipeline.config import STIMULUS
from napari_cebra.pipeline.fit_split import fit_split
from napari_cebra.pipeline.target import Target
from napari_cebra.recording import NapariCebraError, Progress
from napari_cebra.viewer.training_plot import TrainingPlot
from napari_cebra.widgets import docks, preferences
from napari_cebra.widgets.job_bar import JobBar
from napari_cebra.widgets.search_panel import SearchPanel
from napari_cebra.widgets.searching import Searching
from napari_cebra.widgets.step import Step
from napari_cebra.widgets.training_form import TrainingChoice, TrainingForm

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.pipeline import Embedding, PipelineConfig
    from napari_cebra.pipeline.config import TargetConfig
    from napari_cebra.pipeline.fit import FitReport
    from napari_cebra.pipeline.search_result import SearchLine
    from napari_cebra.recording import Recording
    from napari_cebra.widgets.session import Session

# Least seconds between two snapshots of the latents, which cost a transform.
_SNAPSHOT_SECONDS = 0.5


class TrainStep(Step):
    """Mode, target, settings; Train, Pause, Stop; loss, bits and live latents."""

    title = "Train"

    def __init__(self, session: Session) -> None:
        bar = JobBar(
            pausable=True,
            stop_text="Stop",
            stop_tip="Stop training and keep what was learnt so far",
        )
        super().__init__(session, "Train", bar)
        self._recommended: TrainConfig | None = None
        self._coloured_by: str | None = None
        self._afresh = False  # the next traces are of a recording just loaded
        self.form = TrainingForm()
        self.search_button = QPushButton("Search…")
        self.search_button.setToolTip(
            "Try a few receptive fields, temperatures and dimensions on this recording "
            "by short trainings, judged on held-out parts of the training rows; takes "
            "a minute or two"
        )
        self.recommended_button = QPushButton("Back to recommended")
        self.recommended_button.setToolTip(
            "Fill in what is recommended for this recording and target"
        )
        self.panel = SearchPanel()
        self.searching = Searching(self, self.panel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.search_button)
        buttons.addWidget(self.recommended_button)
        self.fields.addWidget(self.form)
        self.fields.addLayout(buttons)
        self.fields.addWidget(self.panel)
        self.plot = TrainingPlot(session.viewer)
        self.plot.setMinimumHeight(260)
        self.plot.hide()
        self.layout().addWidget(self.plot)
        self.button.setToolTip("Train the encoder (Ctrl+Return)")
        self._offer_device()

        self.form.valueChanged.connect(self._on_form)
        self.search_button.clicked.connect(self._on_search)
        self.recommended_button.clicked.connect(self._back_to_recommended)
        self.panel.useWanted.connect(self._use)
        session.configChanged.connect(self._show_config)
        session.loaded.connect(self._on_loaded)
        connect = self.connections.add
        connect(session.workspace.recording_changed, self._on_recording)
        connect(session.workspace.embedding_changed, self.refresh)
        self._on_recording()
        self._show_config()

    def value(self) -> TrainingChoice:
        """Return what is chosen."""
        return self.form.value()

    def setValue(self, value: TrainingChoice) -> None:
        """Choose."""
        self.form.setValue(value)

    def main_action(self) -> None:
        """Train with the settings of the form."""
        recording = self.session.workspace.recording
        if recording is None:
            return
        config = self._config()
        _check(recording, config)
        self.session.config = config
        self._colour_by_target(recording, config.target.name)
        self.plot.show()
        self.session.fit = None
        job = self.start_job(
            "training",
            "Training",
            lambda: _training(self.session, recording, config),
            self._on_trained,
        )
        if job is not None:
            job.progressed.connect(self._on_report)
            job.stopped.connect(self._keep_what_was_learnt)

    def search(self) -> None:
        """Search settings on held-out parts of the training rows."""
        recording = self.session.workspace.recording
        if recording is None:
            return
        config = self._config()
        _check(recording, config)
        self.session.fit = None
        self.searching.begin(recording, config)

    def _config(self) -> PipelineConfig:
        """Return the session's settings with those of the form."""
        choice = self.form.value()
        return replace(
            self.session.config,
            target=choice.target,
            training=choice.config,
            seed=choice.config.seed,
        )

    def _colour_by_target(self, recording: Recording, target: str | None) -> None:
        """Open the latents; a target trained on for the first time colours them."""
        view = docks.open_dock(self.session.viewer, docks.LATENTS)
        if target is None or target == self._coloured_by:
            return
        self._coloured_by = target
        if target == STIMULUS:
            key = "stimulus"
        elif recording.variable(target).values.ndim == 1:
            key = f"variable:{target}"
        else:
            key = f"variable:{target}:0"
        view.scene.set_look(colour_by=key)

    def refresh(self) -> None:
        """Show what there is to train on, or what was trained."""
        workspace = self.session.workspace
        recording, embedding = workspace.recording, workspace.embedding
        if recording is None:
            self.announce(
                "locked",
                reason="There are no traces yet: load a recording with traces in "
                "step 1, or extract them from a stack in step 2.",
            )
        elif embedding is None:
            self.announce("todo")
        else:
            self.announce("done", _summary(embedding))
        self.button.setText("Train" if embedding is None else "Train again")
        self._refresh_buttons()

    def _refresh_buttons(self) -> None:
        ready = self.session.workspace.recording is not None and not self.is_busy
        changed = self.form.value().config != self._recommended
        self.search_button.setEnabled(ready)
        self.recommended_button.setEnabled(ready and changed)
        self.panel.use_button.setEnabled(ready)

    def _on_report(self, report: Any) -> None:
        if not hasattr(report, "report"):
            return
        self.session.workspace.training_report.emit(report)
        if report.latents is not None:
            self.session.workspace.show_live(report.latents)

    def _on_search(self) -> None:
        self.try_to(self.search)

    def _use(self, line: SearchLine) -> None:
        """Put the settings of a line into the form."""
        choice = self.form.value()
        config = replace(
            choice.config,
            model_architecture=line.training.model_architecture,
            first_kernel=line.training.first_kernel,
            temperature=line.training.temperature,
            output_dimension=line.training.output_dimension,
        )
        self.form.setValue(TrainingChoice(choice.target, config))
        self.message.info(
            f"The form now has {line.text}. Train with it, or go back to what is "
            "recommended."
        )

    def _back_to_recommended(self) -> None:
        self._recommended = None
        self._recommend()
        self.message.clear()

    def _on_trained(self, embedding: Embedding) -> None:
        self.session.fit = None
        self.session.workspace.set_embedding(embedding)
        self.session.autosave()
        if embedding.complete:
            by_chance = _is_chance(embedding)
            tell = self.message.warning if by_chance else self.message.info
            tell(_verdict(embedding))
            self.bring_into_view(self.message, self.plot)
            self.completed.emit()
        else:
            self.message.warning(
                f"Training was stopped after {embedding.steps} steps; what was learnt "
                "until then is kept."
            )

    def _keep_what_was_learnt(self) -> None:
        if self.session.fit is None:
            self.message.info("Training was stopped before its first step.")
            return
        embed = self.session.what_was_learnt()
        # The training's job ends in this very event; the next one may begin then.
        self.session.later(
            lambda: self.start_job("training", "Embedding", embed, self._on_trained)
        )

    def _on_loaded(self) -> None:
        self._afresh = True

    def _on_recording(self) -> None:
        recording = self.session.workspace.recording
        if self.session.workspace.embedding is None:
            self.message.clear()  # it told of another recording
        self.plot.hide()
        self.searching.forget()
        if recording is not None:
            names = [] if recording.stimulus is None else [STIMULUS]
            names += [variable.name for variable in recording.variables]
            self.form.set_targets(names, afresh=self._afresh)
            self._afresh = False
            self.form.encoder.set_rate(recording.rate)
            self._recommend()
        self.refresh()

    def _show_config(self) -> None:
        """Show the settings of the embedding there is, such as a reopened one."""
        embedding = self.session.workspace.embedding
        if embedding is not None and embedding.config.training is not None:
            config = embedding.config
            self.form.setValue(TrainingChoice(config.target, config.training))
            self.plot.show()

    def _on_form(self, value: TrainingChoice) -> None:
        # Another target asks for other settings, unless a person chose them.
        if value.config == self._recommended:
            self._recommend()
        searched = self.searching.target
        if searched is not None and searched != value.target:
            self._put_search_away(searched)
        self._show_problem()
        self._refresh_buttons()

    def _put_search_away(self, searched: TargetConfig) -> None:
        """Let go of a search for another target, and say so."""
        of = searched.name or "time alone"
        if searched.name is not None and searched.mode == "hybrid":
            of += " and time"
        what = (
            f"The search for {of} was stopped"
            if self.searching.is_under_way
            else f"What was found for {of} is put away"
        )
        self.searching.forget()
        self.message.info(
            f"{what}: that is no longer what is learnt from. Search again for the new "
            "choice."
        )

    def _show_problem(self) -> None:
        """Say at the receptive field, before Train, that it does not fit in."""
        recording = self.session.workspace.recording
        problem = ""
        if recording is not None:
            try:
                _check(recording, self._config())
            except NapariCebraError as error:
                problem = str(error)
        self.form.encoder.set_problem(problem)

    def _recommend(self) -> None:
        """Fill in what is recommended for this recording and target."""
        recording = self.session.workspace.recording
        if recording is None:
            return
        target = self.form.value().target
        kind = None
        if target.name is not None:
            is_movie = target.name == STIMULUS
            kind = "movie" if is_movie else recording.variable(target.name).kind
        rows = int(recording.valid.sum())
        settings = recommended(recording.rate, recording.traces.n_rois, rows, kind)
        config = TrainConfig(**settings)
        config = replace(
            config,
            device=preferences.plugin_setting("training", "device", "auto"),
            threads=preferences.plugin_setting("training", "threads", 0) or None,
            seed=self.session.config.seed,
        )
        if config != self._recommended or config != self.form.value().config:
            self._recommended = config
            self.form.encoder.set_recommended(config)
            self.form.setValue(TrainingChoice(target, config))

    def _offer_device(self) -> None:
        """Import torch in the background, and say what "auto" will be."""

        def look() -> Generator[Progress, None, str]:
            yield Progress(0, 0, "", "Looking for a GPU")
            from napari_cebra.embedding import describe_device

            return describe_device("auto")

        job = self.session.jobs.job("device", "Looking for a GPU", look)
        job.returned.connect(self.form.set_device_text)


def _check(recording: Recording, config: PipelineConfig) -> None:
    """Raise what keeps these settings from being trained on this recording."""
    fit_split(recording, Target.of(recording, config.target.name), config)


def _training(
    session: Session, recording: Recording, config: PipelineConfig
) -> Generator[FitReport | Progress, None, Embedding]:
    """Run in the worker: importing torch alone takes a second."""
    yield Progress(0, 0, "", "Preparing")
    from napari_cebra.pipeline.fit import Fit

    session.fit = Fit(recording, config)
    return (yield from session.fit.run(latents_every=_SNAPSHOT_SECONDS))


def _is_chance(embedding: Embedding) -> bool:
    """Whether the held-out goodness of fit is 0, as far as it can be told.

    It is told to the second decimal as shown, and to two standard deviations of
    its jumps from one evaluation to the next.
    """
    held, log = embedding.bits_heldout, embedding.choosing_log
    if held is None:
        return False
    jumps = np.diff(embedding.log.bits_heldout if log is None else log.bits_heldout)
    jumps = jumps[np.isfinite(jumps)]
    spread = float(np.std(jumps) / np.sqrt(2)) if jumps.size > 1 else 0.0
    return held < max(0.005, 2 * spread)


def _summary(embedding: Embedding) -> str:
    bits = embedding.bits_heldout
    held = "" if bits is None else f", {bits:.2f} bits held out"
    return f"{embedding.latents.shape[1]} latents{held}"


def _verdict(embedding: Embedding) -> str:
    train, held = embedding.bits_train, embedding.bits_heldout
    choosing, fitting = embedding.choosing_seconds, embedding.seconds
    parts = [
        f"Trained in {choosing + fitting:.0f} s ({choosing:.0f} s to choose the number "
        f"of steps, {fitting:.0f} s for the final fit of {embedding.steps})"
    ]
    if train is not None:
        parts.append(f"goodness of fit {train:.2f} bits on the training rows")
    if held is not None:
        parts.append(f"{held:.2f} bits on held-out rows")
    sentence = ", ".join(parts) + "."
    if _is_chance(embedding):
        sentence += (
            " That is no better than chance: what was learnt does not carry over to "
            "rows it was not trained on, so the cloud may show order that is not there."
        )
    return sentence
