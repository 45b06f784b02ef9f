"""``smoke``: is the adapter sound, before the layer behind it is judged."""

from __future__ import annotations

import click

from conformance.adapters.errors import AdapterError, printable
from conformance.frontends.cli.parameters import encodable


@click.command()
@click.argument("name", metavar="IMPL", callback=encodable)
def smoke(name: str) -> None:
    """Check the adapter: can IMPL be built, called, read and written?"""
    from conformance.diagnosis.adapter_check import problems  # noqa: PLC0415  imports jax

    try:
        found = False
        for step, problem in problems(name):
            if problem is None:
                click.echo(f"  ok    {step}")
                continue
            found = True
            click.echo(click.style(f"  FAIL  {step}", fg="red"))
            click.echo(f"        {printable(problem)}")
    except AdapterError as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
        raise SystemExit(2) from error
    if found:
        click.echo(
            f"{name}: the adapter is not sound, or its layer makes this very mistake. "
            "What follows this step was not looked at."
        )
        raise SystemExit(2)
    click.echo(f"{name}: the adapter is sound. `conformance run {name}` judges the layer.")
