"""``run``: judge implementations, by way of pytest."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.browse import chosen
from conformance.cli.options import (
    FILE,
    color_option,
    encodable,
    finite,
    jobs_option,
    shard_option,
    usable_waivers,
    writable,
)
from conformance.cli.publishing import (
    different_files,
    publish,
    rendering_options,
    summarize_job,
)
from conformance.profiles import PROFILES, chosen_seed

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
    profile: str,
    max_examples: int | None,
    seed: int | None,
    fail_fast: bool,
    jobs: str,
    report: Path | None,
    junit: Path | None,
    max_time: float | None,
    call_timeout: float,
    memory_limit: float | None,
    waivers: Path | None,
    html: Path | None,
    markdown: Path | None,
    badge: Path | None,
    shard: str | None,
    strict: bool,
    ignore_declarations: bool,
    no_diagnosis: bool,
    color: bool,
) -> None:
    """Judge implementations.

    IMPL is a registered name, module:attribute or path/to/file.py:attribute; without one the
    reference and flax's own layer are judged.

    Exit codes: 0 conforms, 1 a MUST is violated (with --strict a SHOULD too), 2 the
    implementation or the command is not usable, 5 nothing was judged, 130 or 143 ended by
    Ctrl-C or SIGTERM.
    """
    rows = chosen(patterns, level)
    if shard is not None and profile == "thorough" and seed is None:
        msg = (
            f"--shard {shard}: the thorough profile draws a seed, and every shard would draw its "
            "own. Give all shards the same --seed N."
        )
        raise click.UsageError(msg)
    different_files(report=report, junit=junit, html=html, markdown=markdown, badge=badge)
    arguments = [
        *(f"--impl={name}" for name in names or DEFAULT),
        *(f"--conformance-select={row.id}" for row in rows),
        f"--conformance-profile={profile}",
        f"--conformance-seed={chosen_seed(profile, seed)}",
    ]
    arguments.append(f"--conformance-call-timeout={call_timeout}")
    if memory_limit is not None:
        arguments.append(f"--conformance-memory-limit={memory_limit}")
    if max_examples is not None:
        arguments.append(f"--max-examples={max_examples}")
    if max_time is not None:
        arguments.append(f"--conformance-max-time={max_time}")
    arguments += ["--conformance-ignore-declarations"] * ignore_declarations
    arguments += ["--conformance-strict"] * strict + ["-x"] * fail_fast
    arguments += [f"--conformance-report={report}"] if report else []
    arguments += [f"--junitxml={junit}"] if junit else []
    arguments += [f"--conformance-shard={shard}"] if shard else []
    arguments += [f"--conformance-waivers={waivers}"] if waivers else []
    from conformance.cli.session import judge_by_pytest  # noqa: PLC0415  imports pytest

    made, status = judge_by_pytest(
        arguments, jobs, color=color, target=report, diagnosed=not no_diagnosis
    )
    if made is not None:
        publish(made, html=html, markdown=markdown, badge=badge)
        summarize_job(made)
    sys.exit(status)
