"""``replay``: run the case of one violation again."""

from __future__ import annotations

import contextlib
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.frontends.cli.history import Stored, kept, violations_in
from conformance.frontends.cli.parameters import FILE, color_option, writable
from conformance.frontends.cli.reporting import read

if TYPE_CHECKING:
    from conformance.engine.sandbox.supervisor import Supervisor

_USAGE = 2


@click.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--report",
    "source",
    type=FILE,
    metavar="FILE",
    help="Take the violation from this report, not from those of recent runs.",
)
@click.option("--impl", "name", metavar="IMPL", help="Replay it on this implementation instead.")
@click.option(
    "--script",
    type=FILE,
    metavar="FILE",
    callback=writable,
    help="Write a script that shows it without this suite, fit for `git bisect run`.",
)
@color_option
def replay(
    identity: str, source: Path | None, name: str | None, script: Path | None, color: bool
) -> None:
    """Run the counterexample ID again, on the very arrays that it was found with.

    Exit codes: 0 it does not occur any more, 1 it does, 2 it cannot be replayed.
    """
    found = _found(identity, source)
    if script is not None:
        _write(_only(found, identity, name), script, name)
        click.echo(f"{script} shows {identity} without the suite; exit code 1 while it is there.")
        return
    chosen = found[:1] if name is not None else found  # they all have the same inputs
    statuses = []
    for stored in chosen:
        with _place_of(stored, name):
            statuses.append(_replayed(stored, name, color=color))
    sys.exit(max(statuses))


def _place_of(stored: Stored, name: str | None) -> contextlib.AbstractContextManager[None]:
    """Return the directory to be in: where the name of the implementation was meant."""
    if name is None and stored.directory is not None and stored.directory.is_dir():
        return contextlib.chdir(stored.directory)
    return contextlib.nullcontext()


def _only(found: list[Stored], identity: str, name: str | None) -> Stored:
    """Return the one violation that a script can be about, or end with a usage error."""
    here = [s for s in found if s.directory == Path.cwd()]
    if name is not None:  # what was found in it, if anything was, and not what was in another
        return next((s for s in found if s.verdict.implementation == name), found[0])
    if len(found) == 1:
        return found[0]
    if len(here) == 1:
        return here[0]
    names = ", ".join(stored.verdict.implementation for stored in found)
    msg = f"{identity} was found with {names}: a script is about one. Name it: --impl IMPL."
    raise click.UsageError(msg)


def _write(stored: Stored, script: Path, name: str | None) -> None:
    from conformance.engine.sandbox.worker_process import WorkerLost  # noqa: PLC0415
    from conformance.report.reproducers.construction_spec import Blueprint, BlueprintRequest  # noqa: PLC0415
    from conformance.report.reproducers.script import NoScript  # noqa: PLC0415  imports NumPy
    from conformance.report.reproducers.verify import write_script  # noqa: PLC0415

    target = script.absolute()  # before going where the implementation is
    implementation = name or stored.verdict.implementation
    with _place_of(stored, name):
        with _supervisor() as supervisor:
            if refusal := supervisor.refusal(implementation):
                raise click.UsageError(refusal)
            try:
                blueprint = Blueprint.from_json(supervisor.ask(implementation, BlueprintRequest()))
            except WorkerLost as lost:
                msg = f"{implementation} cannot be looked at: {lost.how}"
                raise click.UsageError(msg) from lost
        try:
            write_script(stored.verdict, blueprint, target)
        except NoScript as error:
            raise click.UsageError(str(error)) from error


def _supervisor(*, strictly: bool = False) -> contextlib.closing[Supervisor]:
    from conformance.engine.budget import budget  # noqa: PLC0415
    from conformance.engine.sandbox.supervisor import Supervisor  # noqa: PLC0415

    return contextlib.closing(Supervisor(budget(minimize=False), strictly=strictly))


def _found(identity: str, source: Path | None) -> list[Stored]:
    """Return the violations of an id, one per implementation, or end with a usage error."""
    held = list(violations_in(read(source))) if source else list(kept())
    known = {_identity(stored): stored for stored in held}
    if identity not in known:
        near = difflib.get_close_matches(identity, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        where = str(source) if source else "the violations of recent runs"
        msg = (
            f"{identity!r} is not among {where}.{hint} Name the report that has it: --report FILE."
        )
        raise click.UsageError(msg)
    chosen = {s.verdict.implementation: s for s in reversed(held) if _identity(s) == identity}
    return list(chosen.values())


def _identity(stored: Stored) -> str:
    violation = stored.verdict.violation
    return violation.id if violation is not None else ""


def _replayed(stored: Stored, name: str | None, *, color: bool) -> int:
    from conformance.frontends.cli.run_pytest import console_of  # noqa: PLC0415  imports pytest
    from conformance.report.text import violation_text  # noqa: PLC0415
    from conformance.requirements.verdict import Outcome  # noqa: PLC0415

    old = stored.verdict
    implementation = name or old.implementation
    with _supervisor(strictly=stored.strictly) as supervisor:
        if refusal := supervisor.refusal(implementation):
            click.echo(f"Error: {refusal}", err=True)
            return _USAGE
        verdict = supervisor.judge(old.requirement, implementation, values=stored.values)
    console = console_of(color=color)
    if verdict.outcome is Outcome.VIOLATES:
        console.print(violation_text(verdict), markup=False, highlight=False, soft_wrap=True)
        return 1
    if verdict.outcome in {Outcome.ERRORED, Outcome.UNSUPPORTED}:
        click.echo(f"Error: {old.requirement} on {implementation}: {verdict.detail}", err=True)
        return _USAGE
    words = f"{_identity(stored)} does not occur any more: {implementation} meets "
    console.print(f"{words}{old.requirement} in this case.", markup=False, highlight=False)
    return 0
