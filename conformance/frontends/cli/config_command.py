"""``config``: show the settings of a project, and where each value comes from."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import DEFAULT, check_names, run_options
from conformance.frontends.options import COMMAND_LINE
from conformance.frontends.project_settings import SETTINGS


@click.command()
@click.argument("names", metavar="[IMPL]...", nargs=-1, callback=check_names)
@run_options
@click.pass_context
def config(context: click.Context, /, names: tuple[str, ...], **options: Any) -> None:
    """Show each value that `conformance run` would use with these arguments, and its source.

    Settings are in conformance.toml or in [tool.conformance] of pyproject.toml, in the working
    directory or the nearest one above it; options override them.
    """
    source = context.meta["settings"].source
    project = context.default_map or {}
    chosen = names or project.get("implementations") or DEFAULT
    origin = "arguments" if names else source if "implementations" in project else "default"
    rows = [("implementations", chosen, origin)]
    for name in SETTINGS:
        if name == "implementations":
            continue
        given = context.get_parameter_source(name)
        origin = (
            f"option {COMMAND_LINE[name]}" if given is ParameterSource.COMMANDLINE else "default"
        )
        origin = source if given is ParameterSource.DEFAULT_MAP else origin
        rows.append((name, options[name], origin))
    click.echo(f"Settings: {printable(source) or 'none, so the defaults apply'}")
    for name, value, origin in rows:
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        shown = "not set" if shown is None or shown == "" else shown
        short = "settings" if origin == source and source else origin
        click.echo(printable(f"  {name:<20} {shown!s:<36} {short}"))
