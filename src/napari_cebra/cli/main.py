"""Entry point: run a command, and turn what goes wrong into one sentence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from napari_cebra.cli.arguments import parser
from napari_cebra.recording import NapariCebraError

if TYPE_CHECKING:
    from collections.abc import Sequence

INVALID = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default ``sys.argv[1:]``.

    Returns
    -------
    int
        0 when all went well, 2 when an input cannot be used (with one sentence
        on stderr), 130 when interrupted.
    """
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.command(chosen) or 0)
    except NapariCebraError as error:
        return _fail(" ".join(str(error).split()))
    except MemoryError:
        return _fail(
            "There is not enough memory for this recording; close other programs, or "
            "use fewer ROIs or a smaller batch."
        )
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        reason = error.strerror or str(error)
        return _fail(f"{reason}{where}; check the path and the disk, and try again.")
    except KeyboardInterrupt:
        print("Stopped; no file is left half-written.", file=sys.stderr)
        return INTERRUPTED


def _fail(sentence: str) -> int:
    print(f"napari-cebra: {sentence}", file=sys.stderr)
    return INVALID
