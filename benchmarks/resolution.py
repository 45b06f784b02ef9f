"""Which relative errors each requirement still sees, by the number of rows.

Usage: python benchmarks/resolution.py [REPORT.json]

Judges the references ``impl`` and ``variant:wide``, or reads a report. The table is in
docs/error-bounds.md.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, select

CLASSES = ((8, "1–8"), (64, "9–64"), (1025, "65–1025"), (4097, "4097"), (65537, "65,537"))
LARGEST = ((131073, "131,073"), (10**9, "802,816"))
NO_SIZE = "0"
"""Where cases have batches of several sizes."""


def judge(file: Path) -> None:
    """Judge both references, and write a report."""
    command = [sys.executable, "-m", "conformance", "run", "impl", "variant:wide"]
    command += ["--report", str(file)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def table_of(report: Report) -> list[list[str]]:
    """Return a row for each requirement that compares numbers: the loosest of each size class."""
    classes = (*CLASSES, *LARGEST)
    rows = [["requirement", "sizes vary", *(f"N = {name}" for _, name in classes)]]
    for identity in [row.id for row in select(REQUIREMENTS)]:
        found: dict[str, float] = {}
        for verdict in report.verdicts:
            for size, value in (
                verdict.resolution.items() if verdict.requirement == identity else ()
            ):
                name = next(name for most, name in classes if int(size) <= most)
                name = "sizes vary" if size == NO_SIZE else name
                found[name] = max(value, found.get(name, 0.0))
        if found:
            names = ("sizes vary", *(name for _, name in classes))
            cells = [f"{found[name]:.0e}" if name in found else "" for name in names]
            rows.append([identity.removeprefix("BN-"), *cells])
    return rows


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(sys.argv[1]) if sys.argv[1:] else Path(directory) / "report.json"
        if not sys.argv[1:]:
            judge(file)
        head, *rows = table_of(Report.read(file))
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
