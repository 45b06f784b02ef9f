"""``mutate``: judge every one-edit mutant of a layer."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.adapters.errors import AdapterError, printable
from conformance.engine.jobs import cores
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.parameters import (
    FILE,
    check_names,
    check_writable,
    color_option,
    jobs_option,
    seed_option,
)
from conformance.frontends.cli.signals import catch_signals
from conformance.mutation.results import EditOutcome, MutationResult
from conformance.report.atomic_files import write_text
from conformance.report.exit_codes import ExitCode

if TYPE_CHECKING:
    from conformance.mutation.edit_pool import EditPool


@click.command()
@click.argument("name", metavar="IMPL", callback=check_names)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge only N edits, drawn by --seed. Default: all.",
)
@seed_option("Which edits are drawn, with --limit.")
@click.option(
    "--call-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="An edit with a call that takes longer counts as caught.",
)
@click.option(
    "--json", "target", type=FILE, callback=check_writable, help="Write the result as JSON."
)
@jobs_option
@color_option
def mutate(
    name: str,
    limit: int | None,
    seed: int,
    call_timeout: float,
    target: Path | None,
    jobs: str,
    color: bool,
) -> None:
    """Show which mistakes in IMPL would be caught: edit its source, and judge each edit.

    IMPL is named as for `conformance run`. Each edit changes one thing in the class or function,
    or in what it uses of the same module, and is executed in a copy of the module. The file itself
    is not touched.

    Exit codes: 0 all edits are caught, 1 some are not, 2 IMPL cannot be judged, 5 there is nothing
    to edit, 130 or 143 ended by Ctrl-C or SIGTERM.
    """
    from conformance.frontends.cli.mutate_summary import print_summary  # noqa: PLC0415
    from conformance.mutation.document import document  # noqa: PLC0415
    from conformance.mutation.edit_pool import EditPool  # noqa: PLC0415  imports NumPy

    processes = cores() if jobs == "auto" else int(jobs)
    console, started = console_of(color=color), time.perf_counter()
    result = MutationResult(name=name, seed=seed)
    with catch_signals() as received:
        try:
            with closing(EditPool(name, processes, Limits(call_timeout))) as pool:
                _judge(pool, result, limit, console)
        except KeyboardInterrupt:
            console.print("Interrupted: only a part of the edits was judged.", style="yellow")
        except (AdapterError, WorkerLost) as error:
            click.echo(f"Error: {printable(str(error))}", err=True)
            sys.exit(ExitCode.UNUSABLE)
    print_summary(result, time.perf_counter() - started, console)
    if target is not None:
        write_text(target, json.dumps(document(result), indent=1, ensure_ascii=False) + "\n")
    sys.exit(received.exit_code or _exit_code(result))


def _judge(pool: EditPool, result: MutationResult, limit: int | None, console: Console) -> None:
    """Judge the layer and its edits, and show the progress on a terminal.

    Raises:
        AdapterError: The layer or its source cannot be found, or it cannot be judged.
        WorkerLost: The layer as it is ends its process.
    """
    from conformance.mutation.edit_pool import draw_sample  # noqa: PLC0415  imports NumPy

    with _progress(console) as progress:
        task = progress.add_task("judging the layer as it is", total=None, left="")
        edits = pool.list_edits()
        chosen = draw_sample(edits, limit, result.seed)
        result.made, result.planned, result.original = len(edits), len(chosen), pool.original
        if not chosen:
            return
        pool.judge_original()
        result.original = pool.original
        progress.update(task, description="judging edits", total=len(chosen))
        for judged in pool.judge(chosen):
            result.found.append(judged)
            left = result.count(EditOutcome.NOT_CAUGHT)
            progress.update(task, advance=1, left=f"[yellow]{left} not caught" if left else "")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _exit_code(result: MutationResult) -> ExitCode:
    if not result.count(EditOutcome.CAUGHT) + result.count(EditOutcome.NOT_CAUGHT):
        return ExitCode.NOTHING_JUDGED
    return ExitCode.FAILED if result.count(EditOutcome.NOT_CAUGHT) else ExitCode.OK
