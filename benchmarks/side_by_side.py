"""This suite, the naive version of it, and flax's own BatchNorm tests: what each costs and kills.

Every row is a separate process, measured by the operating system: wall time, processor time of
the process and its children, and the memory of the largest of them. Cases per second are those
of the run on the layer that conforms. Kills are of the same sample of one-edit mutants of flax's
layer, each judged until the first failure, in one process per row.

naive: the requirements that have no shapes of their own, on unrestricted shapes, N from 1 to 40
and D from 1 to 17.

Usage: python benchmarks/side_by_side.py [--mutants 24] [--only ROW]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from whole_process import machine, measure_command

RUN = [sys.executable, "-m", "conformance", "run", "flax", "--no-diagnosis"]
THIS = [sys.executable, __file__]

ROWS = {
    "this suite, cold": (RUN, "suite"),
    "this suite, again": (RUN, None),
    "this suite, again, -j 1": ([*RUN, "-j", "1"], None),
    "this suite, quick, again": ([*RUN, "--profile", "quick"], None),
    "this suite, what naive judges": ([*THIS, "--judge", "palette"], None),
    "naive, unrestricted shapes": ([*THIS, "--judge", "naive"], "naive"),
    "flax's own tests": ([*THIS, "--judge", "upstream"], "upstream"),
}
"""What is run on flax's layer, and as what its kills are counted."""

_LONG = {
    "SHAPE",
    "SER",
    "SEQ",
    "JIT",
    "VMAP",
    "SCAN",
    "REMAT",
    "SHARED",
    "SHAPE-EVAL",
    "GRAD",
    "ERR",
}
"""Families with shapes of their own."""


def cases_in(text: str) -> int | None:
    """Return how many cases a run says that it executed."""
    found = re.findall(r"(\d+) cases(?! per)", text)
    return int(found[-1]) if found else None


def compare(only: str, mutants: int) -> None:
    """Print the table."""
    print(machine())
    print("| | wall s | CPU s | MB | cases/s | killed | CPU s for these | kills per CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory)
        for name, (command, judge) in ROWS.items():
            if only not in name:
                continue
            wall, cpu, memory, text = measure_command(command, cache)
            cases = cases_in(text)
            cells = [f"{wall:.1f}", f"{cpu:.1f}", f"{memory:.0f}"]
            cells.append(f"{cases / wall:.0f}" if cases else "–")
            cells += killing(judge, mutants, cache) if judge else ["", "", ""]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def killing(judge: str, mutants: int, cache: Path) -> list[str]:
    """Return kills, processor seconds and kills per second of one judge."""
    found = measure_command([*THIS, "--kill", judge, "--mutants", str(mutants)], cache)
    result, cpu = json.loads(found.text.splitlines()[-1]), found.cpu
    return [f"{result['killed']} of {result['of']}", f"{cpu:.0f}", f"{result['killed'] / cpu:.2f}"]


# The rows, each a separate process


def _rows() -> list:
    from conformance.requirements import REQUIREMENTS, select

    return [row for row in select(REQUIREMENTS) if row.family not in _LONG]


def _without_palette() -> None:
    from free_shapes import free_palette

    from conformance.strategies import shape_grid

    grid = free_palette()
    shape_grid.palette_of = lambda _: grid


def judge(name: str) -> None:
    """Judge flax's layer once, on batches of rows, and print the number of cases."""
    from conformance.engine.jax_runtime import remember_compilations

    remember_compilations()  # before jax is imported
    if name == "upstream":
        from mutation import upstream
        from mutation.targets import FLAX, executed

        print(upstream.outcome(executed(FLAX), upstream.fetched()))
        return
    import impl
    from conformance.engine.budget import budget
    from conformance.engine.judge import PropertyRun, judge, unsupported
    from conformance.properties import PROPERTIES
    from conformance.properties.support.subject import Subject

    if name == "naive":
        _without_palette()
    subject, cases = Subject(replace(impl.flax(), wider=None)), 0
    for row in _rows():
        if unsupported(row, subject) is None:
            verdict = judge(PropertyRun(PROPERTIES[row.id], subject, budget()))
            assert not verdict.outcome.bad, verdict
            cases += verdict.cases
    print(f"{cases} cases")


def kill(name: str, count: int) -> None:
    """Judge a sample of the mutants that differ within the scope, and print the kills."""
    from mutation import suite, upstream
    from mutation.record import Record
    from mutation.targets import TARGETS

    record = Record.read(Path(__file__).parent / "results" / "mutants.jsonl")
    mutants = [
        mutant
        for mutant in TARGETS["flax"].mutants()
        if record.results[mutant.identity, mutant.edit, "suite"]["outcome"] == "killed"
        or record.results[mutant.identity, mutant.edit, "upstream"]["outcome"] == "killed"
    ]
    sample = mutants[:: max(1, len(mutants) // count)][:count]
    if name == "naive":
        _without_palette()
        suite.ordered = _rows
    killed = 0
    for mutant in sample:
        if name == "upstream":
            answer = upstream.judge_mutant(mutant, upstream.fetched())
        else:
            answer = suite.judge_mutant(mutant, "flax", list(TARGETS["flax"].entries))
        killed += answer["outcome"] == "killed"
    print(json.dumps({"killed": killed, "of": len(sample)}))


def main() -> None:
    """Print the table, or be one of its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=24, metavar="N")
    parser.add_argument("--only", default="", metavar="ROW")
    parser.add_argument("--judge", help=argparse.SUPPRESS)
    parser.add_argument("--kill", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        judge(options.judge)
    elif options.kill:
        kill(options.kill, options.mutants)
    else:
        compare(options.only, options.mutants)


if __name__ == "__main__":
    main()
