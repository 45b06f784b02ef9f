"""``smoke``: check an adapter before its layer is judged."""

from __future__ import annotations

import click

from conformance.adapters.errors import AdapterError, printable
from conformance.engine.sandbox.limits import Limits
from conformance.frontends.cli.parameters import check_names
from conformance.report.exit_codes import ExitCode


@click.command()
@click.argument("name", metavar="IMPL", callback=check_names)
def smoke(name: str) -> None:
    """Check the adapter: can IMPL be built, called, read and written?

    Exit codes: 0, or 2 if a check fails or IMPL cannot be resolved.
    """
    from conformance.diagnosis.adapter_check import problems  # noqa: PLC0415  imports NumPy
    from conformance.engine.sandbox.worker_process import WorkerProcess  # noqa: PLC0415
    from conformance.properties.support.subject import Subject  # noqa: PLC0415

    failed = False
    worker = WorkerProcess(name, Limits())
    try:
        declared = worker.receive_declaration()
        for step, problem in problems(Subject(declared, worker)):
            if problem is None:
                click.echo(f"  ok    {step}")
                continue
            failed = True
            click.echo(click.style(f"  FAIL  {step}", fg="red"))
            click.echo(f"        {printable(problem)}")
    except AdapterError as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
        raise SystemExit(ExitCode.UNUSABLE) from error
    finally:
        worker.close()
    by_itself = declared.recognition is not None  # nobody wrote an adapter
    if failed:
        what = "how it was recognized" if by_itself else "the adapter"
        click.echo(
            f"{name}: {what}, or the layer itself, fails this check; later checks were skipped."
        )
        raise SystemExit(ExitCode.UNUSABLE)
    sound = "it can be driven as recognized" if by_itself else "the adapter is sound"
    click.echo(f"{name}: {sound}. `conformance run {name}` judges the layer.")
