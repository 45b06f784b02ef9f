"""Verdicts an hour of ``conformance serve`` on one core, for layers that differ in a few lines.

The submissions are the README's layer with ε under the root, which is right, and one-edit mutants
of it, spread evenly. Each is graded by the quick profile with limits of time and memory. Processor
seconds are those of the service and all its processes, so other work on the machine changes them
little; ``run impl --profile quick`` is measured before and after, as the pace of the machine.
Memory is the largest sum of anonymous memory of the processes at one time.

Usage: python benchmarks/grader.py [--submissions 24]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whole_process import machine, measure_command, wait_for_orphans

from conformance.mutation.mutants import mutants_of

ROOT = Path(__file__).parents[1]
NAME = "MyBatchNorm"
LIMITS = {"call_timeout": 20.0, "memory_limit": 4.0, "ignore_declarations": True}
QUICK = [sys.executable, "-m", "conformance", "run", "impl", "--profile", "quick", "-j1", "-q"]


def submissions(count: int) -> list[str]:
    """Return the sources of submissions: the layer of the README, made right, and mutants."""
    readme = (ROOT / "README.md").read_text("utf-8")
    right = next(
        block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if NAME in block
    )
    wrong = "(jnp.sqrt(var) + self.eps)"
    assert wrong in right
    right = right.replace(wrong, "jnp.sqrt(var + self.eps)")
    mutants = mutants_of(right, (NAME,), file="submission", prefix="submission", start=1)
    chosen = mutants[:: max(1, len(mutants) // max(1, count - 1))][: count - 1]
    return [right, *(ast.unparse(each.applied(ast.parse(right))) for each in chosen)]


def descendants(root: int) -> Iterator[int]:
    """Yield a process and those below it."""
    yield root
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from descendants(int(child))


def cpu_of(root: int) -> float:
    """Return the processor seconds of a process, those below it, and those that they waited for."""
    ticks = 0
    for pid in descendants(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_of(root: int) -> int:
    """Return the anonymous memory of a process and those below it, in bytes."""
    total = 0
    for pid in descendants(root):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        found = re.search(r"RssAnon:\s+(\d+)", status)
        total += 1024 * int(found[1]) if found else 0
    return total


class MemoryWatch(threading.Thread):
    """Keeps the largest sum of memory of the service."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peak = root, 0

    def run(self) -> None:
        """Look five times a second."""
        while True:
            self.peak = max(self.peak, memory_of(self.root))
            time.sleep(0.2)


def ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of the service."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")).splitlines()[-1])


def grade_all(folder: Path, sources: list[str], *, diagnose: bool) -> str:
    """Grade the submissions one after another, print what it took, and return what came of it."""
    path = str(folder / "socket")
    environment = os.environ | {"XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-m", "conformance", "serve", path, "-j", "1"]
    service = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert service.stdout is not None
    service.stdout.readline()
    memory = MemoryWatch(service.pid)
    memory.start()
    seconds, wall, passed, failures = [], [], 0, set()
    for number, source in enumerate([sources[0], *sources]):
        file = folder / f"submission{number}.py"
        file.write_text(source, "utf-8")
        request = {"implementation": f"{file}:{NAME}", "profile": "quick", "grade": True}
        request |= LIMITS | {"diagnose": diagnose}
        before, started = cpu_of(service.pid), time.monotonic()
        answer = ask(path, request)
        if number == 0:
            continue  # compiles, and starts what stays
        seconds.append(cpu_of(service.pid) - before)
        wall.append(time.monotonic() - started)
        if "grade" not in answer:
            failures.add(answer["error"].replace(f"{folder}{os.sep}", "")[:60])
            continue
        (grade,) = answer["grade"]["grades"]
        passed += grade["passed"]
    service.terminate()
    service.wait()
    wait_for_orphans()  # whose time would be counted with the next command
    mean = statistics.mean(seconds)
    slowest = sorted(seconds)[min(len(seconds) - 1, int(0.99 * len(seconds)))]
    name = "with the causes and hints" if diagnose else "outcome and score"
    cells = f"{mean:.2f} | {statistics.median(seconds):.2f} | {slowest:.2f}"
    rest = f"{statistics.mean(wall):.2f} | {memory.peak >> 20}"
    print(f"| {name} | {3600 / mean:.0f} | {cells} | {rest} |", flush=True)
    return f"{len(seconds)} verdicts, {passed} passed, refused: {sorted(failures) or 'none'}"


def main() -> None:
    """Print the pace of the machine, and what grading takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=24, metavar="N")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        measure_command(QUICK, folder)
        print(f"run impl --profile quick -j1: {measure_command(QUICK, folder).cpu:.2f} CPU s")
        print(
            "| | verdicts per hour and core | CPU s, mean | median | slowest 1 % | wall s | MiB |"
        )
        print("|---|---|---|---|---|---|---|")
        sources = submissions(options.submissions)
        notes = [grade_all(folder, sources, diagnose=diagnose) for diagnose in (False, True)]
        print("\n".join(notes))
        print(f"run impl --profile quick -j1: {measure_command(QUICK, folder).cpu:.2f} CPU s")


if __name__ == "__main__":
    main()
