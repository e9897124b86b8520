"""The scripts behind make: exit statuses are passed on and nothing is left running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
WITH_DISPLAY = [sys.executable, str(SCRIPTS / "with_display.py")]
SAY_DISPLAY = "import os; print(os.environ['DISPLAY'], flush=True)"

needs_xvfb = pytest.mark.skipif(
    shutil.which("Xvfb") is None, reason="Xvfb is not installed"
)


def server_is_gone(display: str) -> bool:
    socket = Path("/tmp", ".X11-unix") / f"X{display.strip().lstrip(':')}"
    for _ in range(50):
        if not socket.exists():
            return True
        time.sleep(0.1)
    return False


@needs_xvfb
@pytest.mark.parametrize("status", [0, 3])
def test_the_display_goes_with_its_command(status: int) -> None:
    code = f"{SAY_DISPLAY}; raise SystemExit({status})"
    run = subprocess.run(
        [*WITH_DISPLAY, sys.executable, "-c", code], capture_output=True, text=True
    )
    assert run.returncode == status
    assert run.stdout.strip() != os.environ.get("DISPLAY")
    assert server_is_gone(run.stdout)


@needs_xvfb
def test_a_command_that_is_ended_takes_its_display_along() -> None:
    code = f"{SAY_DISPLAY}; import time; time.sleep(60)"
    command = subprocess.Popen(
        [*WITH_DISPLAY, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    display = command.stdout.readline()
    command.send_signal(signal.SIGTERM)
    assert command.wait(20) == 128 + signal.SIGTERM
    command.stdout.close()
    assert server_is_gone(display)


def test_the_closing_line_counts_what_pytest_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import run_checks

    report = tmp_path / "0.xml"
    report.write_text(
        "<testsuites><testsuite tests='9' failures='2' errors='1' skipped='3'/>"
        "</testsuites>"
    )
    counts = run_checks.outcomes(report)
    line = run_checks.closing_line(counts, 1.5)
    assert line.strip("= ") == "2 failed, 3 passed, 3 skipped, 1 error in 1.50s"
    assert run_checks.outcomes(tmp_path / "missing.xml") == {"error": 1}
