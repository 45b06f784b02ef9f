"""How soon a run with ``-x`` answers at a faulty layer: whole processes, over the gallery.

Two times per fault: until the first violation is printed, and until the process has ended, without
looking for the mistake. Compiled programs come from runs before.

Usage: python benchmarks/fail_fast.py [--every 10]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from impl.faulty import FAULTS

COMMAND = [sys.executable, "-m", "conformance", "run", "-x", "--no-diagnosis"]


def time_run(name: str) -> tuple[float, float]:
    """Return the seconds until the first violation is printed, and until the end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, f"fault:{name}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    first, lines = None, []
    for line in process.stdout:
        lines.append(line)
        if first is None and line.startswith(("✗", "!")):
            first = time.perf_counter() - started
    if process.wait() not in {0, 1} or first is None:  # 0 where only a SHOULD is violated
        sys.exit(f"{name}: exit code {process.returncode}\n{''.join(lines)}")
    return first, time.perf_counter() - started


def print_percentiles(what: str, seconds: list[float]) -> None:
    """Print the median and the 90th percentile."""
    ordered = sorted(seconds)
    tenth = ordered[int(0.9 * len(ordered))]
    print(f"{what}: median {statistics.median(ordered):.1f} s, nine in ten ≤ {tenth:.1f} s")


def main() -> None:
    """Print medians, the 90th percentiles and the slowest faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=10, metavar="N", help="every n-th fault")
    options = parser.parse_args()
    seconds = {name: time_run(name) for name in list(FAULTS)[:: options.every]}
    print(f"{len(seconds)} faults on {os.cpu_count()} cores")
    print_percentiles("first violation printed", [first for first, _ in seconds.values()])
    print_percentiles("process ended", [end for _, end in seconds.values()])
    for name in sorted(seconds, key=lambda name: seconds[name][0], reverse=True)[:8]:
        print(f"{name}: {seconds[name][0]:.1f} s, {seconds[name][1]:.1f} s")


if __name__ == "__main__":
    main()
