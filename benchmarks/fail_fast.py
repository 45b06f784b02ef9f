"""How soon a run answers at a faulty layer: whole processes, over the gallery.

With ``-x``: until the first violation is printed, and until the process has ended, without looking
for the mistake. With ``--answers``, on a terminal of 80 columns: until the display names a mistake,
and until the end, beside the time of a layer that is right. Programs were compiled by runs before.

Usage: python benchmarks/fail_fast.py [--every 10] [--answers]
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from impl.faulty import FAULTS

RUN = [sys.executable, "-m", "conformance", "run"]
RIGHT = "impl"

_NAMED = re.compile("Probably:|Explains [0-9]")

Times = tuple[float | None, float]
"""Seconds until the first answer, None without one, and until the end."""


def time_violation(name: str) -> Times:
    """Return the seconds until ``-x`` prints the first violation, and until the end."""
    command = [*RUN, "-x", "--no-diagnosis", name]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    return _watch(process, process.stdout, lambda line: line.startswith(("✗", "!")), started)


def time_answer(name: str) -> Times:
    """Return the seconds until a terminal shows what the mistake is, and until the end."""
    ours, theirs = pty.openpty()
    started = time.perf_counter()
    process = subprocess.Popen(
        [*RUN, name],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
    )
    os.close(theirs)
    return _watch(process, _terminal(ours), lambda text: bool(_NAMED.search(text)), started)


def _terminal(descriptor: int) -> Iterator[str]:
    """Yield what a terminal shows, until the process has ended."""
    with suppress(OSError):  # Linux: EIO once nobody writes any more
        while read := os.read(descriptor, 65536):
            yield read.decode("utf-8", "replace")
    os.close(descriptor)


def _watch(
    process: subprocess.Popen[str] | subprocess.Popen[bytes],
    said: Iterator[str],
    answers: Callable[[str], bool],
    started: float,
) -> Times:
    first, parts = None, []
    for part in said:
        parts.append(part)
        if first is None and answers(part):
            first = time.perf_counter() - started
    if process.wait() not in {0, 1}:  # 0 where only a SHOULD is violated
        sys.exit(f"{process.args}: exit code {process.returncode}\n{''.join(parts)}")
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
    parser.add_argument("--answers", action="store_true", help="whole runs on a terminal")
    options = parser.parse_args()
    measure = time_answer if options.answers else time_violation
    what = "mistake named" if options.answers else "first violation printed"
    if options.answers:
        right = [measure(RIGHT)[1] for _ in range(4)][1:]  # the first one compiles
        print(f"a layer that is right: {statistics.median(right):.1f} s")
    seconds = {name: measure(f"fault:{name}") for name in list(FAULTS)[:: options.every]}
    first = {name: found for name, (found, _) in seconds.items() if found is not None}
    print(f"{len(seconds)} faults on {os.cpu_count()} cores; {what} at {len(first)}")
    print_percentiles(what, list(first.values()))
    print_percentiles("process ended", [end for _, end in seconds.values()])
    for name in sorted(first, key=first.__getitem__, reverse=True)[:8]:
        print(f"{name}: {first[name]:.1f} s, {seconds[name][1]:.1f} s")


if __name__ == "__main__":
    main()
