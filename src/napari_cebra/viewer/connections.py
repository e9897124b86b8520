"""A list of connections that can all be undone at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Connections:
    """Signals connected by one owner, to be undone together.

    Works with psygnal signals, napari's event emitters and mouse-callback
    lists. Handlers should take no argument and read the state again.
    """

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []

    def add(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect, and remember it."""
        signal.connect(slot)
        self._made.append((signal, slot))

    def add_callback(self, callbacks: list[Any], callback: Callable[..., Any]) -> None:
        """Append to one of napari's callback lists, and remember it."""
        callbacks.append(callback)
        self._made.append((callbacks, callback))

    def close(self) -> None:
        """Undo all; safe to call twice, and after a sender has gone."""
        made, self._made = self._made, []
        for sender, slot in made:
            with suppress(ValueError, IndexError, KeyError, RuntimeError, TypeError):
                if hasattr(sender, "disconnect"):
                    sender.disconnect(slot)
                else:
                    sender.remove(slot)
