"""``report``, ``combine``, ``diff`` and ``schema``: what can be done with reports."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import FILE, color_option, writable
from conformance.frontends.cli.publishing import (
    different_files,
    publish,
    rendering_options,
    summarize_job,
    write,
)

if TYPE_CHECKING:
    from conformance.report.model import Report


def read(path: Path) -> Report:
    """Return the report in a file, or end with a usage error."""
    from conformance.report.model import Report, ReportError  # noqa: PLC0415  not for --help

    try:
        return Report.read(path)
    except ReportError as error:
        raise click.UsageError(printable(str(error))) from error


@click.command()
@click.argument("file", type=FILE)
@rendering_options
def report(file: Path, html: Path | None, markdown: Path | None, badge: Path | None) -> None:
    """Render the JSON report FILE; without an option, as Markdown to the terminal."""
    different_files(html=html, markdown=markdown, badge=badge)
    found = read(file)
    _keep((file,), "the report itself", html, markdown, badge)
    if not (html or markdown or badge):
        from conformance.report.markdown import to_markdown  # noqa: PLC0415  only what is wanted

        click.echo(to_markdown(found), nl=False)
    publish(found, html=html, markdown=markdown, badge=badge)


@click.command()
@click.argument("shards", metavar="SHARD...", type=FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    metavar="FILE",
    callback=writable,
    help="The whole report.",
)
@rendering_options
@click.option("--no-diagnosis", is_flag=True, help="Do not look for the most likely mistake.")
@color_option
def combine(
    shards: tuple[Path, ...],
    output: Path,
    html: Path | None,
    markdown: Path | None,
    badge: Path | None,
    no_diagnosis: bool,
    color: bool,
) -> None:
    """Put the reports of `conformance run --shard i/n` together.

    The result is what a single run would have written, apart from times and workers; it ends
    with the exit code of that run. Shards that are incomplete, missing, overlapping or
    differently configured are refused by name: exit code 2, and nothing is written.
    """
    from conformance.frontends.cli.run_pytest import console_of  # noqa: PLC0415  imports pytest
    from conformance.report.terminal import render  # noqa: PLC0415  imports rich

    different_files(output=output, html=html, markdown=markdown, badge=badge)
    _keep(shards, "a shard", output, html, markdown, badge)
    whole = _combined(shards)
    if not no_diagnosis:
        from conformance.diagnosis.client import diagnoses  # noqa: PLC0415  only for violations

        whole.diagnoses.update(diagnoses(whole))
    write("output", output, whole.to_text())
    publish(whole, html=html, markdown=markdown, badge=badge)
    summarize_job(whole)
    render(whole, console_of(color=color))
    sys.exit(whole.footer.exit_code)


def _combined(shards: tuple[Path, ...]) -> Report:
    from conformance.report.shards import ShardError  # noqa: PLC0415  imports pytest
    from conformance.report.shards import combine as combined  # noqa: PLC0415

    try:
        return combined([(str(path), read(path)) for path in shards])
    except ShardError as error:
        raise click.UsageError(printable(str(error))) from error


def _keep(sources: tuple[Path, ...], what: str, *targets: Path | None) -> None:
    """Refuse to write to a file that is read from."""
    written = {path.resolve() for path in targets if path is not None}
    for path in sources:
        if path.resolve() in written:
            msg = f"{path} is {what} and would be overwritten. Name another file."
            raise click.UsageError(msg)


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
def diff(old: Path, new: Path) -> None:
    """Tell what changed from the report OLD to the report NEW.

    Exit codes: 0 nothing got worse, 1 something fails newly or is no longer judged, 2 a report
    is not usable or incomplete. Drift of the accuracy and slower requirements are told, and do
    not change the exit code.
    """
    from conformance.report.diff import compare  # noqa: PLC0415  only needed here

    reports = [read(old), read(new)]
    for path, found in zip((old, new), reports, strict=True):
        if not found.complete or found.header.shard is not None:
            msg = f"{path} is not the report of a whole run. Run again, or `conformance combine`."
            raise click.UsageError(msg)
    changes = compare(*reports)
    told = {kind.name: getattr(changes, kind.name) for kind in fields(changes)}
    for kind, lines in told.items():
        if lines:
            click.echo(f"{kind.replace('_', ' ').capitalize()} ({len(lines)})")
        for line in lines:
            click.echo(f"  {printable(line, keep='')}")
    if not any(told.values()):
        click.echo("No change.")
    sys.exit(1 if changes.worse else 0)


@click.command()
def schema() -> None:
    """Print the JSON Schema of reports."""
    from conformance.report.model import SCHEMA  # noqa: PLC0415  not for --help

    click.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)
