"""``waivers update``: add entries for the violations of a report, to be filled in."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import FILE
from conformance.frontends.cli.reporting import read_report
from conformance.report.atomic_files import write_text
from conformance.report.waiver_format import WaiverError, draft_entry, read_entries
from conformance.requirements.verdict import Outcome


@click.group()
def waivers() -> None:
    """Maintain a file of known violations, with a reason and an issue for each."""


@waivers.command()
@click.option(
    "--report", "source", required=True, type=FILE, help="Report whose violations to waive."
)
@click.option(
    "--file",
    "target",
    default=Path("waivers.toml"),
    show_default=True,
    type=FILE,
    help="File to add to; its entries are kept.",
)
def update(source: Path, target: Path) -> None:
    """Add an entry for each violation that has none, with its counterexample pinned.

    Reason and issue are left empty: fill them in before using the file.
    """
    report = read_report(source)
    before, known = _read_entries(target)
    added = [
        draft_entry(verdict)
        for verdict in report.verdicts
        if verdict.outcome is Outcome.VIOLATES
        and (verdict.requirement, verdict.implementation) not in known
    ]
    if added:
        _write(target, "\n".join([before.rstrip("\n") + "\n"] * bool(before) + added))
    click.echo(f"{printable(str(target))}: {len(added)} added, {len(known)} already there.")


def _read_entries(target: Path) -> tuple[str, set[tuple[str, str]]]:
    """Return a file's text, and the pairs that have an entry, filled in or not."""
    if not target.exists():
        return "", set()
    try:
        entries = read_entries(target)
        known = {(entry["requirement"], entry["implementation"]) for entry in entries}
        return target.read_text(encoding="utf-8"), known
    except WaiverError as error:
        raise click.UsageError(printable(str(error))) from error
    except (KeyError, TypeError) as error:
        msg = f"{target}: an entry names no requirement or no implementation. Fix or remove it."
        raise click.UsageError(printable(msg)) from error


def _write(target: Path, text: str) -> None:
    """Write the file, if it is still valid TOML with the new entries."""
    try:
        tomllib.loads(text)
        write_text(target, text)
    except tomllib.TOMLDecodeError as error:
        msg = f"--file {target}: nothing can be added to it: {error}. Write its entries as "
        msg += "[[waiver]], or name another file."
        raise click.UsageError(printable(msg)) from error
    except (OSError, ValueError) as error:
        msg = f"--file {target}: cannot be written: {error}. Name another file."
        raise click.UsageError(printable(msg)) from error
