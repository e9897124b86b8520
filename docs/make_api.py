"""Write docs/api.md: every public name with the first line of its docstring."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOMS = ["recording", "simulate", "io", "traces", "embedding", "decoding", "pipeline"]
ROOMS += ["metrics"]
HEAD = """\
# API

Rooms are layers ([architecture](architecture.md)). Each name below is imported from its
room, as in `from napari_cebra.io import open_stack`, and the commonest from
`napari_cebra` itself. Shapes, units, errors and sources stand in the docstrings:
`help(napari_cebra.open_stack)`.

Long work is a generator: it yields reports and returns its result;
`pipeline.exhaust(work)` runs it to its end.
"""


def described(room: str) -> list[str]:
    """Return the section of one room."""
    module = import_module(f"napari_cebra.{room}")
    lines = [f"\n## napari_cebra.{room}\n", f"{inspect.getdoc(module)}\n"]
    lines += ["| | |", "|---|---|"]
    for name in sorted(module.__all__, key=str.lower):
        value = getattr(module, name)
        first = ""
        if inspect.isclass(value) or inspect.isfunction(value):
            first = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
        elif not isinstance(value, str):
            first = "Type." if not isinstance(value, int | float) else "Constant."
        lines.append(f"| `{name}` | {first.replace('|', chr(92) + '|')} |")
    return lines


def page() -> str:
    """Return the whole page."""
    package = import_module("napari_cebra")
    names = ", ".join(f"`{name}`" for name in package.__all__)
    lines = [HEAD, f"From `napari_cebra`: {names}."]
    for room in ROOMS:
        lines += described(room)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "api.md").write_text(page(), encoding="utf-8")
