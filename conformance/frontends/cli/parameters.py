"""Options that several commands have."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click

from conformance.adapters.errors import printable

FILE = click.Path(dir_okay=False, path_type=Path)
"""The type of options and arguments that name a file."""


def _processes(context: click.Context, option: click.Parameter, jobs: str) -> str:
    del context, option
    if jobs != "auto" and not (jobs.isascii() and jobs.isdigit() and int(jobs) > 0):
        msg = f"--jobs {jobs!r}: expected a number of processes, at least 1, or 'auto'"
        raise click.UsageError(msg)
    return jobs


def _colored(context: click.Context, option: click.Parameter, plain: bool) -> bool:
    del context, option
    return not plain and "NO_COLOR" not in os.environ


def writable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a file that cannot be written, before anything is judged; write nothing yet."""
    del context
    if path is None:
        return None
    from conformance.report.atomic_files import unwritable  # noqa: PLC0415  not for --help

    if reason := unwritable(path):
        msg = f"--{option.name} {str(path)!r}: cannot be written: {reason}"
        raise click.UsageError(printable(msg))
    return path


def usable_waivers(
    context: click.Context, option: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse a file of waivers that cannot be used, before anything is judged."""
    del context, option
    from conformance.report.waivers import WaiverError, read_waivers  # noqa: PLC0415  not for --help

    if path is None:
        return None
    try:
        read_waivers(path)
        return path.absolute()
    except WaiverError as error:
        raise click.UsageError(printable(str(error))) from error


def finite(context: click.Context, option: click.Parameter, seconds: float | None) -> float | None:
    """Refuse what is a float and no duration."""
    del context
    if seconds is not None and not math.isfinite(seconds):
        flag = option.opts[0]
        msg = f"{flag} {seconds}: expected a number of {'GiB' if 'memory' in flag else 'seconds'}"
        raise click.UsageError(msg)
    return seconds


def encodable(
    context: click.Context, option: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Refuse names that are no UTF-8: reports, being JSON and XML, could not tell them."""
    del context, option
    for name in (value,) if isinstance(value, str) else value:
        if not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
            msg = f"'{printable(name)}' is no UTF-8: rename the file or the module"
            raise click.UsageError(msg)
    return value


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
