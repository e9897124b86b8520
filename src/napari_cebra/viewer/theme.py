"""napari's theme, for what napari does not draw itself."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme


def colours(theme_name: str) -> dict[str, tuple[int, int, int]]:
    """Return ``background``, ``foreground``, ``text`` and ``canvas`` as RGB."""
    theme: Any = get_theme(theme_name)
    names = ("background", "foreground", "text", "canvas", "secondary", "highlight")
    return {name: tuple(getattr(theme, name).as_rgb_tuple()[:3]) for name in names}
