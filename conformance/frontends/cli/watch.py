"""``watch``: judge an implementation each time that its file is saved."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from conformance.adapters.errors import AdapterError, printable
from conformance.diagnosis.client import Experts
from conformance.engine.jobs import choose_jobs
from conformance.engine.pool import JudgePool
from conformance.engine.sandbox.confinement import hide_memory
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.parameters import (
    check_names,
    color_option,
    diagnosis_option,
    jobs_option,
    run_options,
)
from conformance.frontends.cli.presentation import Presentation
from conformance.frontends.cli.run_report import show_first
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.options import COMMAND_LINE, OptionError
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.run_config import RunConfig
from conformance.frontends.run_session import Session
from conformance.report.exit_codes import ExitCode

_POLL_INTERVAL = 0.1
"""Seconds between two looks at the files."""

_MOST_FILES = 2000
"""Files that are looked at; a folder with more is not the source of one layer."""

Stamps = dict[Path, tuple[int, int]]
"""When each file was written, in nanoseconds, and its size."""


@click.command()
@click.argument("name", metavar="IMPL", callback=check_names)
@run_options
@jobs_option
@diagnosis_option
@color_option
def watch(name: str, jobs: str, diagnose: bool, color: bool, **options: Any) -> None:
    """Judge IMPL each time that its file, or another one in its folder or package, is saved.

    IMPL is named as for `conformance run`. The first violation is printed as soon as it is found,
    the rest with its causes when all is judged. The processes stay, each with the programs loaded
    that most layers need; what was imported of IMPL does not. Ctrl-C ends all of them.
    """
    options["level"] = options["level"] or (None if options["requirements"] else "must")
    given = options | {"implementations": (name,), "first_violation": True}
    try:
        folder = source_folder(name)
        pairs = len(RunConfig.from_options(given, COMMAND_LINE).items())
    except (OptionError, AdapterError) as error:
        raise click.UsageError(printable(str(error))) from error
    console = console_of(color=color)
    hide_memory()
    with catch_signals() as received:
        try:
            how = Presentation(jobs=jobs, color=color, diagnose=diagnose)
            with JudgePool(choose_jobs(jobs, pairs)) as pool:
                while True:
                    _judge_once(pool, RunConfig.from_options(given, COMMAND_LINE), how, folder)
        except KeyboardInterrupt:
            console.print("Ended.", highlight=False)
    sys.exit(received.exit_code)


def source_folder(name: str) -> Path:
    """Return the folder whose Python files are looked at.

    Args:
        name: The implementation, as on the command line.

    Raises:
        AdapterError: It is a registered name, whose source is not the user's.
    """
    place = name.rpartition(":")[0]
    if place.endswith(".py"):
        folder = Path(place).resolve().parent
        while (folder / "__init__.py").exists():
            folder = folder.parent
        return folder if folder == Path(place).resolve().parent else _package_of(place, folder)
    found = find_spec(place.partition(".")[0]) if place else None
    if found is None or found.origin is None:
        msg = f"{name}: there is no file to watch. Name one, as in my_norm.py:MyBatchNorm"
        raise AdapterError(msg)
    return Path(found.origin).resolve().parent


def _package_of(place: str, above: Path) -> Path:
    return above / Path(place).resolve().relative_to(above).parts[0]


def stamps_of(folder: Path) -> Stamps:
    """Return when each Python file of a folder, and of its packages, was written."""
    found: Stamps = {}
    for path in _sources(folder):
        try:
            stat = path.stat()
        except OSError:
            continue  # it was replaced at this moment
        found[path] = (stat.st_mtime_ns, stat.st_size)
        if len(found) == _MOST_FILES:
            break
    return found


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix == ".py":
            yield path
        elif (path / "__init__.py").exists():
            yield from _sources(path)


def _judge_once(pool: JudgePool, run: RunConfig, how: Presentation, folder: Path) -> None:
    """Judge what is there, show the answer, and wait until a file is saved."""
    stamps, console = stamps_of(folder), console_of(color=how.color)

    def is_unchanged() -> bool:
        return stamps_of(folder) == stamps

    console.rule(time.strftime("%H:%M:%S"))
    with Experts(
        strictly=run.strict_reading, diagnose=how.diagnose, minimize=True, ends=run.last
    ) as experts:
        session = Session(run, experts)
        session.on_first = partial(show_first, session, console)
        try:
            session.judge(pool, ProgressDisplay(session.collection, console), is_unchanged)
            if is_unchanged():
                report = session.consult(session.collection.report(ExitCode.OK), console)
                how.show(report, session, console)
        except AdapterError as error:
            console.print(f"Error: {printable(str(error))}", markup=False, highlight=False)
    pool.prepare()
    while is_unchanged():
        time.sleep(_POLL_INTERVAL)
