"""How traces are made, on the command line."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_cebra.traces import DffSettings


def add_trace_options(group: argparse._ArgumentGroup) -> None:
    """Add the options of the group "traces"."""
    add = group.add_argument
    add(
        "--preset",
        choices=("napari-cebra", "suite2p", "Allen"),
        help="settings that a pipeline publishes; the options below change them",
    )
    add(
        "--neuropil",
        type=_neuropil,
        metavar="R",
        help="share of the neuropil that is subtracted (default 0.7); fitted: per ROI, "
        "by robust regression; Allen: per ROI, by the Allen Institute's objective",
    )
    add(
        "--baseline",
        choices=("percentile", "maximin", "median"),
        help="F0: rolling percentile (default), suite2p's maximin, or the Allen "
        "Institute's median of inactive frames",
    )
    add(
        "--baseline-window",
        type=_positive,
        metavar="S",
        help="seconds of its rolling window (default 60)",
    )
    add(
        "--percentile",
        type=_positive,
        metavar="P",
        help="percentile of the window that is taken for F0 (default 8)",
    )
    add(
        "--artefacts",
        type=_positive,
        metavar="X",
        help="leave out frames in which the median ROI jumps by X times its noise",
    )
    add(
        "--deconvolve",
        action="store_true",
        default=None,
        help="embed events (arbitrary units, not spikes) instead of dF/F",
    )
    add(
        "--decay",
        type=_positive,
        metavar="S",
        help="decay of the indicator in seconds (default: estimated for each ROI)",
    )
    add(
        "--smallest-event",
        type=_positive,
        metavar="X",
        help="merge events away that are smaller than X times the noise",
    )


def trace_settings(base: DffSettings, chosen: argparse.Namespace) -> DffSettings:
    """Return the settings with what was chosen on the command line."""
    if chosen.preset is not None:
        base = base.preset(chosen.preset)
    changes: dict[str, Any] = {
        "baseline": chosen.baseline,
        "window_s": chosen.baseline_window,
        "percentile": chosen.percentile,
        "artefact_threshold": chosen.artefacts,
        "deconvolve": chosen.deconvolve,
        "decay_s": chosen.decay,
        "minimal_event": chosen.smallest_event,
    }
    if isinstance(chosen.neuropil, str):
        changes["neuropil"] = chosen.neuropil
    elif chosen.neuropil is not None:
        changes |= {"neuropil": "fixed", "neuropil_coefficient": chosen.neuropil}
    return replace(base, **{k: v for k, v in changes.items() if v is not None})


def _neuropil(text: str) -> float | str:
    for kind in ("fitted", "Allen"):
        if text.lower() == kind.lower():
            return kind
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number from 0 to 2 nor fitted or Allen"
        ) from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value
