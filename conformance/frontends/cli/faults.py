"""``faults``: show that the suite catches the faults of a gallery."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from conformance.adapters.errors import printable
from conformance.adapters.gallery import find_galleries, load_members
from conformance.engine.budget import Budget, budget
from conformance.engine.jax_runtime import (
    offer_host_devices,
    remember_compilations,
    share_lowering_contexts,
)
from conformance.engine.journal import Journal, digest
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.fault_summary import conclude, conditions
from conformance.frontends.cli.gallery_session import run_session
from conformance.frontends.cli.parameters import FILE, color_option, jobs_option, seed_option
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.run_config import RunConfig
from conformance.report.exit_codes import ExitCode
from conformance.report.kill_matrix import KillMatrix
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Verdict, item_name


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--full",
    is_flag=True,
    help="Judge each fault by every requirement, not only by those that its record names.",
)
@click.option(
    "--resume",
    type=FILE,
    help="Store verdicts in this file, and reuse those in it that are still valid.",
)
@click.option("--matrix", "target", type=FILE, help="Write the kill matrix as JSON.")
@click.option(
    "--max-examples",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Cases per property, on the requirements that the record names.",
)
@click.option(
    "--others",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="With --full: cases per property on all other requirements.",
)
@seed_option("Seed of the cases.")
@click.option(
    "--gallery",
    default="fault",
    show_default=True,
    metavar="NAME",
    help="Registered name of the gallery.",
)
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
    """Judge faulty implementations, and show that each is caught.

    PATTERN selects faults by name or family, with wildcards; without one all are judged.
    `conformance run fault:NAME` judges a single fault like any other implementation.

    Exit codes: 0 every fault violates what its record names, 1 a fault is missed,
    2 the command cannot be used.
    """
    chosen = _select_faults(gallery, patterns)
    started = time.perf_counter()
    console = console_of(color=color)
    wanted = {max_examples: _pairs(gallery, chosen, listed=True)}
    if full:
        wanted[others] = wanted.get(others, {}) | _pairs(gallery, chosen, listed=False)
    judge = _FaultJudge(gallery, seed, jobs, resume, console)
    found: list[Verdict] = []
    for cases, pairs in wanted.items():
        found += judge.verdicts(chosen, pairs, cases)
    matrix = KillMatrix.of(chosen, found)
    matrix.gallery = gallery
    matrix.conditions = conditions(max_examples, seed, others=others if full else None)
    if target is not None:
        matrix.write(target)
    seconds = time.perf_counter() - started
    sys.exit(conclude(matrix, len(found), seconds, console, full=full and not patterns))


def _select_faults(gallery: str, patterns: tuple[str, ...]) -> dict[str, Any]:
    """Return the faults that the patterns name, or end with a usage error."""
    if gallery not in find_galleries():
        msg = f"no gallery is registered as {gallery!r}; there are {', '.join(find_galleries())}"
        raise click.UsageError(msg)
    remember_compilations()
    offer_host_devices()
    share_lowering_contexts()
    all_faults: Mapping[str, Any] = load_members(gallery)
    if not all(hasattr(item, "breaks") for item in all_faults.values()):
        msg = f"the gallery {gallery!r} holds no records of faults"
        raise click.UsageError(msg)
    chosen = {
        name: fault
        for name, fault in all_faults.items()
        if not patterns
        or any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(fault.family, p) for p in patterns)
    }
    if not chosen:
        families = sorted({fault.family for fault in all_faults.values()})
        msg = f"no fault is named {', '.join(patterns)}; the families are {', '.join(families)}"
        raise click.UsageError(msg)
    return chosen


def _pairs(gallery: str, chosen: Mapping[str, Any], *, listed: bool) -> dict[str, str]:
    """Return the implementations of pairs to judge, by the name of their item.

    Args:
        gallery: The name of the gallery.
        chosen: The faults, by name.
        listed: The pairs that the records name; else all others that apply.
    """
    return {
        item_name(row.id, f"{gallery}:{name}"): f"{gallery}:{name}"
        for name, fault in chosen.items()
        for row in select(REQUIREMENTS)
        if (row.id in fault.breaks) == listed
        and (listed or row.needs in fault.implementation.capabilities)
    }


@dataclass(frozen=True, slots=True)
class _FaultJudge:
    """Judges pairs of a gallery, except those whose verdict is on file."""

    gallery: str
    seed: int
    jobs: str
    resume: Path | None
    console: Console

    def verdicts(
        self, chosen: Mapping[str, Any], pairs: Mapping[str, str], cases: int
    ) -> list[Verdict]:
        """Return the verdicts on the pairs: those on file that are still valid, and new ones."""
        judged_by = budget(max_examples=cases, seed=self.seed)
        digests = {f"{self.gallery}:{n}": digest(f.module, judged_by) for n, f in chosen.items()}
        journal = Journal(self.resume, digests)
        try:
            known = [verdict for verdict in journal.verdicts() if verdict.pair in pairs]
        except ValueError as error:
            raise click.UsageError(printable(str(error))) from error
        done = {verdict.pair for verdict in known}
        left = {item: name for item, name in pairs.items() if item not in done}
        return [*known, *self._judge(left, journal, judged_by)] if left else known

    def _judge(self, pairs: Mapping[str, str], journal: Journal, chosen: Budget) -> list[Verdict]:
        """Judge pairs in one pytest session; the first violation of each is enough."""
        run = RunConfig(
            implementations=tuple(dict.fromkeys(pairs.values())),
            requirements=select(REQUIREMENTS),
            budget=replace(chosen, minimize=False),
            pairs=frozenset(pairs),
            in_process=True,
        )
        collector = VerdictCollector(run)
        display = ProgressDisplay(collector, self.console, bad="violated")

        def note(verdict: Verdict) -> None:
            journal.note(verdict)
            display.observe(verdict)

        collector.on_verdict = note
        if run_session(collector, display, self.jobs) is None:
            sys.exit(ExitCode.UNUSABLE)
        return list(collector.verdicts.values())
