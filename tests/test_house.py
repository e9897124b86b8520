"""The plan of the house: layers, lazy imports, and that everything is packaged."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import napari_cebra

ROOT = Path(__file__).resolve().parent.parent


def imported_by(statement: str) -> set[str]:
    """Top-level modules loaded after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_rooms_are_layers() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_importing_the_package_is_light() -> None:
    loaded = imported_by("import napari_cebra")
    assert "napari_cebra" in loaded
    assert not loaded & {"torch", "napari", "qtpy", "PyQt6", "vispy", "numba", "numpy"}


@pytest.mark.parametrize("room", ["recording", "io", "traces", "simulate"])
def test_rooms_of_data_need_neither_torch_nor_a_window(room: str) -> None:
    loaded = imported_by(f"import napari_cebra.{room}")
    assert not loaded & {"torch", "napari", "qtpy", "PyQt6", "vispy"}


@pytest.mark.parametrize("name", napari_cebra.__all__)
def test_everything_public_can_be_had(name: str) -> None:
    assert getattr(napari_cebra, name) is not None
    assert name in dir(napari_cebra)


def test_what_is_not_public_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = napari_cebra.nothing


def test_version_is_the_installed_one() -> None:
    assert napari_cebra.__version__ == metadata.version("napari-cebra")


def test_constraints_name_every_dependency_once() -> None:
    """Every one that `make demo` and `make test` install: not the users' extras."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split("==")[0].lower() for line in lines if "==" in line]
    assert len(pinned) == len(set(pinned))
    requirements = metadata.requires("napari-cebra") or []
    for requirement in requirements:
        name, _, when = (part.strip() for part in requirement.partition(";"))
        if "extra" in when and not any(f'"{e}"' in when for e in ("gui", "dev")):
            continue
        for end in "[<>=!~ ":
            name = name.split(end)[0]
        if name != "napari-cebra":
            assert name.lower().replace("_", "-") in {
                pin.replace("_", "-") for pin in pinned
            }, f"{name} is not pinned in constraints.txt"
    assert "torch==2.13.0" in lines
