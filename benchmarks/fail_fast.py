"""How soon a run with ``-x`` ends at a faulty layer: whole processes, over the gallery.

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


def main() -> None:
    """Print the median, the 90th percentile and the slowest faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=10, metavar="N", help="every n-th fault")
    options = parser.parse_args()
    seconds: dict[str, float] = {}
    for name in list(FAULTS)[:: options.every]:
        started = time.perf_counter()
        done = subprocess.run([*COMMAND, f"fault:{name}"], capture_output=True, check=False)
        if done.returncode not in {0, 1}:  # 0 where only a SHOULD is violated
            sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout.decode()}")
        seconds[name] = time.perf_counter() - started
    held = sorted(seconds.values())
    print(f"{len(held)} faults on {os.cpu_count()} cores")
    print(
        f"median {statistics.median(held):.1f} s, nine in ten ≤ {held[int(0.9 * len(held))]:.1f} s"
    )
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:5]:
        print(f"{name}: {seconds[name]:.1f} s")


if __name__ == "__main__":
    main()
