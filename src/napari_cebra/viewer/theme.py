"""napari's theme, for what napari does not draw itself."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme

Rgb = tuple[int, int, int]

# Told apart on napari's dark and light backgrounds, and by colour-blind people.
ORANGE, BLUE, GREEN, PINK = (230, 140, 0), (60, 150, 230), (0, 158, 115), (214, 90, 160)
CURSOR = (230, 180, 0)


def colours(theme_name: str) -> dict[str, Rgb]:
    """Return ``background``, ``foreground``, ``text`` and others as RGB."""
    theme: Any = get_theme(theme_name)
    names = ("background", "foreground", "text", "secondary", "warning")
    return {name: tuple(getattr(theme, name).as_rgb_tuple()[:3]) for name in names}


def legend_text(entries: list[tuple[str, Rgb]]) -> str:
    """Return rich text with a square of its colour before each name."""
    square = '<span style="color: rgb{1};">\u25a0</span>&nbsp;{0}'
    return " &nbsp; ".join(square.format(text, colour) for text, colour in entries)


def style_plots(view: Any, plots: list[Any], theme_name: str) -> None:
    """Give a pyqtgraph view and its plots napari's colours.

    Parameters
    ----------
    view : pyqtgraph.GraphicsLayoutWidget
        Whose background is set.
    plots : list of pyqtgraph.PlotItem
        Whose axes and labels are set.
    theme_name : str
        ``viewer.theme``.
    """
    found = colours(theme_name)
    view.setBackground(found["background"])
    for plot in plots:
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(found["secondary"])
            axis.setTextPen(found["text"])
            axis.labelStyle["color"] = "#{:02x}{:02x}{:02x}".format(*found["text"])
            axis.setLabel(axis.labelText, axis.labelUnits)
