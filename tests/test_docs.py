"""What the guide says exists: its links, its commands, its scripts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cebra.cli.arguments import parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("bench/*.md")]
)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")

PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)

COMMAND = re.compile(r"^napari-cebra .*$", re.MULTILINE)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    targets = [link for link, _ in LINK.findall(page.read_text("utf-8"))]
    broken = [
        target
        for target in targets
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for link, _ in LINK.findall(page.read_text("utf-8")):
            target = (page.parent / link).resolve()
            if target.suffix == ".md" and target.exists():
                ahead.append(target)
    assert {named(page) for page in PAGES} == {named(page) for page in reached}


def commands() -> list[str]:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    return sorted(set(COMMAND.findall(text.replace("\\\n", " "))))


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_guide_is_understood(command: str) -> None:
    arguments = shlex.split(command)[1:]
    if "--help" not in arguments:
        assert callable(parser().parse_args(arguments).command)


def test_the_guide_has_commands() -> None:
    assert len(commands()) > 5


@pytest.mark.slow
def test_the_scripts_of_the_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_cebra import TrainConfig, exhaust
    from napari_cebra.pipeline import config as pipeline_config
    from napari_cebra.simulate import V1Movie, write_v1_recording

    exhaust(write_v1_recording(tmp_path, V1Movie.small()))
    monkeypatch.chdir(tmp_path)
    # Small and short: it is seen that the scripts run, not what they find.
    small = {"max_iterations": 10, "evaluations": 2, "batch_size": 64}
    monkeypatch.setattr(pipeline_config, "recommended", lambda *_: small)
    page = ROOT / "docs" / "how-to" / "scripting.md"
    script = "\n".join(PYTHON.findall(page.read_text("utf-8")))
    names: dict[str, object] = {"__name__": "guide"}
    exec(compile(script, page, "exec"), names)
    assert (tmp_path / "decoded.mp4").stat().st_size > 0
    assert (tmp_path / "encoder.safetensors").stat().st_size > 0
    assert isinstance(names["training"], TrainConfig)


def test_the_script_that_aligns_clocks_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)

    def write(name: str, **columns: np.ndarray) -> None:
        rows = np.stack(list(columns.values()), axis=1)
        np.savetxt(name, rows, "%.6f", ",", header=",".join(columns), comments="")

    def on_rig(imaging_s: np.ndarray) -> np.ndarray:
        return (imaging_s - 200) / 1.0344

    frames = np.delete(np.arange(600), [100, 300, 301]) / 20
    write("frames.csv", time_s=frames)
    np.save("dff.npy", random.normal(size=(frames.size, 4)))
    pulses = np.cumsum(random.uniform(0.2, 0.8, 60))
    write("imaging_pulses.csv", time_s=pulses)
    write("rig_pulses.csv", time_s=on_rig(pulses))
    moments = np.arange(0, 32, 0.01)
    write("behaviour.csv", time_s=on_rig(moments), speed=np.sin(moments))
    flips = np.arange(0, 30, 0.1)
    write("flips.csv", time_s=on_rig(flips), frame=np.arange(300) % 90)
    page = ROOT / "docs" / "how-to" / "align-clocks.md"
    names: dict[str, Any] = {"__name__": "guide"}
    exec(
        compile("\n".join(PYTHON.findall(page.read_text("utf-8"))), page, "exec"), names
    )
    recording = names["recording"]
    assert recording.valid.all() and np.unique(recording.trials).size == 3
    speed = recording.variable("speed").values
    np.testing.assert_allclose(speed, np.sin(frames), atol=0.02)
    exact = np.floor(frames * 10 + 1e-3).astype(int) % 90
    np.testing.assert_array_equal(recording.stimulus.shown, exact)
