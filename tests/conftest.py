"""What every test may count on: no display needed, no settings of the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Before napari or this package is imported: nothing a test does may reach the
# settings or the cache of the person who runs it, or depend on them.
_home = Path(tempfile.mkdtemp(prefix="napari-cebra-tests-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["NAPARI_ASYNC"] = "0"
os.environ["NAPARI_CONFIG"] = str(_home / "napari" / "settings.yaml")
os.environ.setdefault("NAPARI_CEBRA_CACHE", str(_home / "recordings"))
for _kind in ("CACHE", "CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{_kind}_HOME"] = str(_home / _kind.lower())


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what draws where nothing can be drawn."""
    if _has_display():
        return
    skip = pytest.mark.skip(
        reason="there is no display; run under scripts/with_display.py"
    )
    for item in items:
        if item.get_closest_marker("gui"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, or a skip that says where it was looked for."""
    folder = os.environ.get("NAPARI_CEBRA_DATA")
    path = Path(folder) if folder else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the real recordings are not at {path} (NAPARI_CEBRA_DATA)")
    return path
