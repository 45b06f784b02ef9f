"""Measure the seconds that each requirement takes: one process, cold and again.

Usage: python benchmarks/per_requirement.py [IMPL]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from conformance.report.model import Report


def measure(name: str, cache: Path) -> dict[str, float]:
    """Judge in one process, and return the seconds by requirement."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        command = [sys.executable, "-m", "conformance", "run", name, "-j", "1"]
        environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
        subprocess.run(
            [*command, "--report", str(file)],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return {verdict.requirement: verdict.seconds for verdict in Report.read(file).verdicts}


def main() -> None:
    """Print a table, the most expensive first."""
    name = sys.argv[1] if len(sys.argv) > 1 else "impl"
    with tempfile.TemporaryDirectory() as directory:
        cold, again = (measure(name, Path(directory)) for _ in range(2))
    print(f"| {name} | cold s | again s |\n|---|---|---|")
    print(f"| all | {sum(cold.values()):.1f} | {sum(again.values()):.1f} |")
    for requirement in sorted(again, key=lambda identity: -again[identity]):
        print(f"| {requirement} | {cold[requirement]:.2f} | {again[requirement]:.2f} |")


if __name__ == "__main__":
    main()
