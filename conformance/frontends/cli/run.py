"""``run``: judge implementations, by way of pytest."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from conformance.engine.budget import PROFILES, chosen_seed
from conformance.frontends.cli.listing import chosen
from conformance.frontends.cli.parameters import (
    FILE,
    color_option,
    encodable,
    finite,
    jobs_option,
    shard_option,
    usable_waivers,
    writable,
)
from conformance.frontends.cli.publishing import (
    different_files,
    publish,
    rendering_options,
    summarize_job,
)
from conformance.requirements import Requirement

DEFAULT = ("impl", "flax")
"""What is judged when nothing is named: the reference, and flax's own layer."""


@click.command()
@click.argument("names", metavar="[IMPL]...", nargs=-1, callback=encodable)
@click.option(
    "-k",
    "--filter",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Judge only these requirements: ids, families or globs.",
)
@click.option("--level", type=click.Choice(["must", "should"]), help="Only this level.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="default",
    show_default=True,
    help="How thoroughly to judge.",
)
@click.option(
    "--max-examples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cases per property, instead of the profile's.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seed of the cases; 0, or random in the thorough profile.",
)
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first violation.")
@jobs_option
@click.option(
    "--report",
    type=FILE,
    metavar="FILE",
    callback=writable,
    help="Write the report as JSON.",
)
@click.option(
    "--junit",
    type=FILE,
    metavar="FILE",
    callback=writable,
    help="Write the results as JUnit XML.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    callback=finite,
    help="Leave out cases so that judging takes about as long.",
)
@click.option(
    "--call-timeout",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    default=120,
    show_default=True,
    metavar="SECONDS",
    callback=finite,
    help="A call that takes longer is a violation.",
)
@click.option(
    "--memory-limit",
    type=click.FloatRange(min=2, max=1e6),
    metavar="GIB",
    callback=finite,
    help="An implementation that takes more is ended; by default half of the machine's memory, "
    "shared among the workers.",
)
@click.option(
    "--waivers",
    type=FILE,
    metavar="FILE",
    callback=usable_waivers,
    help="Known violations, as TOML: each with a reason and an issue.",
)
@rendering_options
@shard_option
@click.option("--strict", is_flag=True, help="A violated SHOULD counts like a MUST.")
@click.option(
    "--ignore-declarations",
    is_flag=True,
    help="Judge declared deviations as what they are without the declaration.",
)
@click.option("--no-diagnosis", is_flag=True, help="Do not look for the most likely mistake.")
@color_option
def run(
    names: tuple[str, ...],
    patterns: tuple[str, ...],
    level: str | None,
    jobs: str,
    no_diagnosis: bool,
    color: bool,
    report: Path | None,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    badge: Path | None,
    **options: Any,
) -> None:
    """Judge implementations.

    IMPL is a registered name, module:attribute or path/to/file.py:attribute; without one the
    reference and flax's own layer are judged.

    Exit codes: 0 conforms, 1 a MUST is violated (with --strict a SHOULD too), 2 the
    implementation or the command is not usable, 5 nothing was judged, 130 or 143 ended by
    Ctrl-C or SIGTERM.
    """
    rows = chosen(patterns, level)
    renderings = {"html": html, "markdown": markdown, "badge": badge}
    different_files(report=report, junit=junit, **renderings)
    arguments = _arguments(names or DEFAULT, rows, **options)
    from conformance.frontends.cli.run_pytest import judge_by_pytest  # noqa: PLC0415  imports pytest

    made, status = judge_by_pytest(
        arguments, jobs, color=color, target=report, junit=junit, diagnosed=not no_diagnosis
    )
    if made is not None:
        publish(made, **renderings)
        summarize_job(made)
    sys.exit(status)


def _arguments(
    names: Iterable[str],
    rows: Iterable[Requirement],
    *,
    profile: str,
    seed: int | None,
    shard: str | None,
    max_examples: int | None,
    fail_fast: bool,
    strict: bool,
    ignore_declarations: bool,
    **values: object,
) -> list[str]:
    """Return the arguments of pytest; ``values``: options that the plugin has by the same name."""
    if shard is not None and profile == "thorough" and seed is None:
        msg = (
            f"--shard {shard}: the thorough profile draws a seed, and every shard would draw its "
            "own. Give all shards the same --seed N."
        )
        raise click.UsageError(msg)
    values |= {"profile": profile, "seed": chosen_seed(profile, seed), "shard": shard}
    flags = {
        "-x": fail_fast,
        "--conformance-strict": strict,
        "--conformance-ignore-declarations": ignore_declarations,
    }
    return [
        *(f"--impl={name}" for name in names),
        *(f"--conformance-select={row.id}" for row in rows),
        *(
            f"--conformance-{name.replace('_', '-')}={value}"
            for name, value in values.items()
            if value is not None
        ),
        *([f"--max-examples={max_examples}"] if max_examples is not None else []),
        *(flag for flag, wanted in flags.items() if wanted),
    ]
