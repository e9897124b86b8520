"""Numbers as a person reads them, the same in every dock."""

from __future__ import annotations


def count(number: float) -> str:
    """Return a whole number with thin spaces between its thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")
