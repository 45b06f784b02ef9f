"""``faults``: show that the suite catches every fault of a gallery."""

from __future__ import annotations

import fnmatch
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import FILE, color_option, jobs_option
from conformance.requirements.verdict import item_name

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.engine.journal import Journal
    from conformance.requirements.verdict import Verdict


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--full",
    is_flag=True,
    help="Judge each fault on every requirement, not only on those that its record names.",
)
@click.option(
    "--resume",
    type=FILE,
    metavar="FILE",
    help="Keep verdicts in this file, and do not repeat those that are in it and still hold.",
)
@click.option(
    "--matrix",
    "target",
    type=FILE,
    metavar="FILE",
    help="Write the kill matrix as JSON.",
)
@click.option(
    "--max-examples", type=click.IntRange(min=1), default=100, show_default=True, metavar="N"
)
@click.option(
    "--others",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="With --full: cases on the requirements that the record does not name.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@click.option("--gallery", default="fault", show_default=True, metavar="NAME")
@jobs_option
@color_option
def faults(
    patterns: tuple[str, ...],
    full: bool,
    resume: Path | None,
    target: Path | None,
    max_examples: int,
    others: int,
    seed: int,
    gallery: str,
    jobs: str,
    color: bool,
) -> None:
    """Judge faulty implementations and show that each is caught.

    PATTERN selects faults by name or family, with wildcards; without one all are judged. A
    single fault is judged like any implementation, by `conformance run fault:NAME`.

    Exit codes: 0 every fault violates what its record names, 1 a fault is missed,
    2 the command is not usable.
    """
    chosen = _chosen(gallery, patterns)
    from conformance.frontends.cli.fault_summary import conclude, conditions  # noqa: PLC0415
    from conformance.frontends.cli.run_pytest import console_of  # noqa: PLC0415  imports pytest
    from conformance.report.kill_matrix import KillMatrix  # noqa: PLC0415

    started = time.perf_counter()
    console = console_of(color=color)
    wanted = {max_examples: _pairs(gallery, chosen, listed=True)}
    if full:
        wanted[others] = wanted.get(others, {}) | _pairs(gallery, chosen, listed=False)
    found: list[Verdict] = []
    for cases, pairs in wanted.items():
        found += _judged(chosen, pairs, (gallery, cases, seed, jobs), resume, console)
    matrix = KillMatrix.of(chosen, found)
    matrix.gallery = gallery
    matrix.conditions = conditions(max_examples, seed, others=others if full else None)
    if target is not None:
        matrix.write(target)
    seconds = time.perf_counter() - started
    sys.exit(conclude(matrix, len(found), seconds, console, full=full and not patterns))


def _chosen(gallery: str, patterns: tuple[str, ...]) -> dict[str, Any]:
    """Return the faults that the patterns name, or end with a usage error."""
    from conformance.adapters.gallery import find_galleries, load_members  # noqa: PLC0415  imports the gallery
    from conformance.engine.jax_runtime import (  # noqa: PLC0415
        offer_host_devices,
        remember_compilations,
    )

    if gallery not in find_galleries():
        msg = f"no gallery is registered as {gallery!r}; there are {', '.join(find_galleries())}"
        raise click.UsageError(msg)
    remember_compilations()
    offer_host_devices()
    held: Mapping[str, Any] = load_members(gallery)
    if not all(hasattr(item, "breaks") for item in held.values()):
        msg = f"the gallery {gallery!r} holds no records of faults"
        raise click.UsageError(msg)
    chosen = {
        name: fault
        for name, fault in held.items()
        if not patterns
        or any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(fault.family, p) for p in patterns)
    }
    if not chosen:
        families = sorted({fault.family for fault in held.values()})
        msg = f"no fault is named {', '.join(patterns)}; the families are {', '.join(families)}"
        raise click.UsageError(msg)
    return chosen


def _pairs(gallery: str, chosen: Mapping[str, Any], *, listed: bool) -> dict[str, str]:
    """Return pairs to judge, as item names, with the implementation of each.

    Either those that the records name, or all others that apply.
    """
    from conformance.requirements import REQUIREMENTS  # noqa: PLC0415

    return {
        item_name(row.id, f"{gallery}:{name}"): f"{gallery}:{name}"
        for name, fault in chosen.items()
        for row in REQUIREMENTS.values()
        if (row.id in fault.breaks) == listed
        and (listed or row.needs in fault.implementation.capabilities)
    }


def _judged(
    chosen: Mapping[str, Any],
    pairs: Mapping[str, str],
    options: tuple[str, int, int, str],
    resume: Path | None,
    console: Console,
) -> list[Verdict]:
    """Return the verdicts on the pairs: those in the file that still hold, and new ones."""
    from conformance.engine.budget import budget  # noqa: PLC0415  only needed to judge
    from conformance.engine.journal import Journal, digest  # noqa: PLC0415

    gallery, cases, seed, jobs = options
    judged_by = budget(max_examples=cases, seed=seed)
    digests = {f"{gallery}:{n}": digest(f.module, judged_by) for n, f in chosen.items()}
    journal = Journal(resume, digests)
    try:
        known = [verdict for verdict in journal.verdicts() if verdict.pair in pairs]
    except ValueError as error:
        raise click.UsageError(printable(str(error))) from error
    done = {verdict.pair for verdict in known}
    open_pairs = {item: name for item, name in pairs.items() if item not in done}
    return [*known, *_judge(open_pairs, journal, (cases, seed, jobs), console)]


def _judge(
    open_pairs: Mapping[str, str], journal: Journal, options: tuple[int, int, str], console: Console
) -> list[Verdict]:
    """Judge pairs by one pytest session, and return the verdicts."""
    if not open_pairs:
        return []
    from conformance.frontends.cli.run_pytest import USAGE, Display, ledger_of  # noqa: PLC0415

    max_examples, seed, jobs = options
    with tempfile.TemporaryDirectory() as directory:
        listing = Path(directory) / "pairs"
        listing.write_text("\n".join(open_pairs), encoding="utf-8")
        arguments = [
            *(f"--impl={name}" for name in dict.fromkeys(open_pairs.values())),
            f"--conformance-pairs={listing}",
            f"--conformance-seed={seed}",
            f"--max-examples={max_examples}",
            "--conformance-first-violation",
            "--conformance-in-process",
        ]
        display = Display(console, keep=journal.note, bad="violated")
        ledger, _ = ledger_of(arguments, jobs, display)
    if ledger is None:
        sys.exit(USAGE)
    return list(ledger.verdicts.values())
