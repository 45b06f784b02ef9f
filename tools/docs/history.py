"""Judges several versions of each framework, for the history in docs/findings.md.

Usage: python tools/docs/history.py --judge DIR   judge what has no report there yet
       python tools/docs/history.py DIR           write the data from the reports there

Writes docs/data/history.json; `generate.py` makes a section of docs/findings.md of it. The
environments are made by uv.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from conformance.report.model import Report

DATA = Path(__file__).parents[2] / "docs" / "data" / "history.json"

_FLAX = ("0.12.1", "0.12.4", "0.12.8")
_EQUINOX = ("equinox==0.13.0,flax==0.12.1,jax==0.8.1", "0.13.8")

VERSIONS = {
    "flax": _FLAX,
    "flax-default": _FLAX,
    "linen": _FLAX,
    "equinox": _EQUINOX,
    "equinox-ema": _EQUINOX,
    "haiku": ("0.0.16", "0.0.17"),
    "keras": ("3.8.0", "3.15.1"),
    "mlx": ("0.29.0", "0.32.4"),
    "onnx": ("1.17.0", "1.23.2"),
}
"""The environments of each implementation, from the oldest version to the newest."""

_HEAD = """
## History

The same implementations with several versions of their framework, judged by `conformance run
NAME@VERSION` ([other environments](other-environments.md)); `python tools/docs/history.py` collects
the data. Versions that do not work with the newest JAX were judged with the oldest that the suite
supports. Requirements that do not apply are left out.

An entry declares what the newest version does. mlx 0.29.0 computes a batch of one row and averages
the biased variance, where the entry declares a refusal and the unbiased one, so its violations say
that the declaration is untrue of it.

| implementation | version | with | conforms | deviates | violates |
|---|---|---|---|---|---|"""


def judge(folder: Path) -> None:
    """Judge what has no report in a folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names():
        report = folder / f"{name}.json"
        if not report.exists():
            command = [sys.executable, "-m", "conformance", "run", name, "--no-diagnosis", "-q"]
            command += ["--report", str(report)]
            subprocess.run(command, check=False)  # a violation is a result


def collect(folder: Path) -> dict[str, Any]:
    """Return the outcomes by implementation and version."""
    data: dict[str, Any] = {}
    for name in _names():
        report = Report.read(folder / f"{name}.json")
        entry, _, environment = name.partition("@")
        number = environment.partition(",")[0].rpartition("==")[2]
        outcomes = {verdict.requirement: verdict.outcome.value for verdict in report.verdicts}
        data.setdefault(entry, {})[number] = {
            "environment": report.environments[name],
            "outcomes": {row: end for row, end in outcomes.items() if end != "unsupported"},
        }
    return data


def section(data: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the section: a row per version, and what changed from each to the next."""
    lines = [_HEAD]
    for entry, versions in data.items():
        lines += [_row(entry, number, judged) for number, judged in versions.items()]
    lines.append("")
    for entry, versions in data.items():
        for (old, before), (new, after) in pairwise(versions.items()):
            lines.append(f"- {entry}, {old} to {new}: {_changes(before, after)}.")
    return "\n".join(lines)


def _row(entry: str, number: str, judged: Mapping[str, Any]) -> str:
    there = judged["environment"]
    listed = ", ".join(f"{name} {there[name]}" for name in ("jax", "flax") if name in there)
    count = Counter(judged["outcomes"].values())
    counts = " | ".join(str(count[each]) for each in ("conforms", "deviates", "violates"))
    return f"| {entry} | {number} | {listed} | {counts} |"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    old, new = before["outcomes"], after["outcomes"]
    moved: dict[tuple[str, str], list[str]] = {}
    for row in dict.fromkeys((*old, *new)):
        ends = old.get(row, "unsupported"), new.get(row, "unsupported")
        if ends[0] != ends[1]:
            moved.setdefault(ends, []).append(row.removeprefix("BN-"))
    listed = [f"{_joined(rows)} from {a} to {b}" for (a, b), rows in moved.items()]
    return "; ".join(listed) or "no outcome changed"


def _joined(rows: Sequence[str]) -> str:
    return ", ".join(rows)


def _names() -> list[str]:
    return [f"{entry}@{number}" for entry, numbers in VERSIONS.items() for number in numbers]


def main(arguments: list[str]) -> None:
    """Judge, or write the data."""
    if arguments[0] == "--judge":
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    data = collect(Path(arguments[0]))
    DATA.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
