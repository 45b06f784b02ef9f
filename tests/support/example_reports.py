"""Reports of every kind, made without judging anything."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from conformance.report.model import Footer, Header, Report, read_environment
from conformance.report.shards import Shard
from conformance.report.terminal import render
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.finding import Finding, FindingKind
from conformance.requirements.verdict import Outcome, Verdict, Violation

FINDING = Finding(
    quantity="running_mean",
    got=0.75,
    expected=0.25,
    bound=1e-6,
    ratio=5e5,
    index=(0,),
    kind=FindingKind.VALUE,
)
INPUTS = {"x": [[1.0], [0.0]], "momentum": 0.75, "eps": 1e-05}


def verdict(requirement: str = "BN-EMA-1", outcome: Outcome = Outcome.CONFORMS, **rest) -> Verdict:
    values: dict[str, Any] = {
        "requirement": requirement,
        "implementation": "impl",
        "kind": "seed-shaped nnx.Module",
        "outcome": outcome,
        "level": REQUIREMENTS[requirement].level,
        "cases": 100,
        "comparisons": 300,
        "worst": 0.25,
        "worst_quantity": "running_mean",
        "seconds": 0.5,
    }
    if outcome in {Outcome.VIOLATES, Outcome.WAIVED}:
        values["violation"] = Violation(finding=FINDING, inputs=INPUTS)
    return Verdict(**(values | rest))


EVERY = (
    verdict("BN-INIT-1", worst=None, worst_quantity=None),
    verdict("BN-EMA-1", Outcome.VIOLATES),
    verdict("BN-NUM-1", Outcome.DEVIATES),
    verdict(
        "BN-FWD-1",
        Outcome.UNSUPPORTED,
        cases=0,
        comparisons=0,
        detail="needs forward, which is not there",
    ),
    verdict("BN-EMA-4", Outcome.VACUOUS, cases=0, comparisons=0, detail="no case was executed"),
    verdict("BN-EMA-5", Outcome.ERRORED, detail="the suite itself failed: IndexError\n  line 2"),
)
WAIVED = verdict("BN-EMA-6", Outcome.WAIVED, detail="waived: it is so (#1)")
OBSERVED = verdict(
    "BN-EPS-2", Outcome.OBSERVED, cases=0, comparisons=0, worst=None, detail="training gives NaN"
)
"""What was observed of a MAY row."""


def report(*verdicts: Verdict, **footer: Any) -> Report:
    counts: dict[str, Any] = {"expected": len(verdicts), "verdicts": len(verdicts), "missing": []}
    return Report(
        header=Header(
            started=1.7e9,
            profile="default",
            seed=0,
            max_examples=100,
            strict=False,
            implementations=list(dict.fromkeys(v.implementation for v in verdicts)) or ["impl"],
            requirements=[v.requirement for v in verdicts],
            workers=2,
            environment=read_environment(),
        ),
        footer=Footer(**({"seconds": 12.34, "exit_code": 0} | counts | footer)),
        verdicts=list(verdicts),
    )


IDS = [row.id for row in select(REQUIREMENTS)]
"""Those of all requirements, without MAY rows."""


def complete_report(*exceptions: Verdict) -> Report:
    """Return a report on every requirement; all conform except the given verdicts."""
    by_id = {one.requirement: one for one in exceptions}
    return report(*(by_id.get(identity, verdict(identity)) for identity in IDS))


NAMES = ("impl", "flax")


def full_run() -> Report:
    """A made-up run of all requirements on two implementations."""
    verdicts = [verdict(row, implementation=name) for name in NAMES for row in IDS]
    verdicts[3] = verdict(verdicts[3].requirement, Outcome.VIOLATES)
    full = replace(report(*verdicts, exit_code=1), side_effects={"flax": ["signal handlers"]})
    return replace(full, header=replace(full.header, requirements=IDS))


def shards(count: int) -> list[tuple[str, Report]]:
    """The parts that ``count`` runs with ``--shard`` would have written."""
    full, parts = full_run(), []
    for number in range(1, count + 1):
        shard = Shard(number, count)
        mine = [v for v in full.verdicts if shard.has(v.requirement, v.implementation)]
        footer = replace(full.footer, expected=len(mine), verdicts=len(mine), seconds=number)
        header = replace(full.header, shard=str(shard), started=1.7e9 + number, workers=number)
        part = replace(full, header=header, footer=footer, verdicts=mine)
        parts.append((f"{number}.json", part))
    return parts


def render_text(report: Report, **options: Any) -> str:
    out = io.StringIO()
    render(report, Console(width=80, file=out, highlight=False, **options))
    return out.getvalue()
