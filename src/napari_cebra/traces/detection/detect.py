"""ROIs from a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Progress, RoiSet
from napari_cebra.traces.blocks import default_threads
from napari_cebra.traces.detection.binning import binned_movie
from napari_cebra.traces.detection.contrast import (
    Contrast,
    local_contrast,
    normalise,
)
from napari_cebra.traces.detection.diameter import estimate_diameter
from napari_cebra.traces.detection.filters import own_threads
from napari_cebra.traces.detection.quality import quality
from napari_cebra.traces.detection.search import search
from napari_cebra.traces.detection.settings import DetectionSettings
from napari_cebra.traces.detection.shapes import cellpose_rois

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.traces.detection.growth import Growth
    from napari_cebra.traces.extract import StackLike

_FAINTEST = 0.05  # of the brightest pixel, for pixels enclosed by a mask


@dataclass(frozen=True, eq=False)
class SummaryImages:
    """What a stack looks like over time, each (Y, X) float32.

    Parameters
    ----------
    mean, max, std : (Y, X) float32
        Over all frames, in counts.
    correlation : (Y, X) float32
        Mean correlation of each pixel with its eight neighbours, -1 to 1, in the
        binned movie less its surround.
    peak_to_noise : (Y, X) float32
        Largest local activity in standard deviations of its noise.
    diameter : float
        Of the cells, in pixels: as given, or estimated.
    """

    mean: np.ndarray
    max: np.ndarray
    std: np.ndarray
    correlation: np.ndarray
    peak_to_noise: np.ndarray
    diameter: float


@dataclass(frozen=True, eq=False)
class Detection:
    """Everything that was found, and the images it was found in.

    Parameters
    ----------
    candidates : RoiSet
        Weighted masks, the best first; weights are shares of the brightest pixel.
    quality : (n,) float64
        How much each looks like a cell in focus, 0 to 1, falling.
    strength : (n,) float64
        How far its activity stands out, see `DetectionSettings.threshold`. Both
        are 1 for cells that Cellpose outlined.
    images : SummaryImages
    settings : DetectionSettings
    bin_frames : float
        Mean number of frames that were averaged.
    """

    candidates: RoiSet
    quality: np.ndarray
    strength: np.ndarray
    images: SummaryImages
    settings: DetectionSettings
    bin_frames: float

    @property
    def rois(self) -> RoiSet:
        """The candidates that the settings keep."""
        return self.best(self.settings.min_quality, self.settings.max_rois)

    def best(self, min_quality: float = 0.0, most: int | None = None) -> RoiSet:
        """Return candidates of at least this quality, the best first.

        Raises
        ------
        InvalidInput
            If there are none.
        """
        kept = np.flatnonzero(self.quality >= min_quality)[:most]
        if kept.size == 0:
            raise InvalidInput(self._nothing(min_quality))
        return self.candidates.select(kept)

    def _nothing(self, min_quality: float) -> str:
        if len(self.candidates) == 0:
            return (
                f"No cells of about {self.images.diameter:.0f} pixels were found above "
                f"the threshold of {self.settings.threshold:g}; lower the threshold, "
                "or correct the diameter."
            )
        return (
            f"None of the {len(self.candidates)} masks found reaches a quality of "
            f"{min_quality:.2f} (the best has {self.quality.max():.2f}); lower the "
            "least quality."
        )


def detect(
    stack: StackLike,
    settings: DetectionSettings | None = None,
    *,
    threads: int | None = None,
) -> Generator[Progress, None, Detection]:
    """Find cells by their activity, reading each frame once.

    The stack is averaged over bins of time; each pixel is divided by its noise
    and freed of its surround. From the most active spot on, a mask is grown and
    taken off the movie, until nothing stands out any more (greedy non-negative
    factorisation in patches, as Pnevmatikakis et al. 2016, Neuron 89:285; seeds
    by activity above the noise, as Zhou et al. 2018, eLife 7:e28728). What was
    found is judged by its shape and its activity.

    Memory stays below about twice ``settings.memory_mb``, whatever the size of
    the file. The result hangs on the frames and the settings alone.

    Parameters
    ----------
    stack : StackLike
        T frames, best without motion.
    settings : DetectionSettings, optional
    threads : int, optional
        Default: the cores there are, at most 4.

    Yields
    ------
    Progress
        In frames, then in seeds.

    Raises
    ------
    InvalidInput
        If the stack is not (T, Y, X) finite numbers, is too short, or is
        constant, a cell would not fit into a frame, or Cellpose is asked for and
        not there. That nothing was found is
        raised by `Detection.rois`.
    """
    settings = DetectionSettings() if settings is None else settings
    threads = default_threads() if threads is None else threads
    prepared = yield from _prepared(stack, settings, threads)
    images, contrast, bin_frames = prepared
    if settings.method == "cellpose":
        yield Progress(0, 0, "", "Cellpose looks for cells")
        image = getattr(images, settings.image)
        outlined = cellpose_rois(image, given_diameter(stack, settings))
        ones = np.ones(len(outlined))
        return Detection(outlined, ones, ones, images, settings, bin_frames)
    found = yield from search(
        contrast, settings.threshold, 3 * settings.max_rois, threads
    )
    strength = np.sqrt([one.energy for one in found])
    marks = quality([one.features for one in found], strength)
    order = np.lexsort((-strength, -marks))
    masks = [_in_counts(found[k], contrast.pixel_noise) for k in order]
    candidates = RoiSet.from_masks(masks, images.mean.shape)
    return Detection(
        candidates, marks[order], strength[order], images, settings, bin_frames
    )


def summary_images(
    stack: StackLike,
    settings: DetectionSettings | None = None,
    *,
    threads: int | None = None,
) -> Generator[Progress, None, SummaryImages]:
    """Return the images that `detect` starts from, in the same pass.

    Raises
    ------
    InvalidInput
        As `detect`.
    """
    settings = DetectionSettings() if settings is None else settings
    threads = default_threads() if threads is None else threads
    images, _, _ = yield from _prepared(stack, settings, threads)
    return images


def _prepared(
    stack: StackLike, settings: DetectionSettings, threads: int
) -> Generator[Progress, None, tuple[SummaryImages, Contrast, float]]:
    diameter = given_diameter(stack, settings)
    binned = yield from binned_movie(stack, settings)
    movie = binned.movie
    yield Progress(0, 0, "", "Measuring the noise")
    with own_threads():
        noise = normalise(movie, threads)
    if not noise.any():
        raise InvalidInput(
            "No pixel of the stack changes over time, so no cell can be found in it; "
            "check that the right file, channel and axes are open."
        )
    if diameter is None:
        yield Progress(0, 0, "", "Estimating the diameter of the cells")
        diameter = estimate_diameter(movie)
        diameter = min(diameter, min(movie.shape[:2]) / 2)
    yield Progress(0, 0, "", "Taking off the background")
    with own_threads():
        contrast = local_contrast(movie, noise, diameter, threads)
    images = SummaryImages(
        binned.mean,
        binned.max,
        binned.std,
        contrast.correlation,
        contrast.peak_to_noise,
        diameter,
    )
    return images, contrast, binned.bin_frames


def given_diameter(stack: StackLike, settings: DetectionSettings) -> float | None:
    """Return the diameter in pixels; None if it is to be estimated.

    Raises
    ------
    InvalidInput
        If such a cell would not fit into a frame of the stack.
    """
    pixel_um = getattr(stack, "pixel_um", None)
    return settings.pixels(stack.shape[-2:], pixel_um)


def _in_counts(
    growth: Growth, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one mask as `RoiSet.from_masks` takes it."""
    y, x = np.nonzero(growth.mask)
    weights = growth.weights[y, x] * noise[growth.box][y, x]
    weights = np.maximum(weights / weights.max(), _FAINTEST)
    return y + growth.box[0].start, x + growth.box[1].start, weights
