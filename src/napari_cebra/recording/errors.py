"""Errors whose text is written for the person at the window."""

from __future__ import annotations


class NapariCebraError(Exception):
    """Base of every error this package raises on purpose.

    Its text is one sentence that names what was wrong, what was expected and
    what to do. The window shows it at the widget that caused it, the command
    line prints it on stderr and exits with 2.
    """


class InvalidInput(NapariCebraError, ValueError):
    """A file, an array or a setting that cannot be used as it is."""
