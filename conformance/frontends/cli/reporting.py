"""``report``, ``combine`` and ``diff``: commands that read reports."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import click

from conformance.adapters.errors import printable
from conformance.diagnosis.client import diagnoses
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.parameters import (
    FILE,
    check_writable,
    choose_detail,
    color_option,
    diagnosis_option,
    quiet_option,
    verbose_option,
)
from conformance.frontends.cli.publishing import (
    FORMATS,
    different_files,
    publish,
    rendering_options,
    summarize_job,
    write,
)
from conformance.report import combining
from conformance.report.diff import compare
from conformance.report.exit_codes import ExitCode
from conformance.report.formats import RENDERERS
from conformance.report.markdown import to_markdown
from conformance.report.model import Report, ReportError
from conformance.report.screen import render_report


def read_report(path: Path) -> Report:
    """Return the report in a file, or end with a usage error."""
    try:
        return Report.read(path)
    except ReportError as error:
        raise click.UsageError(printable(str(error))) from error


@click.command()
@click.argument("file", type=FILE)
@rendering_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS[1:]),
    help="Print it in this format, as `conformance run --format` does.",
)
def report(file: Path, form: str | None, **renderings: Path | None) -> None:
    """Render the JSON report FILE; without an option, print it as Markdown."""
    different_files(**renderings)
    found = read_report(file)
    _refuse_overwriting((file,), "the report itself", *renderings.values())
    if form is not None:
        click.echo(RENDERERS[form](found), nl=False)
    elif not any(renderings.values()):
        click.echo(to_markdown(found), nl=False)
    publish(found, **renderings)


@click.command()
@click.argument("shards", metavar="SHARD...", type=FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    callback=check_writable,
    help="Where to write the combined report.",
)
@rendering_options
@diagnosis_option
@verbose_option
@quiet_option
@color_option
def combine(
    shards: tuple[Path, ...],
    output: Path,
    diagnose: bool,
    verbose: bool,
    quiet: bool,
    color: bool,
    **renderings: Path | None,
) -> None:
    """Combine the reports of `conformance run --shard i/n`.

    The result is what a single run would have written, apart from times and workers, and so is
    the exit code. Shards that are incomplete, missing, overlapping or differently configured
    are refused by name: exit code 2, and nothing is written.
    """
    detail = choose_detail(verbose=verbose, quiet=quiet)
    different_files(output=output, **renderings)
    _refuse_overwriting(shards, "a shard", output, *renderings.values())
    whole = _combine(shards)
    if diagnose:
        whole.diagnoses.update(diagnoses(whole))
    write("output", output, whole.to_text())
    publish(whole, **renderings)
    summarize_job(whole)
    render_report(whole, console_of(color=color), detail)
    sys.exit(whole.footer.exit_code)


def _combine(shards: tuple[Path, ...]) -> Report:
    try:
        return combining.combine([(str(path), read_report(path)) for path in shards])
    except combining.ShardError as error:
        raise click.UsageError(printable(str(error))) from error


def _refuse_overwriting(sources: tuple[Path, ...], what: str, *targets: Path | None) -> None:
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
    """Show what changed from the report OLD to the report NEW.

    Exit codes: 0 nothing got worse, 1 a requirement newly fails or is no longer judged, 2 a
    report is incomplete or cannot be read. Changes in accuracy and speed are reported, but do
    not affect the exit code.
    """
    reports = [read_report(old), read_report(new)]
    for path, one in zip((old, new), reports, strict=True):
        if not one.complete or one.header.shard is not None:
            msg = f"{path} is not the report of a whole run. Run again, or `conformance combine`."
            raise click.UsageError(msg)
    changes = compare(*reports)
    found = {kind.name: getattr(changes, kind.name) for kind in fields(changes)}
    for kind, lines in found.items():
        if lines:
            click.echo(f"{kind.replace('_', ' ').capitalize()} ({len(lines)})")
        for line in lines:
            click.echo(f"  {printable(line, keep='')}")
    if not any(found.values()):
        click.echo("No change.")
    sys.exit(ExitCode.FAILED if changes.worse else ExitCode.OK)
