"""What the guide says exists: its links, its commands, its scripts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

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
