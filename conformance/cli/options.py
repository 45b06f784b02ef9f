"""Options that several commands have."""

from __future__ import annotations

import os

import click


def _processes(context: click.Context, option: click.Parameter, jobs: str) -> str:
    del context, option
    if jobs != "auto" and not (jobs.isdigit() and int(jobs) > 0):
        msg = f"--jobs {jobs!r}: expected a number of processes, at least 1, or 'auto'"
        raise click.UsageError(msg)
    return jobs


def _colored(context: click.Context, option: click.Parameter, plain: bool) -> bool:
    del context, option
    return not plain and "NO_COLOR" not in os.environ


jobs_option = click.option(
    "-j",
    "--jobs",
    default="auto",
    show_default=True,
    metavar="N|auto",
    callback=_processes,
    help="Worker processes.",
)


def _shard(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    del context, option
    from conformance.report.shards import Shard  # noqa: PLC0415  imports pytest

    try:
        return str(Shard.parse(text)) if text is not None else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error


shard_option = click.option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Judge only this part, such as 2/3; `conformance combine` puts the reports together.",
)

color_option = click.option(
    "--no-color", "color", is_flag=True, callback=_colored, help="Plain text."
)
"""Gives ``color``: neither the option nor the NO_COLOR of the environment is against it."""
