"""``behaviours``: characterize implementations where the requirements are silent."""

from __future__ import annotations

import json
from pathlib import Path

import click

from conformance.adapters.errors import AdapterError, printable
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.parameters import FILE, check_names, check_writable, color_option
from conformance.report.atomic_files import write_text
from conformance.report.exit_codes import ExitCode


@click.command()
@click.argument("names", metavar="IMPL...", nargs=-1, required=True, callback=check_names)
@click.option(
    "--json", "target", type=FILE, callback=check_writable, help="Write the observations as JSON."
)
@color_option
def behaviours(names: tuple[str, ...], target: Path | None, color: bool) -> None:
    """Show what IMPL does with inputs and settings that no requirement covers.

    Nothing here is judged. Exit codes: 0, or 2 if an implementation cannot be resolved.
    """
    from conformance.diagnosis.behaviours.observer import Observer  # noqa: PLC0415  imports NumPy
    from conformance.diagnosis.behaviours.tables import document, table  # noqa: PLC0415

    console = console_of(color=color)
    observed = []
    for name in names:
        observer = Observer(name)
        try:
            found = list(observer.observations())
        except AdapterError as error:
            click.echo(f"Error: {printable(str(error))}", err=True)
            raise SystemExit(ExitCode.UNUSABLE) from error
        observed.append((name, observer.kind, found))
        console.print(table(name, observer.kind, found))
    if target is not None:
        write_text(target, json.dumps(document(observed), indent=1, ensure_ascii=False) + "\n")
