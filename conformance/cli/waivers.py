"""``waivers update``: entries for the violations of a report, to be filled in."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.cli.options import FILE
from conformance.cli.reporting import read
from conformance.report.files import write_text
from conformance.verdict import Outcome
from conformance.waivers import skeleton


@click.group()
def waivers() -> None:
    """Violations that are known: a file with a reason and an issue for each."""


@waivers.command()
@click.option(
    "--report",
    "source",
    required=True,
    type=FILE,
    metavar="FILE",
    help="The report whose violations are to be waived.",
)
@click.option(
    "--file",
    "target",
    default=Path("waivers.toml"),
    show_default=True,
    type=FILE,
    metavar="FILE",
    help="The file to add to; what it has is kept.",
)
def update(source: Path, target: Path) -> None:
    """Add an entry for each violation that has none, with its counterexample pinned.

    Reason and issue are left empty, and must be filled in before the file can be used.
    """
    report = read(source)
    try:
        before = target.read_text(encoding="utf-8") if target.exists() else ""
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    known = _keys(target, before)
    added = [
        skeleton(verdict)
        for verdict in report.verdicts
        if verdict.outcome is Outcome.VIOLATES
        and (verdict.requirement, verdict.implementation) not in known
    ]
    if added:
        try:
            write_text(target, "\n".join([before.rstrip("\n") + "\n"] * bool(before) + added))
        except (OSError, ValueError) as error:
            msg = f"--file {target}: cannot be written: {error}"
            raise click.UsageError(msg) from error
    click.echo(f"{target}: {len(added)} added, {len(known)} were there.")


def _keys(target: Path, text: str) -> set[tuple[str, str]]:
    """Return the pairs that a file has entries for, filled in or not."""
    import tomllib  # noqa: PLC0415  only here

    try:
        entries = tomllib.loads(text).get("waiver", [])
        return {(entry["requirement"], entry["implementation"]) for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{target} is no file of waivers: {error}. Mend it, or name another one by --file."
        raise click.UsageError(msg) from error
