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

from whole_process import machine, measure_command

CONFORMANCE = [sys.executable, "-m", "conformance"]

COMMANDS = {
    "help": ([*CONFORMANCE, "--help"], False),
    "list": ([*CONFORMANCE, "list"], False),
    "explain": ([*CONFORMANCE, "explain", "BN-EMA-1"], False),
    "run impl, cold": ([*CONFORMANCE, "run", "impl"], True),
    "run impl, warm": ([*CONFORMANCE, "run", "impl"], False),
    "run impl, warm, -j 1": ([*CONFORMANCE, "run", "impl", "-j", "1"], False),
    "run impl, quick, warm": ([*CONFORMANCE, "run", "impl", "--profile", "quick"], False),
    "run (two), warm": ([*CONFORMANCE, "run"], False),
}


def measure(command: list[str], *, cold: bool, runs: int, cache: Path) -> list[float]:
    """Return the wall seconds of each run, after one that is not counted."""
    seconds = []
    for run in range(runs + (not cold)):
        if cold:
            shutil.rmtree(cache, ignore_errors=True)
        wall = measure_command(command, cache).wall
        if cold or run:
            seconds.append(wall)
    return seconds


def main() -> None:
    """Print a table of medians, minima and maxima."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(machine())
    print("| command | median s | min | max |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for name, (command, cold) in COMMANDS.items():
            if options.only not in name:
                continue
            cache = Path(directory) / "cache"
            seconds = measure(command, cold=cold, runs=options.runs, cache=cache)
            row = (statistics.median(seconds), min(seconds), max(seconds))
            print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
