"""``run``: judge implementations."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import (
    DEFAULT,
    FILE,
    check_names,
    choose_detail,
    color_option,
    diagnosis_option,
    grade_options,
    jobs_option,
    quiet_option,
    refuse_other_outputs,
    run_options,
    verbose_option,
)
from conformance.frontends.cli.publishing import (
    FORMATS,
    different_files,
    publish,
    rendering_options,
    summarize_job,
)
from conformance.frontends.options import COMMAND_LINE, OptionError
from conformance.frontends.project_settings import Settings
from conformance.frontends.run_config import RunConfig


@click.command()
@click.argument("names", metavar="[IMPL]...", nargs=-1, callback=check_names)
@run_options
@click.option(
    "--data",
    type=FILE,
    metavar="FILE.npz",
    help="Judge on these recorded tensors instead of generated cases; see docs/usage.md.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Print the report in this format, and nothing else, on standard output.",
)
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first violation.")
@jobs_option
@rendering_options
@grade_options
@diagnosis_option
@verbose_option
@quiet_option
@color_option
@click.pass_context
def run(
    context: click.Context,
    /,
    names: tuple[str, ...],
    data: Path | None,
    form: str,
    fail_fast: bool,
    jobs: str,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    badge: Path | None,
    grade: Path | None,
    hide_inputs: bool,
    diagnose: bool,
    verbose: bool,
    quiet: bool,
    color: bool,
    **options: Any,
) -> None:
    """Judge implementations.

    IMPL is a registered name, module:attribute, path/to/file.py:attribute, or 'command:PROGRAM
    ARGUMENTS' for a program that speaks the protocol of the suite. It may be followed by an
    environment, as in flax@0.12.1 or norm.py:Norm@other/.venv. Without one the reference and
    flax's own layer are judged.

    Exit codes: 0 conforms, 1 a MUST is violated (with --strict a SHOULD, too), 2 the
    implementation or the command cannot be used, 5 nothing was judged, 130 or 143 ended by
    Ctrl-C or SIGTERM.
    """
    detail = choose_detail(verbose=verbose, quiet=quiet)
    if grade is not None:
        refuse_other_outputs(verbose=verbose, quiet=quiet, shard=options["shard"])
        refuse_other_outputs(format=form != "text")
    elif hide_inputs:
        raise click.UsageError("--hide-inputs is for --grade alone")
    if form != "text" and (verbose or quiet):
        raise click.UsageError(f"--format {form} excludes --verbose and --quiet")
    renderings = {"junit": junit, "html": html, "markdown": markdown, "badge": badge}
    report = options["report"]
    shows_all = verbose or any((fail_fast, report, html, junit, form in {"json", "junit"}))
    settings: Settings = context.meta["settings"]
    project = settings.values
    waived = context.get_parameter_source("waivers") is ParameterSource.DEFAULT_MAP
    chosen = {
        "implementations": names or project.get("implementations") or DEFAULT,
        "first_violation": not shows_all,
        "shared_waivers": bool(names) and waived,
        "waivers_from": settings.file.parent if waived and settings.file is not None else None,
    }
    try:
        config = RunConfig.from_options(options | chosen, COMMAND_LINE)
        config = config if data is None else _with_recorded(config, data)
    except OptionError as error:
        raise click.UsageError(printable(str(error))) from error
    different_files(report=report, grade=grade, **renderings)
    if project and settings.file is not None:
        file = printable(os.path.relpath(settings.file))
        click.echo(f"{file} sets {', '.join(project)}", err=True)
    from conformance.frontends.cli.grading import GradeFile  # noqa: PLC0415  imports Rich
    from conformance.frontends.cli.presentation import Presentation  # noqa: PLC0415
    from conformance.frontends.cli.run_report import judge_and_show  # noqa: PLC0415

    how = Presentation(
        jobs=jobs,
        color=color,
        report=report,
        fail_fast=fail_fast,
        diagnose=diagnose,
        detail=detail,
        form=form,
        grade=None if grade is None else GradeFile(grade, hide_inputs),
    )
    found, status = judge_and_show(config, how)
    if found is not None:
        publish(found, **renderings)
        summarize_job(found)
    sys.exit(status)


def _with_recorded(config: RunConfig, file: Path) -> RunConfig:
    """Return the configuration of a run on recorded tensors.

    Raises:
        OptionError: They cannot be used, or none of the selected requirements is about them.
    """
    from conformance.engine.recorded import JUDGED, RecordedError, read_recorded  # noqa: PLC0415

    if config.shard is not None:
        raise OptionError("--data and --shard exclude each other: one case is not divided")
    rows = tuple(row for row in config.requirements if row.id in JUDGED)
    if not rows:
        msg = f"-k: recorded tensors are judged by {', '.join(JUDGED)} alone"
        raise OptionError(msg)
    try:
        recorded = read_recorded(file)
    except RecordedError as error:
        msg = f"--data {file}: {error}"
        raise OptionError(msg) from error
    size, config_of = recorded.case.x.shape, recorded.case.config
    shown = f"{size[0]} × {size[1]} numbers, momentum {config_of.momentum}, eps {config_of.eps}"
    click.echo(f"{printable(str(file))}: {shown}; generated cases are left out", err=True)
    as_recorded = replace(config.budget, minimize=False)  # which would draw other cases
    return replace(config, requirements=rows, recorded=recorded, budget=as_recorded)
