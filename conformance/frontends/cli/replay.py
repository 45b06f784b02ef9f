"""``replay``: run the counterexample of one violation again."""

from __future__ import annotations

import contextlib
import difflib
import sys
from dataclasses import replace
from pathlib import Path

import click

from conformance.engine.budget import budget
from conformance.engine.environments import find_interpreter, split_place
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.history import StoredViolation, read_history, violations_in
from conformance.frontends.cli.parameters import FILE, check_writable, color_option
from conformance.frontends.cli.reporting import read_report
from conformance.report.exit_codes import ExitCode
from conformance.report.text import format_violation
from conformance.requirements.verdict import Outcome


@click.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--report",
    "source",
    type=FILE,
    help="Take the violation from this report, instead of from recent runs.",
)
@click.option("--impl", "name", metavar="IMPL", help="Run it on this implementation instead.")
@click.option(
    "--script",
    type=FILE,
    callback=check_writable,
    help="Write a standalone script that reproduces it, usable with `git bisect run`.",
)
@color_option
def replay(
    identity: str, source: Path | None, name: str | None, script: Path | None, color: bool
) -> None:
    """Run the counterexample ID again, on exactly the arrays that it was found with.

    Exit codes: 0 it no longer violates, 1 it still does, 2 it cannot be replayed.
    """
    found = _find_violations(identity, source)
    if script is not None:
        _write_script(_choose_one(found, identity, name), script, name)
        needs = "with" if "from conformance" in script.read_text("utf-8") else "without"
        click.echo(f"{script} reproduces {identity} {needs} the suite; it exits with 1 if it does.")
        return
    chosen = found[:1] if name is not None else found  # they all have the same inputs
    statuses = []
    for stored in chosen:
        with _in_directory_of(stored, name):
            statuses.append(_replay(stored, name, color=color))
    sys.exit(max(statuses))


def _in_directory_of(
    stored: StoredViolation, name: str | None
) -> contextlib.AbstractContextManager[None]:
    """Return a context in which relative names of files refer to the same files as in the run."""
    if name is None and stored.directory is not None and stored.directory.is_dir():
        return contextlib.chdir(stored.directory)
    return contextlib.nullcontext()


def _choose_one(found: list[StoredViolation], identity: str, name: str | None) -> StoredViolation:
    """Return the one violation for which a script can be written, or end with a usage error."""
    here = [s for s in found if s.directory == Path.cwd()]
    if name is not None:  # preferably one that was found in the same implementation
        return next((s for s in found if s.verdict.implementation == name), found[0])
    if len(found) == 1:
        return found[0]
    if len(here) == 1:
        return here[0]
    names = ", ".join(stored.verdict.implementation for stored in found)
    msg = f"{identity} was found with {names}: a script is about one. Name it: --impl IMPL."
    raise click.UsageError(msg)


def _write_script(stored: StoredViolation, script: Path, name: str | None) -> None:
    from conformance.report.reproducers.construction_spec import Blueprint, BlueprintRequest  # noqa: PLC0415  NumPy
    from conformance.report.reproducers.no_script import NoScript  # noqa: PLC0415
    from conformance.report.reproducers.recorder import record_case  # noqa: PLC0415  NumPy
    from conformance.report.reproducers.verify import write_script  # noqa: PLC0415

    target = script.absolute()  # before changing to the directory of the implementation
    implementation = name or stored.verdict.implementation
    with _in_directory_of(stored, name):
        with _supervisor(strictly=stored.strictly) as supervisor:
            if refusal := supervisor.refusal(implementation):
                raise click.UsageError(refusal)
            try:
                blueprint = Blueprint.from_json(supervisor.ask(implementation, BlueprintRequest()))
                subject = supervisor.subject(implementation)
                recording = record_case(stored.verdict.requirement, subject, stored.values)
            except WorkerLost as lost:
                msg = f"{implementation} cannot be inspected: {lost.how}"
                raise click.UsageError(msg) from lost
            except NoScript as error:
                raise click.UsageError(_without_script(stored, error)) from error
        try:
            place = split_place(implementation)
            python = find_interpreter(place) if place.environment else sys.executable
            write_script(stored.verdict, recording, blueprint, target, interpreter=python)
        except NoScript as error:
            raise click.UsageError(_without_script(stored, error)) from error


def _without_script(stored: StoredViolation, error: Exception) -> str:
    return (
        f"{stored.id} has no script: {error}. `conformance replay {stored.id}` shows it, "
        "without a script."
    )


def _supervisor(*, strictly: bool = False) -> contextlib.closing[Supervisor]:
    return contextlib.closing(Supervisor(budget(minimize=False), strictly=strictly))


def _find_violations(identity: str, source: Path | None) -> list[StoredViolation]:
    """Return the violations of an id, one per implementation, or end with a usage error."""
    stored = list(violations_in(read_report(source))) if source else list(read_history())
    known = {one.id: one for one in stored}
    if identity not in known:
        near = difflib.get_close_matches(identity, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        where = str(source) if source else "the violations of recent runs"
        msg = (
            f"{identity!r} is not among {where}.{hint} Name the report that has it: --report FILE."
        )
        raise click.UsageError(msg)
    chosen = {s.verdict.implementation: s for s in reversed(stored) if s.id == identity}
    return list(chosen.values())


def _replay(stored: StoredViolation, name: str | None, *, color: bool) -> ExitCode:
    old = stored.verdict
    implementation = name or old.implementation
    with _supervisor(strictly=stored.strictly) as supervisor:
        if refusal := supervisor.refusal(implementation):
            click.echo(f"Error: {refusal}", err=True)
            return ExitCode.UNUSABLE
        verdict = supervisor.judge(old.requirement, implementation, values=stored.values)
        verdict = replace(verdict, level=old.level)  # by the edition of the run
    console = console_of(color=color)
    if verdict.outcome is Outcome.VIOLATES:
        console.print(format_violation(verdict), markup=False, highlight=False, soft_wrap=True)
        return ExitCode.FAILED
    if verdict.outcome in {Outcome.ERRORED, Outcome.UNSUPPORTED}:
        click.echo(f"Error: {old.requirement} on {implementation}: {verdict.detail}", err=True)
        return ExitCode.UNUSABLE
    words = f"{stored.id} does not occur any more: {implementation} meets "
    console.print(f"{words}{old.requirement} in this case.", markup=False, highlight=False)
    return ExitCode.OK
