"""Show the built-in recording in the window: what `make demo` runs.

Where there is a display, the window opens on it and stays; where there is none,
the same window runs on a virtual one, goes through the whole job by itself and
leaves screenshots and results in the output folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import with_display

PROGRAM = str(Path(sys.executable).with_name("napari-cebra"))
PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"


def has_display() -> bool:
    """Say whether a window can be opened here, by opening Qt's application."""
    if not sys.platform.startswith("linux"):
        return True
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True)
    return probe.returncode == 0


def main() -> int:
    """Run the demo in a window; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="demo-output")
    options = parser.parse_args()
    command = [PROGRAM, "demo", "--out", options.out]
    if has_display():
        return subprocess.call(command)
    print("No display here: the window runs on a virtual one.", flush=True)
    return with_display.run([*command, "--screenshots"])


if __name__ == "__main__":
    sys.exit(main())
