"""The rendered recording on disk, and the cache it is kept in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import tifffile

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.simulate.config import V1Movie
from napari_cebra.simulate.rendering import Scene, rendered
from napari_cebra.simulate.v1 import V1Activity, simulate_v1

if TYPE_CHECKING:
    from collections.abc import Generator

# Raised whenever the same settings give other bits than before.
VERSION = 2
CACHE_VARIABLE = "NAPARI_CEBRA_CACHE"


@dataclass(frozen=True)
class V1Files:
    """Where the parts of a rendered recording lie.

    ``stack`` (T, Y, X) int16 TIFF; ``rois`` (Y, X) int32 label image, label i is
    column i - 1 of the truth; ``movie`` (M, h, w) uint8 npy; ``frames`` a table
    with the columns frame, time_s, shown and repeat, all counted from 0; ``truth``
    an npz (`true_dff`, `spikes`, `tuning`, `stimulus_share`, `arousal`, `motion`,
    `bleaching`); ``info`` the settings, JSON.
    """

    folder: Path

    @property
    def stack(self) -> Path:
        """TIFF of the imaging frames."""
        return self.folder / "stack.tif"

    @property
    def rois(self) -> Path:
        """Label image of the cells."""
        return self.folder / "rois.tif"

    @property
    def movie(self) -> Path:
        """Stimulus movie."""
        return self.folder / "movie.npy"

    @property
    def frames(self) -> Path:
        """Table of what was shown at each imaging frame."""
        return self.folder / "frames.csv"

    @property
    def truth(self) -> Path:
        """What only a simulation knows."""
        return self.folder / "truth.npz"

    @property
    def info(self) -> Path:
        """Settings; written last, so that its presence says all is complete."""
        return self.folder / "recording.json"

    @property
    def config(self) -> V1Movie:
        """The settings the recording was made with."""
        return V1Movie.from_json(json.loads(self.info.read_text())["config"])

    @property
    def rate(self) -> float:
        """Imaging frames per second."""
        return self.config.rate

    def true_dff(self) -> np.ndarray:
        """Return the noiseless, kinetics-filtered dF/F, (T, N) float32."""
        with np.load(self.truth, allow_pickle=False) as truth:
            return truth["true_dff"]


def cache_folder() -> Path:
    """Return the folder generated recordings are kept in.

    The environment variable NAPARI_CEBRA_CACHE moves it.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    return Path(platformdirs.user_cache_dir("napari-cebra", appauthor=False))


def cached_folder(config: V1Movie) -> Path:
    """Return where this recording lies, or would lie, in the cache."""
    settings = json.dumps([VERSION, config.to_json()], sort_keys=True)
    key = hashlib.sha256(settings.encode()).hexdigest()[:12]
    return cache_folder() / f"v1-movie-seed{config.seed}-{key}"


def v1_files(config: V1Movie | int = 0) -> V1Files | None:
    """Return a finished recording from the cache, None if there is none.

    `config` may be the seed of the built-in recording.
    """
    if isinstance(config, int):
        config = V1Movie(seed=config)
    files = V1Files(cached_folder(config))
    return files if is_complete(files, config) else None


def is_complete(files: V1Files, config: V1Movie) -> bool:
    """Return whether every file is there and made with these settings."""
    try:
        info = json.loads(files.info.read_text())
        sizes = info["bytes"]
        right = info["version"] == VERSION and info["config"] == config.to_json()
        return right and all(
            (files.folder / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def make_v1_files(
    config: V1Movie | None = None,
) -> Generator[Progress, None, V1Files]:
    """Return the recording from the cache, making it first if need be."""
    config = V1Movie() if config is None else config
    files = v1_files(config)
    if files is not None:
        return files
    return (yield from write_v1_recording(cached_folder(config), config))


def write_v1_recording(
    folder: str | os.PathLike[str],
    config: V1Movie | None = None,
    threads: int = 2,
) -> Generator[Progress, None, V1Files]:
    """Simulate, render and write a recording, block by block.

    Everything is written into a hidden folder beside and renamed at the end:
    a run that is stopped, killed or fails leaves no folder of that name.

    Parameters
    ----------
    folder : path
        Will be made; an older simulated recording of that name is replaced.
    config : V1Movie, optional
        Default ``V1Movie()``, the built-in recording (1.2 GB).
    threads : int
        Rendering threads; the result does not hang on their number.

    Yields
    ------
    Progress
        In frames.

    Raises
    ------
    InvalidInput
        If the folder holds something else, cannot be written, or the disk has
        no room.
    """
    config = V1Movie() if config is None else config
    target = Path(folder).absolute()
    _check_target(target)
    partial = _begin(target, config)
    try:
        yield Progress(0, config.n_frames, text="Simulating neurons")
        activity = simulate_v1(config)
        scene = Scene.of(activity)
        files = V1Files(partial)
        _write_small(files, activity, scene)
        yield from _write_stack(files.stack, scene, config, threads)
        _write_info(files, config)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        raise InvalidInput(
            f"The simulated recording could not be written to {target.parent} "
            f"({error.strerror or error}); choose a folder that can be written to and "
            f"has {_bytes_needed(config) / 1e9:.1f} GB free."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return V1Files(target)


def _bytes_needed(config: V1Movie) -> int:
    y, x = config.field_shape
    small = config.n_frames * config.n_cells * 5 + 20_000_000
    return config.n_frames * y * x * 2 + small


def _check_target(target: Path) -> None:
    """Refuse to replace what this module did not write."""
    if not target.exists():
        return
    if not target.is_dir() or (
        any(target.iterdir()) and not (target / "recording.json").is_file()
    ):
        raise InvalidInput(
            f"{target} already exists and is not a simulated recording; choose another "
            "folder, or empty it first."
        )


def _begin(target: Path, config: V1Movie) -> Path:
    """Make the hidden folder to write into, on a disk with room for it."""
    needed = _bytes_needed(config)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        free = shutil.disk_usage(target.parent).free
        if free < needed * 1.05:
            raise InvalidInput(
                f"The simulated recording takes {needed / 1e9:.1f} GB, but the disk of "
                f"{target.parent} has {free / 1e9:.1f} GB free; make room, or set "
                f"{CACHE_VARIABLE} to a folder on another disk."
            )
        made = tempfile.mkdtemp(
            prefix=f".{target.name}-", suffix=".partial", dir=target.parent
        )
    except OSError as error:
        raise InvalidInput(
            f"The folder {target.parent} cannot be written to "
            f"({error.strerror or error}); choose another, or set {CACHE_VARIABLE}."
        ) from error
    partial = Path(made)
    partial.chmod(0o755)  # mkdtemp's is for the owner alone
    return partial


def _sweep(parent: Path) -> None:
    """Remove what runs that were killed more than an hour ago left behind."""
    for left in parent.glob(".*.partial"):
        newest = max((f.stat().st_mtime for f in left.iterdir()), default=0.0)
        if max(newest, left.stat().st_mtime) < time.time() - 3600:
            shutil.rmtree(left, ignore_errors=True)


def _write_small(files: V1Files, activity: V1Activity, scene: Scene) -> None:
    """All but the stack."""
    labels = scene.field.rois.to_labels()
    tifffile.imwrite(files.rois, labels, metadata={"axes": "YX"}, compression="zlib")
    np.save(files.movie, activity.movie)
    np.savez(
        files.truth,
        true_dff=activity.true_dff,
        spikes=activity.spikes,
        tuning=activity.tuning,
        stimulus_share=activity.stimulus_share,
        arousal=activity.arousal,
        motion=scene.displacement,
        bleaching=scene.bleach,
    )
    rate = activity.config.rate
    with files.frames.open("w", newline="") as table:
        table.write("frame,time_s,shown,repeat\n")
        for frame, (shown, repeat) in enumerate(
            zip(activity.shown, activity.repeat, strict=True)
        ):
            table.write(f"{frame},{frame / rate:.6f},{shown},{repeat}\n")


def _write_stack(
    path: Path, scene: Scene, config: V1Movie, threads: int
) -> Generator[Progress, None, None]:
    """One contiguous block of pixels behind a single header."""
    t, shape = config.n_frames, (config.n_frames, *config.field_shape)
    metadata = {"axes": "TYX", "fps": config.rate, "finterval": 1 / config.rate}
    with tifffile.TiffWriter(path) as writer:
        placed = writer.write(
            shape=shape,
            dtype=np.int16,
            photometric="minisblack",
            metadata=metadata,
            returnoffset=True,
        )
    assert placed is not None
    done, reported = 0, time.monotonic()
    blocks = rendered(scene, t, threads)
    try:
        with path.open("r+b") as file:
            file.seek(placed[0])
            for block in blocks:
                file.write(block.data)
                done += len(block)
                if time.monotonic() - reported > 0.1 or done == t:
                    reported = time.monotonic()
                    yield Progress(done, t, text="Rendering frames")
    finally:
        blocks.close()


def _write_info(files: V1Files, config: V1Movie) -> None:
    made = {f.name: f.stat().st_size for f in sorted(files.folder.iterdir())}
    info = {
        "version": VERSION,
        "name": "V1 watching a movie (simulated)",
        "rate": config.rate,
        "seed": config.seed,
        "shape": [config.n_frames, *config.field_shape],
        "config": config.to_json(),
        "bytes": made,
    }
    files.info.write_text(json.dumps(info, indent=2))
