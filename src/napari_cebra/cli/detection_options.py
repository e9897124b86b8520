"""How cells are found, on the command line."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from napari_cebra.traces.detection import DetectionSettings


def add_detection_options(group: argparse._ArgumentGroup) -> None:
    """Add the options that fill `DetectionSettings`."""
    add = group.add_argument
    add(
        "--find",
        dest="method",
        choices=("activity", "cellpose"),
        help="by their activity (default), or by their shape in one image, where "
        "Cellpose is installed",
    )
    add(
        "--find-in",
        dest="image",
        choices=("mean", "max", "correlation", "peak_to_noise"),
        help="the image for Cellpose (default mean)",
    )
    size = group.add_mutually_exclusive_group()
    size.add_argument(
        "--cell-diameter",
        dest="diameter",
        type=float,
        metavar="PX",
        help="of a cell body, in pixels (default: estimated)",
    )
    size.add_argument(
        "--cell-diameter-um",
        dest="diameter_um",
        type=float,
        metavar="UM",
        help="the same in µm, for stacks that know the size of a pixel",
    )
    add(
        "--cell-threshold",
        dest="threshold",
        type=float,
        metavar="X",
        help="how far a cell stands out of the noise (default 4); lower it to find "
        "dimmer cells",
    )
    add(
        "--cell-quality",
        dest="min_quality",
        type=float,
        metavar="Q",
        help="least likeness to a cell in focus, 0 to 1 (default 0.5)",
    )
    add(
        "--max-cells",
        dest="max_rois",
        type=int,
        metavar="N",
        help="keep the best N (default 2000)",
    )
    add(
        "--average",
        dest="average_s",
        type=float,
        metavar="S",
        help="seconds averaged before the search (default 0.5)",
    )


def detection_settings(
    base: DetectionSettings, chosen: argparse.Namespace
) -> DetectionSettings:
    """Return the settings with what was chosen on the command line."""
    given = {field.name: getattr(chosen, field.name, None) for field in fields(base)}
    changes = {name: value for name, value in given.items() if value is not None}
    if "diameter_um" in changes:
        changes["diameter"] = None
    return replace(base, **changes)
