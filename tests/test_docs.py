"""What the guide says exists: its links, its commands, its scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("bench/*.md")]
)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


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
