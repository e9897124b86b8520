"""How far it is, on one line of a terminal or a few lines of a log."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing import TextIO

_LOG_EVERY = 15.0  # seconds, where there is no terminal
_DRAW_EVERY = 0.1


class ProgressLine:
    """Shows reports with ``done``, ``total`` and ``text`` on stderr.

    A terminal gets one line that is written over; a log gets a line when the
    text changes and now and then in between.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._text = ""
        self._begun = self._last = 0.0
        self._first = 0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()

    def show(self, report: Any) -> None:
        """Show one report."""
        now = time.monotonic()
        text = report.text or "Working"
        new = text != self._text
        if new:
            self._text, self._begun, self._first = text, now, report.done
        if not new and now - self._last < (
            _DRAW_EVERY if self._terminal else _LOG_EVERY
        ):
            return
        self._last = now
        self._draw(self._line(report, now), new)

    def _line(self, report: Any, now: float) -> str:
        parts = [self._text]
        if report.total:
            parts.append(f"{100 * report.done / report.total:3.0f} %")
        left = getattr(report, "seconds_left", None)
        if left is None:
            left = self._guess(report, now)
        if left is not None:
            parts.append(f"{_duration(left)} left")
        loss = getattr(getattr(report, "report", None), "loss", None)
        if loss is not None:
            parts.append(f"loss {loss:.3f}")
        return "  ".join(parts)

    def _guess(self, report: Any, now: float) -> float | None:
        done, spent = report.done - self._first, now - self._begun
        if done <= 0 or spent < 0.5:
            return None
        return spent * (report.total - report.done) / done

    def _draw(self, line: str, new: bool) -> None:
        if not self._terminal:
            print(line, file=self._stream, flush=True)
            return
        if new:
            self._end_line()
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r" + line[:width].ljust(width))
        self._stream.flush()
        self._drawn = True

    def _end_line(self) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False


def _duration(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min {seconds % 60:02d} s"
