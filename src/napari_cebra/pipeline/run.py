"""Running a generator of reports to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

R = TypeVar("R")
Y = TypeVar("Y")


def exhaust(
    work: Generator[Y, None, R], on_report: Callable[[Y], object] | None = None
) -> R:
    """Run long work to its end and return its result.

    Parameters
    ----------
    work : generator
        Yields reports and returns a result.
    on_report : callable, optional
        Called with each report.
    """
    try:
        while True:
            report = next(work)
            if on_report is not None:
                on_report(report)
    except StopIteration as end:
        return end.value
    finally:
        work.close()
