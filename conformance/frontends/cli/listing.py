"""``list``, ``explain``, ``implementations`` and ``schema``: these print text and run nothing."""

from __future__ import annotations

import ast
import json
import textwrap
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import click

from conformance.adapters.protocols import PROTOCOL_SCHEMA
from conformance.adapters.resolve import GROUP, find_registered
from conformance.frontends.options import OptionError
from conformance.frontends.requirement_choice import select_requirements
from conformance.report import grade as grades
from conformance.report.model import SCHEMA, VECTORS_SCHEMA
from conformance.report.text import WIDTH
from conformance.requirements import REQUIREMENTS, Level, Requirement
from conformance.requirements.editions import (
    UnknownEdition,
    edition_named,
    history_of,
    newest_edition,
)
from conformance.requirements.pages import page_of


def _selected(
    patterns: tuple[str, ...], edition: str | None, level: str | None = None
) -> tuple[Requirement, ...]:
    """Return the selected rows, those of MAY included, or end with a usage error."""
    try:
        return select_requirements(patterns, level, edition, with_may=True)
    except (OptionError, UnknownEdition) as error:
        raise click.UsageError(str(error)) from error


_edition_option = click.option(
    "--edition", metavar="EDITION", help="As this edition has it; default: the newest."
)


@click.command("list")
@click.option(
    "-k",
    "--filter",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="List only these: ids, families or globs.",
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    help="List only rows of this level.",
)
@_edition_option
@click.option("--json", "as_json", is_flag=True, help="Print every field as one JSON array.")
def list_requirements(
    patterns: tuple[str, ...], level: str | None, edition: str | None, as_json: bool
) -> None:
    """List the requirements."""
    rows = _selected(patterns, edition, level)
    if as_json:
        fields = [asdict(r) | {"level": r.level.value, "needs": r.needs.value} for r in rows]
        click.echo(json.dumps(fields, indent=1, ensure_ascii=False))
        return
    for row in rows:
        head = f"{row.id:<12} {row.level.value.upper():<6} "
        click.echo(textwrap.fill(head + row.statement, WIDTH, subsequent_indent=" " * 20))
    left_open = sum(row.level is Level.MAY for row in rows)
    counts = [f"{len(rows) - left_open} requirements"] * (len(rows) > left_open)
    counts += [f"{left_open} left open (MAY)"] * bool(left_open)
    chosen = newest_edition() if edition is None else edition_named(edition)
    added = sum(row.id not in chosen.rows for row in rows)
    since = f" and {added} added since" if added else ""
    click.echo(f"{', '.join(counts)}. Edition {chosen.name}{since}.")
    click.echo("`conformance explain ID` explains one.")


@click.command()
@click.argument("identity", metavar="ID")
@_edition_option
def explain(identity: str, edition: str | None) -> None:
    """Explain one requirement.

    Statement, formula, reason, classical mistakes, history, the address of its page, and the source
    of its property.
    """
    if edition is None and identity.upper() in REQUIREMENTS:  # also what an edition has dropped
        rows: tuple[Requirement, ...] = (REQUIREMENTS[identity.upper()],)
    else:
        rows = _selected((identity,), edition)
    for number, row in enumerate(rows):
        if number:
            click.echo()
        _explain(row)


def _explain(row: Requirement) -> None:
    click.echo(click.style(f"{row.id}  ({row.level.value.upper()})", bold=True))
    click.echo(textwrap.fill(row.statement, WIDTH, initial_indent="  ", subsequent_indent="  "))
    if row.formula:
        click.echo(f"\n  {row.formula}")
    click.echo("\n  Grounds")
    click.echo(textwrap.fill(row.grounds, WIDTH, initial_indent="    ", subsequent_indent="    "))
    click.echo("\n  Why it matters")
    click.echo(textwrap.fill(row.why, WIDTH, initial_indent="    ", subsequent_indent="    "))
    if row.mistakes:
        click.echo("\n  Classical mistakes")
    for mistake in row.mistakes:
        click.echo(textwrap.fill(mistake, WIDTH, initial_indent="  - ", subsequent_indent="    "))
    click.echo(f"\n  Needs: {row.needs.value}    Source: {row.source}")
    click.echo("\n  Editions")
    for change in map(str, history_of(row.id)):
        click.echo(textwrap.fill(change, WIDTH, initial_indent="    ", subsequent_indent="      "))
    page = page_of(row.id)
    where = "" if "://" in page else " of the documentation site"
    click.echo(f"\n  Page: {page}{where}")
    click.echo(f"\n  How it is {'observed' if row.level is Level.MAY else 'judged'}")
    click.echo(textwrap.indent(property_source(row.id), "    "))


def property_source(identity: str) -> str:
    """Return the source of a property, without importing it.

    Args:
        identity: The id of the requirement.

    Raises:
        LookupError: No property judges it.
    """
    package = find_spec("conformance.properties")
    assert package is not None and package.submodule_search_locations  # noqa: S101, PT018
    for path in sorted(Path(package.submodule_search_locations[0]).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f'"{identity}"' not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and _judges(node, identity):
                first = min(d.lineno for d in node.decorator_list)
                return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    msg = f"{identity} has no property"
    raise LookupError(msg)


def _judges(node: ast.FunctionDef, identity: str) -> bool:
    return any(
        isinstance(d, ast.Call) and d.args and ast.unparse(d.args[0]) == repr(identity)
        for d in node.decorator_list
    )


@click.command()
def implementations() -> None:
    """List the registered implementations."""
    for name, point in find_registered().items():
        package = point.dist.name if point.dist is not None else "unknown"
        click.echo(f"{name:<20} {point.value:<36} {package}")
    click.echo(f"\nRegistered under the entry-point group {GROUP}.")
    click.echo("Anything else is named module:attribute or path/to/file.py:attribute.")
    click.echo("flax@0.12.1, flax@./venv and 'command:PROGRAM' are judged in other environments.")


@click.command()
@click.option("--grade", is_flag=True, help="Print that of grades (`conformance run --grade`).")
@click.option("--protocol", is_flag=True, help="Print that of the protocol of commands.")
@click.option("--vectors", is_flag=True, help="Print that of test vectors (`conformance vectors`).")
def schema(grade: bool, protocol: bool, vectors: bool) -> None:
    """Print the JSON Schema of reports."""
    if grade + protocol + vectors > 1:
        raise click.UsageError("--grade, --protocol and --vectors exclude each other")
    file = SCHEMA
    if grade or protocol or vectors:
        file = grades.SCHEMA if grade else PROTOCOL_SCHEMA if protocol else VECTORS_SCHEMA
    click.echo(file.read_text(encoding="utf-8"), nl=False)
