"""The console on which commands print."""

from __future__ import annotations

from rich.console import Console


def silent_console() -> Console:
    """Return a console that prints nothing."""
    return Console(quiet=True)


def console_of(*, color: bool) -> Console:
    """Return a console: as wide as the terminal, or 80 columns where there is none."""
    console = Console(no_color=not color, highlight=False, soft_wrap=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(no_color=True, highlight=False, width=80, emoji=False)
