"""Keeps the kill matrix of the gallery: judges the faults whose row is missing or out of date.

Usage: python tools/docs/matrix.py [FAULT ...] [--listed] [--missing] [--minutes M] [--work DIR]

A row is up to date if neither the suite nor the modules of its fault changed since all
requirements were judged. Rows are judged in small groups, those that are missing first, and written
after each group, so the command can be interrupted. With ``--listed`` each fault is judged only on
the requirements that its record lists, which takes minutes; verdicts on the others are kept.
``--missing`` is for a new fault or a new requirement: it judges only faults that have no row, or a
row without what their record lists.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from evidence import last_change
from steps import STEPS

from conformance.adapters.gallery import load_members
from conformance.engine.budget import budget
from conformance.engine.journal import digest
from conformance.report.kill_matrix import KillMatrix, Row
from conformance.requirements import REQUIREMENTS

ROOT = Path(__file__).parents[2]
MATRIX = ROOT / "benchmarks" / "results" / "kill-matrix.json"
CASES, OTHERS, GROUP = 100, 10, 16
CONDITIONS = (
    f"each fault on the requirements that its record names, {CASES} cases each, and on all others, "
    f"{OTHERS} cases each, times the share of the requirement; seed 0; the stamp of each row says "
    "on which commits"
)


def missing(matrix: KillMatrix) -> list[str]:
    """Return the faults without a row, or whose row lacks what their record lists."""
    return [
        name
        for name, fault in load_members("fault").items()
        if name not in matrix.rows or not {*fault.breaks} <= {*matrix.rows[name].violates}
    ]


def out_of_date(matrix: KillMatrix, *, listed: bool) -> list[str]:
    """Return the faults to judge, those without a row first."""
    gallery = load_members("fault")
    empty = Row("", "", "", [])

    def current(name: str) -> bool:
        row = matrix.rows.get(name, empty)
        key = "listed digest" if listed else "digest"
        return set(gallery[name].breaks) <= set(row.judged) and row.stamp.get(key) == (
            digest_of(name)
        )

    names = [name for name in gallery if not current(name)]
    return sorted(names, key=lambda name: len(matrix.rows.get(name, empty).judged))


def digest_of(name: str) -> str:
    """Return the digest of the suite and of the modules of a fault."""
    return digest(load_members("fault")[name].module, budget(max_examples=CASES, seed=0))


def judge(names: list[str], work: Path, *, listed: bool) -> KillMatrix:
    """Judge some faults in another process, and return their rows."""
    part = work / "part.json"
    part.unlink(missing_ok=True)
    command = [sys.executable, "-m", "conformance", "faults", *names]
    command += [] if listed else ["--full", "--others", str(OTHERS)]
    files = ["--resume", str(work / "matrix.jsonl"), "--matrix", str(part)]
    done = subprocess.run([*command, *files], stdout=subprocess.DEVNULL, check=False)
    if not part.exists():  # exit code 1 is a fault that is missed, which the rows show
        sys.exit(f"the faults were not judged: exit code {done.returncode}")
    return KillMatrix.read(part)


def merged(old: Row | None, new: Row, name: str, *, listed: bool) -> Row:
    """Return a new row; where only listed requirements were judged, with the old verdicts."""
    now = last_change(STEPS["matrix"].sources)
    stamp = {"listed": now, "listed digest": digest_of(name)}
    if not listed:
        new.stamp = stamp | {"others": now, "digest": digest_of(name)}
    elif old is None:
        new.stamp = stamp
    else:
        kept = [row for row in old.judged if row in REQUIREMENTS and row not in new.judged]
        new.judged += kept
        new.violates |= {row: count for row, count in old.violates.items() if row in kept}
        new.failed |= {row: why for row, why in old.failed.items() if row in kept}
        older = {key: old.stamp[key] for key in ("others", "digest") if key in old.stamp}
        new.stamp = stamp | older
    return new


def write(matrix: KillMatrix) -> None:
    """Write the rows in the order of the gallery; faults that are gone have none."""
    matrix.conditions = CONDITIONS
    matrix.rows = {name: matrix.rows[name] for name in load_members("fault") if name in matrix.rows}
    matrix.write(MATRIX)


def main() -> None:
    """Judge what is out of date, a group after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    parser.add_argument("--listed", action="store_true", help="only what the records list")
    parser.add_argument("--missing", action="store_true", help="only what has no row")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--work", type=Path, default=ROOT / ".evidence")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    matrix, started = KillMatrix.read(MATRIX), time.monotonic()
    names = options.faults
    if not names:
        choose = missing if options.missing else partial(out_of_date, listed=options.listed)
        names = choose(matrix)
    size = len(names) if options.listed else GROUP
    write(matrix)
    for first in range(0, len(names), size or 1):
        if time.monotonic() - started > 60 * options.minutes:
            break
        group = names[first : first + size]
        for name, row in judge(group, options.work, listed=options.listed).rows.items():
            matrix.rows[name] = merged(matrix.rows.get(name), row, name, listed=options.listed)
        write(matrix)
        print(f"{min(first + size, len(names))} of {len(names)} rows", flush=True)


if __name__ == "__main__":
    main()
