"""The console on which commands print."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def silent_console() -> Console:
    """Return a console that prints nothing."""
    return Console(quiet=True)


def console_of(*, color: bool, stderr: bool = False) -> Console:
    """Return a console: as wide as the terminal, or 80 columns where there is none.

    Args:
        color: Whether a terminal gets colors.
        stderr: Print on standard error.
    """
    settings: dict[str, Any] = {"highlight": False, "emoji": False, "stderr": stderr}
    console = Console(no_color=not color, soft_wrap=False, **settings)
    if console.is_terminal:
        return console
    return Console(no_color=True, width=80, **settings)
