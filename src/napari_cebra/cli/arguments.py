"""What can be said on the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_cebra import __version__
from napari_cebra.cli import commands
from napari_cebra.cli.clock_options import add_clock_options
from napari_cebra.cli.detection_options import add_detection_options
from napari_cebra.cli.motion_options import add_motion_options
from napari_cebra.cli.trace_options import add_trace_options

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIPTION = """\
CEBRA embeddings of calcium imaging, from the raw stack to the decoded movie.

Frames of a movie are looked up, not painted: what is decoded is the number of a
known frame. Every score is printed beside its chance level, a control (the
encoder trained again on broken labels) and the raw population.
"""

_EXAMPLES = """\
examples:
  a movie shown repeatedly
    napari-cebra run --stack stack.tif --rois labels.tif --variables frames.csv \\
      --shown-column shown --repeat-column repeat --movie movie.mp4 --out results
  a variable, from the pixels alone, frame rate unknown
    napari-cebra run --stack stack.tif --rois grid:4 --variables behaviour.csv \\
      --target position --out results
  cells found by their activity
    napari-cebra run --stack stack.tif --rois detect --variables behaviour.csv \\
      --target position --out results
  a suite2p folder, an embedding of time alone
    napari-cebra run --rois suite2p/plane0 --rate 30 --out results
  behaviour logged on another clock, aligned by shared pulses
    napari-cebra run --rois suite2p/plane0 --rate 30 --variables rig.csv \\
      --time-column time_s --align pulses --align-pulses rig_pulses.csv \\
      --align-imaging scope.csv column=ttl edges=rising per-second=1000 \\
      --frame-times frames.csv --target position --out results
  which variables explain the activity
    napari-cebra compare --rois suite2p/plane0 --variables behaviour.csv \\
      --candidates position speed position+speed --out compared
  settings searched on held-out blocks, and a run with them
    napari-cebra search --traces traces.npy --rate 30 --variables behaviour.csv \\
      --target position --save searched.json
    napari-cebra run --config searched.json --out results
  the motion of a stack alone, and the corrected movie
    napari-cebra register --stack stack.tif --shifts shifts.csv --movie corrected.tif
  what a run did, once more
    napari-cebra run --config results/config.json --out again
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="napari-cebra",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=__version__)
    commands_of = top.add_subparsers(required=True, metavar="COMMAND")
    _demo(commands_of)
    _run(commands_of)
    _compare(commands_of)
    _search(commands_of)
    _register(commands_of)
    return top


def _demo(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands_of.add_parser(
        "demo",
        help="open the built-in recording, or run everything on it",
        description=(
            "Open the built-in recording (V1 under a two-photon microscope watching a "
            "movie; simulated, so the truth is known) in the napari window and run "
            "everything on it, or, with --headless, without a window. It is made on "
            "first use, in about a minute, and kept in the user's cache folder "
            "(1.2 GB; NAPARI_CEBRA_CACHE moves it)."
        ),
    )
    demo.add_argument(
        "--headless", action="store_true", help="run without a window; needs --out"
    )
    demo.add_argument("--out", metavar="DIR", help="folder for the results")
    demo.add_argument(
        "--screenshots",
        action="store_true",
        help="take a picture of each state of the window into --out, then close it",
    )
    _seed(demo)
    demo.set_defaults(command=commands.demo)


def _run(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands_of.add_parser(
        "run",
        help="run everything on a recording of yours",
        description=(
            "Extract, embed and decode a recording without a window, with the "
            "functions the window calls, and write the results into a folder."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--out", metavar="DIR", required=True, help="folder for results")
    _recording_and_settings(run)
    run.set_defaults(command=commands.run)


def _search(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    search = commands_of.add_parser(
        "search",
        help="search settings for a recording of yours on held-out blocks",
        description=(
            "Try a few receptive fields, first kernels, temperatures and output "
            "dimensions by short trainings, judged on held-out parts of the training "
            "rows (the last repeat, or block, is not looked at); takes a minute or "
            "two. Prints a table and what it proposes."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    search.add_argument(
        "--save",
        metavar="FILE",
        help="write all settings, with those proposed, for run --config FILE",
    )
    _recording_and_settings(search)
    search.set_defaults(command=commands.search)


def _register(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    register = commands_of.add_parser(
        "register",
        help="estimate the motion of a stack, and write it",
        description=(
            "Estimate the motion of every frame of a stack and write the shifts and, "
            "if asked for, the corrected movie. Nothing is ever written over."
        ),
    )
    add = register.add_argument
    _stack(register, required=True)
    add("--shifts", metavar="FILE", help="write the shifts there: .csv or .npz")
    add(
        "--movie",
        metavar="FILE",
        help="write the corrected movie there: a new .tif or .zarr",
    )
    add_motion_options(register.add_argument_group("motion"), "rigid")
    register.set_defaults(command=commands.register)


def _recording_and_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        metavar="FILE",
        help="settings that an earlier run (config.json) or the window's export "
        "(NAME_summary.json) wrote; other options replace those in it",
    )
    _seed(command)
    _activity(command.add_argument_group("activity (one of them)"))
    add_motion_options(command.add_argument_group("motion"))
    add_detection_options(command.add_argument_group("cells, with --rois detect"))
    add_trace_options(command.add_argument_group("traces"))
    _clock(command.add_argument_group("what was shown and done"))
    add_clock_options(command.add_argument_group("clocks"))
    _choices(command.add_argument_group("what is learnt and decoded"))
    _encoder(command.add_argument_group("encoder (default: what is recommended)"))


def _compare(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    compare = commands_of.add_parser(
        "compare",
        help="say which variables explain the activity",
        description=(
            "Train on each variable, on its shuffled control and on time alone under "
            "one protocol, and write a table: goodness of fit on held-out blocks, "
            "decoding, and how well seeds agree, each with its 95 % interval."
        ),
    )
    add = compare.add_argument
    add("--out", metavar="DIR", required=True, help="folder for the table")
    add(
        "--candidates",
        nargs="+",
        metavar="NAME",
        help="columns to compare, or 'stimulus frame' (default: all there are); "
        "several joined by + are one candidate",
    )
    add(
        "--seeds",
        dest="n_seeds",
        type=int,
        default=3,
        metavar="N",
        help="trainings of each in each block (default 3)",
    )
    add(
        "--controls",
        dest="n_shuffled",
        type=int,
        metavar="N",
        help="trainings of each on shuffled labels in each block (default: as --seeds)",
    )
    add(
        "--config",
        metavar="FILE",
        help="settings that an earlier run (config.json) or the window's export "
        "(NAME_summary.json) wrote; other options replace those in it",
    )
    _seed(compare)
    _activity(compare.add_argument_group("activity (one of them)"))
    add_motion_options(compare.add_argument_group("motion"))
    add_detection_options(compare.add_argument_group("cells, with --rois detect"))
    add_trace_options(compare.add_argument_group("traces"))
    _clock(compare.add_argument_group("what was shown and done"))
    add_clock_options(compare.add_argument_group("clocks"))
    _encoder(compare.add_argument_group("encoder (default: what is recommended)"))
    _machine(compare.add_argument_group("training"))
    nothing = dict.fromkeys(("target", "kind", "period", "mode"))
    compare.set_defaults(command=commands.compare, **nothing)


def _stack(group: argparse._ActionsContainer, required: bool = False) -> None:
    add = group.add_argument
    add(
        "--stack",
        metavar="FILE",
        required=required,
        help="imaging stack: TIFF, npy, HDF5, NWB, zarr, video, raw binary, or a file "
        "or folder of a microscope",
    )
    add("--rate", type=_hertz, metavar="HZ", help="imaging frames per second")
    add("--axes", metavar="TYX", help="order of the stack's axes")
    add("--channel", type=int, metavar="N", help="channel of the stack, from 0")
    add("--plane", type=int, metavar="N", help="plane of the stack, from 0")
    add(
        "--dataset",
        metavar="NAME",
        help="data set inside the stack's file; of a raw binary file its layout, as "
        "'int16 512x512' (rows × columns)",
    )


def _activity(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    _stack(group)
    add(
        "--rois",
        metavar="ROIS",
        help="label image, RoiSet.zip of ImageJ, or what suite2p, CaImAn, minian or "
        "NWB saved (which brings its own traces, so --stack may be left out); detect "
        "to have cells found by their activity; or grid:N for tiles of N × N pixels",
    )
    add("--traces", metavar="FILE", help="time × ROIs: npy, npz, csv or HDF5")
    add("--spikes", metavar="FILE", help="HDF5 of spike times and a position track")
    add("--traces-key", metavar="NAME", help="array inside an npz or HDF5 file")
    add("--time-axis", type=int, choices=(0, 1), help="axis of --traces that is time")
    add(
        "--traces-kind",
        choices=("dff", "raw", "events", "rates", "other"),
        help="what --traces holds (default dff)",
    )
    add(
        "--bin",
        dest="bin_s",
        type=_seconds,
        metavar="S",
        help="seconds per bin of --spikes (default 0.1)",
    )
    add(
        "--reextract",
        action="store_true",
        default=None,
        help="extract from the stack although traces came with the ROIs",
    )
    add(
        "--all-cells",
        dest="accepted_only",
        action="store_false",
        default=None,
        help="also use ROIs that suite2p does not accept as cells",
    )


def _clock(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--variables",
        metavar="FILE",
        help="what was shown and done: CSV, Excel, MAT, npz, HDF5, NWB, poses of "
        "DeepLabCut, or events with onsets",
    )
    add(
        "--variables-part",
        metavar="PART",
        help="sheet, struct, clock or table inside that file (a wrong one lists all)",
    )
    add(
        "--column",
        dest="columns",
        action="append",
        metavar="NAME[:KIND[:PERIOD]]",
        help="column to keep as a variable, and how its numbers are to be read; can be "
        "repeated (default: all without a role)",
    )
    add(
        "--likelihood",
        type=float,
        metavar="P",
        help="of poses: positions less likely are not used (default 0.6)",
    )
    add(
        "--longest-gap",
        type=int,
        metavar="ROWS",
        help="of poses: longest gap that is filled in by a line (default 10)",
    )
    add(
        "--stimulus",
        dest="stimulus_log",
        metavar="FILE",
        help="table with a row for each stimulus frame as it came on; it then holds "
        "the shown and the repeat column",
    )
    add("--stimulus-time-column", metavar="C", help="seconds of its rows")
    add("--shown-column", metavar="C", help="movie frame shown, from 0; empty = none")
    add("--repeat-column", metavar="C", help="number of the showing")
    add("--trial-column", metavar="C", help="trial; no window crosses its border")
    add("--valid-column", metavar="C", help="rows to use: not 0, for instance running")
    add("--time-column", metavar="C", help="seconds of each row of --variables")
    add("--movie", metavar="FILE", help="stimulus movie: TIFF, MP4 or npy")
    add(
        "--movie-rate",
        type=_hertz,
        metavar="HZ",
        help="movie frames per second, where the file does not say",
    )


def _choices(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--target",
        metavar="NAME",
        help="column to decode, or 'stimulus frame' (the default where "
        "--shown-column is given); without one, an embedding of time alone",
    )
    add(
        "--kind",
        choices=("continuous", "circular", "discrete"),
        help="how the target's numbers are to be read (default: as they look)",
    )
    add("--period", type=_number, metavar="X", help="one turn of a circular target")
    add(
        "--mode",
        choices=("behavior", "time", "hybrid"),
        help="what makes two moments alike: the target, nearness in time, or both "
        "(default behavior)",
    )
    add(
        "--folds",
        choices=("last", "all"),
        help="with repeats: test the last (default), or each in turn",
    )
    add(
        "--controls",
        dest="n_controls",
        type=int,
        metavar="N",
        help="encoders trained on broken labels (default 3; use 20 in a report)",
    )
    _machine(group)


def _machine(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--steps", type=int, metavar="N", help="longest training, in steps")
    add("--device", metavar="NAME", help="auto (default), cpu, cuda, cuda:1 or mps")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all)")


def _encoder(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--receptive-field",
        type=_seconds,
        metavar="S",
        help="seconds of activity seen at once",
    )
    length.add_argument(
        "--receptive-frames",
        type=int,
        metavar="N",
        help="the same in imaging frames, where the rate is not known",
    )
    add(
        "--encoder",
        metavar="KIND",
        help="mean (running mean, hidden layer), linear (running mean alone), offset "
        "(published layers), wide (first convolution over the whole window); or a "
        'published name, or layers such as "u2 +3 +3 +3 d3"',
    )
    add(
        "--first-kernel",
        type=int,
        metavar="N",
        help="imaging frames that the first layer with weights sees",
    )
    add("--hidden-units", type=int, metavar="N", help="width of the encoder")
    add("--dimensions", type=int, metavar="N", help="number of latents")
    add("--temperature", type=_number, metavar="X", help="of the InfoNCE loss")


def _seed(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of everything random (default 0); the same seed and threads give the "
        "same numbers",
    )


def _number(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _named(name: str) -> Callable[[str], float]:
    """Give a converter the name argparse puts in its message."""

    def convert(text: str) -> float:
        try:
            return _number(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a number of {name}"
            ) from None

    return convert


_hertz = _named("Hz")
_seconds = _named("seconds")
