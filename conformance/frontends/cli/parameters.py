"""Options and checks that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conformance.adapters.errors import printable
from conformance.frontends.options import RUN_OPTIONS, OptionError, RunOption, check_values
from conformance.frontends.project_settings import SETTINGS, Settings, read_settings
from conformance.report.atomic_files import why_unwritable
from conformance.report.detail import Detail

FILE = click.Path(dir_okay=False, path_type=Path)
"""The type of options and arguments that name a file."""


DEFAULT = ("impl", "flax")
"""The implementations judged by default: the reference, and flax's layer."""


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add every option of a run that the command line offers, and read the project's settings."""
    command = click.option(
        "--no-config",
        is_flag=True,
        is_eager=True,  # before the options whose defaults it decides
        expose_value=False,
        callback=_use_settings,
        help="Ignore conformance.toml and pyproject.toml, as --grade does.",
    )(command)
    for option in reversed(RUN_OPTIONS):
        if option.flags:
            flags = [*option.flags]
            if option.type is bool and option.name in SETTINGS:
                flags[-1] += f"/--no-{flags[-1].removeprefix('--')}"
            command = click.option(*flags, option.name, **_settings_of(option))(command)
    return command


def _use_settings(context: click.Context, parameter: click.Parameter, ignored: bool) -> None:
    """Let the settings of the project be the defaults of the options.

    A grade depends on none: they lie where a submission may have written.
    """
    del parameter
    if ignored or context.params.get("grade"):
        context.meta["settings"] = Settings()
        return
    try:
        settings = read_settings()
    except OptionError as error:
        raise click.UsageError(printable(str(error))) from error
    context.meta["settings"] = settings
    context.default_map = {**settings.values}


def _settings_of(option: RunOption) -> dict[str, Any]:
    """Return the keywords of ``click.option``."""
    if option.type is bool:
        return {"is_flag": True, "help": option.help}
    kind = FILE if option.type is Path else option.type
    return {
        "help": option.help,
        "type": click.Choice(option.choices) if option.choices else kind,
        "default": option.default,
        "show_default": option.default is not None and not option.multiple,
        "multiple": option.multiple,
        "metavar": option.metavar,
    }


def check_names(
    context: click.Context, parameter: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Refuse names of implementations that reports, as JSON and XML, cannot contain."""
    del context, parameter
    names = (value,) if isinstance(value, str) else value
    try:
        check_values({"implementations": names}, {"implementations": "IMPL"})
    except OptionError as error:
        raise click.UsageError(printable(str(error))) from error
    return value


def check_writable(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse a file that cannot be written, before anything is judged; write nothing yet."""
    del context
    if path is not None and (reason := why_unwritable(path)):
        option = isinstance(parameter, click.Option)
        name = parameter.opts[0] if option else parameter.human_readable_name
        msg = f"{name} {str(path)!r}: cannot be written: {reason}"
        raise click.UsageError(printable(msg))
    return path


def _check_jobs(context: click.Context, parameter: click.Parameter, jobs: str) -> str:
    del context, parameter
    if jobs != "auto" and not (jobs.isascii() and jobs.isdigit() and int(jobs) > 0):
        msg = f"--jobs {jobs!r}: expected a number of processes, at least 1, or 'auto'"
        raise click.UsageError(msg)
    return jobs


def _use_color(context: click.Context, parameter: click.Parameter, plain: bool) -> bool:
    del context, parameter
    return not plain and "NO_COLOR" not in os.environ


def seed_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--seed`` of a command other than ``run``; ``text`` is its help."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help=text,
    )


jobs_option = click.option(
    "-j",
    "--jobs",
    default="auto",
    show_default=True,
    metavar="N|auto",
    callback=_check_jobs,
    help="Number of worker processes.",
)

diagnosis_option = click.option(
    "--no-diagnosis",
    "diagnose",
    flag_value=False,
    is_flag=True,
    default=True,
    help="Do not look for the most likely mistake.",
)

color_option = click.option(
    "--no-color", "color", is_flag=True, callback=_use_color, help="Print plain text."
)
"""Passes ``color=False`` if --no-color or $NO_COLOR is set."""

verbose_option = click.option(
    "-v", "--verbose", is_flag=True, help="Print a table of families and each violation in full."
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Print one line per implementation."
)


def grade_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--grade`` and ``--hide-inputs`` to a command."""
    hiding = click.option(
        "--hide-inputs",
        is_flag=True,
        help="Leave out of the grade what tells about the cases or is said by the layer.",
    )
    grading = click.option(
        "--grade",
        type=FILE,
        callback=check_writable,
        is_eager=True,  # before --no-config, which it implies
        help="Write score and hints as JSON, and print them; see docs/grading.md.",
    )
    return grading(hiding(command))


def refuse_other_outputs(**options: Any) -> None:
    """Refuse options that a grade excludes: it is printed instead, and is that of a whole run.

    Args:
        **options: Their values by name.

    Raises:
        click.UsageError: One of them is used.
    """
    for name, value in options.items():
        if value:
            msg = f"--grade and --{name} exclude each other"
            raise click.UsageError(msg)


def choose_detail(*, verbose: bool, quiet: bool) -> Detail:
    """Return how much is printed, or end with a usage error if both are asked for."""
    if verbose and quiet:
        msg = "--verbose and --quiet exclude each other"
        raise click.UsageError(msg)
    return Detail.ALL if verbose else Detail.LINE if quiet else Detail.SCREEN
