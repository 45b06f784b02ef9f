"""A click group that imports a command on demand, after a recipe in click's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on demand.

    Args:
        package: The package of these modules.
        sections: The sections of ``--help`` by title. Each has the place of each command in the
            package, as ``module:attribute``, and its line, so that ``--help`` imports none of them.
        removed: What to use in the place of a command that was removed.
    """

    def __init__(
        self,
        *args: Any,
        package: str,
        sections: Mapping[str, Mapping[str, tuple[str, str]]],
        removed: Mapping[str, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self._sections = sections
        self._removed = removed
        self._places = {
            name: place for section in sections.values() for name, (place, _) in section.items()
        }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in alphabetical order."""
        return sorted([*super().list_commands(ctx), *self._places])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module."""
        if cmd_name in self._removed:
            msg = f"the command {cmd_name!r} was removed: use `{self._removed[cmd_name]}`"
            raise click.UsageError(msg, ctx)
        if cmd_name not in self._places:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"{self._package}.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the line of each command, section by section, in one column."""
        del ctx
        width = max(map(len, self._places))
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), line) for name, (_, line) in section.items()]
                )
