"""How far a long step has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Report of a generator that does long work.

    Parameters
    ----------
    done, total : int
        Units of work done, and in all.
    unit : str
        What is counted, in the plural: "frames", "fits".
    text : str
        What is being done now, for the status line.
    """

    done: int
    total: int
    unit: str = "frames"
    text: str = ""
