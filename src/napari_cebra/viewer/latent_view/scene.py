"""The latents as napari layers: cloud, trail, now, and what is picked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_cebra.pipeline.embedding_result import display_coordinates
from napari_cebra.recording import segments
from napari_cebra.viewer import _compat
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.latent_view.colouring import Colouring, colouring
from napari_cebra.viewer.latent_view.procrustes import rotation_onto
from napari_cebra.viewer.numbers import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Points, Tracks

    from napari_cebra.recording import Recording
    from napari_cebra.workspace import Workspace

_PICKED = "#ff40d9"
_NOW = "#ffd400"


@dataclass
class Look:
    """How the latents are drawn.

    Parameters
    ----------
    colour_by : str
        A key from `colouring.choices`.
    show : {"all", "train", "test"}
        Which rows are drawn.
    point_size : float
        In thousandths of the cloud's extent.
    opacity : float
        0 to 1.
    trail_frames : int
        Length of the trail in imaging frames; 0 hides it.
    """

    colour_by: str = "time"
    show: str = "all"
    point_size: float = 16.0
    opacity: float = 0.8
    trail_frames: int = 30


class LatentScene:
    """Layers of a `ViewerModel` that follow a workspace.

    While scrubbing, only `now` (one point) and the trail's clock move; the
    cloud is uploaded when the latents, their colours or their look change.

    Parameters
    ----------
    workspace : Workspace
        What is open.

    Attributes
    ----------
    model : ViewerModel
        Three-dimensional; owned here, shown by a canvas host.
    cloud, picked, now : Points or None
        None while there are no latents.
    trail : Tracks or None
        Broken at the borders of trials and gaps.
    changed : Signal
        Latents, colours or status are different.
    draw : callable
        Runs the parts of a drawing: here at once, in a dock each in an event of
        its own. Parts that wait are of no use once there are others.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.model = _compat.ViewerModel(title="Latents", ndisplay=3)
        self.look = Look()
        self.cloud: Points | None = None
        self.trail: Tracks | None = None
        self.picked: Points | None = None
        self.now: Points | None = None
        self.colouring: Colouring | None = None
        self._places = np.zeros((0, 3), np.float32)  # of every imaging frame
        self._frames = np.zeros(0, np.int64)  # of every drawn point
        self._dimensions = 0
        self._explained = 1.0
        self._extent = 0.0
        self._ink = (1.0, 1.0, 1.0)

        self.draw: Callable[[list[Callable[[], None]]], None] = _at_once
        self._busy = False  # while the model's time axis is moved by us

        self._connections = Connections()
        self._connections.add(workspace.timeline.changed, self._follow)
        self._connections.add(self.model.dims.events.current_step, self._on_step)
        self._connections.add(workspace.selection.rois_changed, self._on_rois)
        self._connections.add(workspace.selection.frames_changed, self._on_frames)
        self._connections.add(workspace.embedding_changed, self._on_embedding)
        self._connections.add(workspace.decoding_changed, self._on_decoding)
        self._on_embedding()

    def close(self) -> None:
        """Follow the workspace no longer."""
        self._connections.close()

    # What is drawn.

    @property
    def is_empty(self) -> bool:
        """True while there are no latents."""
        return self.cloud is None

    @property
    def places(self) -> np.ndarray:
        """(n, 3) places of the drawn points, (z, y, x)."""
        return self._places[self._frames]

    @property
    def frames(self) -> np.ndarray:
        """(n,) imaging frames of the drawn points."""
        return self._frames

    def place_of(self, frame: int) -> np.ndarray | None:
        """Return where an imaging frame lies (z, y, x); None without a latent."""
        if not 0 <= frame < len(self._places):
            return None
        place = self._places[frame]
        return place if np.isfinite(place).all() else None

    def show(self, latents: np.ndarray | None) -> None:
        """Draw (T, D) latents; NaN rows have none, None empties the scene."""
        _at_once(self.showing(latents))

    def showing(
        self, latents: np.ndarray | None, *, live: bool = False
    ) -> list[Callable[[], None]]:
        """Place the latents and return the drawing still to do, in short parts.

        Each part may run in an event of its own, so that while training no
        slot is long. A live snapshot has no trail: napari takes longer to make
        one of 20 000 points than a slot may, and the next snapshot is near.
        """
        recording = self.workspace.recording
        drawable = self.workspace.index_map.n_points > 0
        if latents is None or recording is None or not drawable:
            self._clear()
            return []
        self._place(latents)
        frames = self._wanted()
        if self.cloud is None or not np.array_equal(frames, self._frames):
            self._frames = frames
            self._make_layers(recording)
            return [self._show_picked, self._follow, self.changed.emit]
        return [
            self._move_cloud,
            self._show_picked,
            self._follow,
            self._hide_trail if live else self.draw_trail,
            self.changed.emit,
        ]

    def draw_trail(self) -> None:
        """Bring the trail to the latents drawn last."""
        recording = self.workspace.recording
        if self.trail is None or recording is None:
            return
        _put(self.trail, _tracks(recording, self._frames, self._places))
        self.trail.visible = self.look.trail_frames > 0

    def _hide_trail(self) -> None:
        if self.trail is not None:
            self.trail.visible = False

    def reset_view(self) -> None:
        """Look at the whole cloud, at an angle unless it has no depth."""
        self.model.fit_to_view()
        angles = (0, 0, 0) if self._dimensions < 3 else (-25, 30, 0)
        _compat.camera(self.model).angles = angles

    # How it is drawn.

    def set_look(self, **changes: Any) -> None:
        """Change fields of `look` and draw accordingly."""
        for name, value in changes.items():
            setattr(self.look, name, value)
        self.workspace.view_state["latents"] = asdict(self.look)
        if self.cloud is None or self.trail is None:
            self.changed.emit()
            return
        if "colour_by" in changes:
            self._recolour()
        if "show" in changes:
            self._draw_wanted()
        if "point_size" in changes:
            self._resize()
        if "opacity" in changes:
            self.cloud.opacity = self.look.opacity
        if "trail_frames" in changes:
            self.trail.tail_length = max(self.look.trail_frames, 1)
            self.trail.visible = self.look.trail_frames > 0
        self.changed.emit()

    def set_ink(self, rgb: tuple[float, float, float]) -> None:
        """Draw the trail in a colour that stands out from the theme."""
        self._ink = rgb
        if self.trail is not None:
            self.trail.colormaps_dict = {"track_id": _one_colour(rgb)}
            self.trail.color_by = "track_id"

    def status(self) -> str:
        """One line: what is drawn, and what the reader must know about it."""
        recording, axes = self.workspace.recording, self.workspace.index_map
        if self.is_empty or recording is None:
            return ""
        drawn = self._frames.size
        parts = [f"{count(drawn)} latents"]
        if drawn < axes.n_latents:
            parts = [f"{count(drawn)} of {count(axes.n_latents)} latents drawn"]
        if self._dimensions > 3:
            known = self.rows("train") is not None
            fitted = "PCA of training rows" if known else "PCA"
            parts.append(
                f"{self._dimensions} dimensions drawn as 3 ({fitted}, "
                f"{100 * self._explained:.0f} % of variance)"
            )
        frame = self.workspace.timeline.frame
        if self.place_of(frame) is None and frame < recording.n_frames:
            why = recording.reasons[recording.invalid_because[frame]]
            parts.append(f"no latent at this frame{f' ({why})' if why else ''}")
        picked = len(self.workspace.selection.frames)
        if picked:
            parts.append(f"{count(picked)} frames selected")
        return " · ".join(parts)

    def rows(self, which: str) -> np.ndarray | None:
        """Return (T,) bool of the training or test rows; None if there are none."""
        rows = rows_of(self.workspace, which)
        return None if rows is None or not rows.any() else rows

    # Following the workspace.

    def _on_embedding(self) -> None:
        embedding = self.workspace.embedding
        if self._read_look():
            self._frames = np.zeros(0, np.int64)  # so that the layers are made again
        self.draw(self.showing(None if embedding is None else embedding.latents))

    def _on_decoding(self) -> None:
        if not self.is_empty:
            self._draw_wanted()
            self.changed.emit()

    def _on_rois(self) -> None:
        if self.look.colour_by == "roi" and not self.is_empty:
            self._recolour()
            self.changed.emit()

    def _on_step(self) -> None:
        """Follow the model's own time axis: arrow keys, control and wheel."""
        if self.now is not None and not self._busy:
            self.workspace.timeline.set(round(self.model.dims.point[0]))

    def _follow(self) -> None:
        """Move `now` and the trail's clock to the current frame."""
        if self.now is None:
            return
        frame = self.workspace.timeline.frame
        self._busy = True  # the axis may end before the frame: no answer to that
        try:
            self.model.dims.set_point(0, frame)
        finally:
            self._busy = False
        place = self.place_of(frame)
        self.now.visible = place is not None
        if place is not None:
            _put(self.now, place[None])

    def _on_frames(self) -> None:
        self._show_picked()
        self.changed.emit()

    def _move_cloud(self) -> None:
        if self.cloud is not None:
            _put(self.cloud, self._places[self._frames])

    def _show_picked(self) -> None:
        frames = self.workspace.selection.frames
        if self.picked is None or not (frames or len(self.picked.data)):
            return
        drawn = self._frames[np.isin(self._frames, frames)]
        _put(self.picked, self._places[drawn])
        self.picked.face_color = _PICKED

    # Layers.

    def _place(self, latents: np.ndarray) -> None:
        """Project all latents, turned towards where they were before."""
        display = display_coordinates(latents, self.rows("train"))
        places = display.coordinates[:, ::-1]  # the first component along x
        before = self._places
        if before.shape == places.shape:
            frames = self.workspace.index_map.point_frames
            both = np.isfinite(before[frames, 0]) & np.isfinite(places[frames, 0])
            rows = frames[both]
            turn = rotation_onto(places[rows], before[rows], flat=latents.shape[1] < 3)
            places = places @ turn.astype(np.float32)
        self._dimensions, self._explained = latents.shape[1], display.explained
        self._places = np.ascontiguousarray(places)

    def _make_layers(self, recording: Recording) -> None:
        first = self.cloud is None
        self.now = None  # so that the changing axes are not followed
        self.model.layers.clear()
        points = self._places[self._frames]
        self._extent = float(np.ptp(points, axis=0).max()) or 1.0
        size = self._size()
        self.colouring = colouring(
            recording, self.look.colour_by, self._frames, self.workspace.selection.roi
        )
        tracks = _tracks(recording, self._frames, self._places)
        # Neither smoothed nor held at a least size: napari would draw small
        # points in the colour of their borders, and it takes longer.
        common = {
            "border_width": 0,
            "shading": "none",
            "antialiasing": 0,
            "canvas_size_limits": (0, 10_000),
        }
        self.cloud = self.model.add_points(
            points,
            name="cloud",
            size=size,
            face_color=self.colouring.rgba,
            opacity=self.look.opacity,
            **common,
        )
        self.trail = self.model.add_tracks(
            tracks,
            name="trail",
            colormaps_dict={"track_id": _one_colour(self._ink)},
            tail_length=max(self.look.trail_frames, 1),
            tail_width=3,
            head_length=0,
            blending="translucent_no_depth",  # never hidden in the cloud
            visible=self.look.trail_frames > 0,
        )
        self.picked = self.model.add_points(
            points[:0],
            name="picked",
            size=1.5 * size,
            face_color=_PICKED,
            blending="translucent_no_depth",
            **common,
        )
        self.now = self.model.add_points(
            points[:1],
            name="now",
            size=4 * size,
            face_color=_NOW,
            border_color="black",
            border_width=0.1,
            shading="none",
            blending="translucent_no_depth",
            canvas_size_limits=(12, 10_000),
        )
        for layer in (self.cloud, self.trail, self.picked, self.now):
            layer.editable = False
        self.model.layers.selection.clear()  # an active layer is picked on hover
        if first:
            self.reset_view()

    def _read_look(self) -> bool:
        """Take over the look a project was saved with; return if it is another."""
        stored = self.workspace.view_state.get("latents", {})
        before = asdict(self.look)
        for name, default in asdict(Look()).items():
            if name in stored:
                setattr(self.look, name, type(default)(stored[name]))
        return asdict(self.look) != before

    def _clear(self) -> None:
        if self.cloud is None:
            return
        self.cloud = self.trail = self.picked = self.now = None
        self.colouring = None
        self._places = np.zeros((0, 3), np.float32)
        self._frames = np.zeros(0, np.int64)
        self.model.layers.clear()
        self.changed.emit()

    def _recolour(self) -> None:
        recording = self.workspace.recording
        if self.cloud is None or recording is None:
            return
        self.colouring = colouring(
            recording, self.look.colour_by, self._frames, self.workspace.selection.roi
        )
        self.cloud.face_color = self.colouring.rgba

    def _resize(self) -> None:
        assert self.cloud is not None
        assert self.picked is not None
        assert self.now is not None
        self.cloud.size = self._size()
        self.picked.size = 1.5 * self._size()
        self.now.size = 4 * self._size()

    def _size(self) -> float:
        return self.look.point_size / 1000 * self._extent

    def _wanted(self) -> np.ndarray:
        """Return the imaging frames to draw, by `look.show`; all if it has none."""
        frames = self.workspace.index_map.point_frames
        rows = None if self.look.show == "all" else self.rows(self.look.show)
        chosen = frames if rows is None else frames[rows[frames]]
        return chosen if chosen.size else frames

    def _draw_wanted(self) -> None:
        frames = self._wanted()
        recording = self.workspace.recording
        if recording is None or np.array_equal(frames, self._frames):
            return
        self._frames = frames
        self._make_layers(recording)
        self._show_picked()
        self._follow()


def rows_of(workspace: Workspace, which: str) -> np.ndarray | None:
    """Return (T,) bool: the rows fitted to ("train") or tested ("test")."""
    embedding = workspace.embedding
    if embedding is None:
        return None
    if which == "train":
        return embedding.split.refit
    part = embedding.part if workspace.decoding is None else workspace.decoding.part
    return part == "test"


def _at_once(parts: list[Callable[[], None]]) -> None:
    for part in parts:
        part()


def _put(layer: Any, data: np.ndarray) -> None:
    """Give a layer other data; napari makes it editable each time."""
    layer.data = data
    layer.editable = False


def _tracks(recording: Recording, frames: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return (n, 5) rows (track, frame, z, y, x); a track never crosses a border."""
    stretch = segments(recording.trials, recording.valid)[frames]
    table = np.empty((frames.size, 5))
    table[:, 0], table[:, 1], table[:, 2:] = stretch, frames, places[frames]
    return table


def _one_colour(rgb: tuple[float, float, float]) -> Any:
    from napari.utils.colormaps import Colormap

    return Colormap([(*rgb, 0.9), (*rgb, 0.9)], name="ink")
