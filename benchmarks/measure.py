"""Measure what docs/performance.md reports: whole processes, median of several runs.

Usage: python benchmarks/measure.py [--runs 5] [--only NAME]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from whole_process import Measured, machine, measure_command

CONFORMANCE = [sys.executable, "-m", "conformance"]

COMMANDS = {
    "`conformance --help`": ([*CONFORMANCE, "--help"], False),
    "`conformance list`": ([*CONFORMANCE, "list"], False),
    "`conformance explain BN-EMA-1`": ([*CONFORMANCE, "explain", "BN-EMA-1"], False),
    "`conformance run impl`, empty cache": ([*CONFORMANCE, "run", "impl"], True),
    "`conformance run impl`": ([*CONFORMANCE, "run", "impl"], False),
    "`conformance run impl -j 1`": ([*CONFORMANCE, "run", "impl", "-j", "1"], False),
    "`conformance run impl --profile quick`": (
        [*CONFORMANCE, "run", "impl", "--profile", "quick"],
        False,
    ),
    "`conformance run`, two implementations": ([*CONFORMANCE, "run"], False),
}


def measure(command: list[str], *, cold: bool, runs: int, cache: Path) -> list[Measured]:
    """Return what each run took, after one that is not counted."""
    found = []
    for run in range(runs + (not cold)):
        if cold:
            shutil.rmtree(cache, ignore_errors=True)
        measured = measure_command(command, cache)
        if cold or run:
            found.append(measured)
    return found


def main() -> None:
    """Print a table: medians of the processor's seconds, and of those on the clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(machine())
    print("| command | CPU s | wall s | min | max |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for name, (command, cold) in COMMANDS.items():
            if options.only not in name:
                continue
            cache = Path(directory) / "cache"
            found = measure(command, cold=cold, runs=options.runs, cache=cache)
            cpu, wall = [each.cpu for each in found], [each.wall for each in found]
            row = (statistics.median(cpu), statistics.median(wall), min(wall), max(wall))
            print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
