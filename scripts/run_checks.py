"""Every check and every test, as `make test` runs them.

All of them run even where one fails; the last line has pytest's form and holds
the tests of all its runs together.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from with_display import display

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "--durations=10"]

CHECKS = {
    "ruff check": [str(BIN / "ruff"), "check", "."],
    "ruff format": [str(BIN / "ruff"), "format", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "import contracts": [str(BIN / "lint-imports"), "--no-logo"],
    "manifest": [str(BIN / "npe2"), "validate", "napari-cebra"],
}
# Two at a time; the window's in workers of their own, each with a display of its
# own, so that a crash of Qt is a failed test and not the end of the run.
TWO = ["-n", "2", "--dist", "loadfile"]
TESTS = {
    "tests": [*PYTEST, "-m", "not gui", *TWO],
    "tests of the window": [*PYTEST, "-m", "gui", *TWO],
}


def main() -> int:
    """Run everything; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    failed = [name for name, command in CHECKS.items() if not passes(name, command)]
    if options.no_tests:
        return bool(failed)
    counts: dict[str, int] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        display() as environment,
        display() as another,
    ):
        both = environment.get("DISPLAY", ""), another.get("DISPLAY", "")
        environment["NAPARI_CEBRA_DISPLAYS"] = " ".join(both)
        # A built-in recording that one run makes serves the next one too.
        environment.setdefault("NAPARI_CEBRA_CACHE", f"{folder}/recordings")
        for number, (name, command) in enumerate(TESTS.items()):
            report = Path(folder) / f"{number}.xml"
            if not passes(name, [*command, f"--junit-xml={report}"], environment):
                failed.append(name)
            for outcome, count in outcomes(report).items():
                counts[outcome] = counts.get(outcome, 0) + count
    if not counts.get("passed"):
        failed.append("no test passed")
    if failed:
        print(f"\nFailed: {', '.join(failed)}.")
    print(closing_line(counts, time.monotonic() - began))
    return bool(failed)


def passes(
    name: str, command: list[str], environment: dict[str, str] | None = None
) -> bool:
    """Run one check and say how it went."""
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    environment = dict(environment or os.environ)
    # Two workers on two cores: one thread each, or they wait for one another.
    environment.setdefault("OMP_NUM_THREADS", "1")
    good = subprocess.run(command, cwd=ROOT, env=environment).returncode == 0
    word = "passed" if good else "FAILED"
    print(f"--- {name}: {word} in {time.monotonic() - began:.0f} s\n", flush=True)
    return good


def outcomes(report: Path) -> dict[str, int]:
    """Count the outcomes in a junit file; a run that left none counts as an error."""
    if not report.exists():
        return {"error": 1}
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {"failed": 0, "passed": 0, "skipped": 0, "error": 0}
    for suite in suites:
        number = {k: int(suite.get(k, 0)) for k in ("tests", "failures", "skipped")}
        errors = int(suite.get("errors", 0))
        counts["failed"] += number["failures"]
        counts["skipped"] += number["skipped"]
        counts["error"] += errors
        counts["passed"] += (
            number["tests"] - number["failures"] - number["skipped"] - errors
        )
    return counts


def closing_line(counts: dict[str, int], seconds: float) -> str:
    """Return the counts in the form of pytest's last line."""
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    text = f" {said or 'no tests ran'} in {seconds:.2f}s "
    return text.center(79, "=")


if __name__ == "__main__":
    sys.exit(main())
