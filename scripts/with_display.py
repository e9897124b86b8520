"""Run a command on a virtual display of its own: with_display.py COMMAND ...

Xvfb chooses a free display number itself and is gone when the command ends,
however it ends.  On macOS and Windows, which always have a display, the
command is simply run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

XVFB = "Xvfb -screen 0 1920x1200x24 -nolisten tcp -noreset +extension GLX".split()


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """Yield an environment whose display is a new Xvfb (Linux)."""
    environment = dict(os.environ)
    if not sys.platform.startswith("linux"):
        yield environment
        return
    if shutil.which("Xvfb") is None:
        sys.exit("Xvfb is not installed; run `make test` or `make demo` once.")
    readable, writable = os.pipe()
    server = subprocess.Popen(
        [*XVFB, "-displayfd", str(writable)],
        pass_fds=[writable],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for the command; the server follows when it is done.
        start_new_session=True,
    )
    os.close(writable)
    try:
        with os.fdopen(readable) as answer:
            number = answer.readline().strip()
        if not number:
            sys.exit("Xvfb did not start; try `Xvfb :99` to see why.")
        environment.pop("WAYLAND_DISPLAY", None)
        environment.pop("XAUTHORITY", None)
        environment.update(
            DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb", LIBGL_ALWAYS_SOFTWARE="1"
        )
        yield environment
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run(command: list[str]) -> int:
    """Run a command on a display of its own; return its exit status."""
    with display() as environment:
        child = subprocess.Popen(command, env=environment)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda given, _frame: child.send_signal(given))
        status = child.wait()
        return status if status >= 0 else 128 - status  # ended by a signal


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(run(sys.argv[1:]))
