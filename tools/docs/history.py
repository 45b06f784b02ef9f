"""Judges several versions of each framework, for the history in docs/findings.md.

Usage: python tools/docs/history.py --judge DIR   judge what has no report there yet
       python tools/docs/history.py DIR           write the data from the reports there

Writes docs/data/history.json; `generate.py` makes a section of docs/findings.md of it, and the
versions on the page of each cause. The environments are made by uv. What has no report keeps its
data. The scripts of the causes are run in these environments as well, but for the
versions of docs/data/demonstrations.json, where that is done already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from causes import CAUSES, Cause
from demonstrate import DATA as DEMONSTRATIONS
from demonstrate import deviations, output_of

from conformance.engine.environments import find_interpreter, split_place, versions_in
from conformance.report.model import Report

DATA = Path(__file__).parents[2] / "docs" / "data" / "history.json"

_FLAX = ("0.12.1", "0.12.4", "0.12.8")
_EQUINOX = ("equinox==0.13.0,flax==0.12.1,jax==0.8.1", "0.13.8")
_TORCH = ("2.13.0", "2.14.1")

VERSIONS = {
    "flax": _FLAX,
    "flax-default": _FLAX,
    "linen": _FLAX,
    "equinox": _EQUINOX,
    "equinox-ema": _EQUINOX,
    "haiku": ("0.0.16", "0.0.17"),
    "keras": ("3.8.0", "3.11.3", "3.12.0", "3.15.1"),
    "torch-1d": _TORCH,
    "torch-2d": _TORCH,
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
    for entry, environment in _environments():
        report = _report(folder, entry, environment)
        if not report.exists():
            command = [sys.executable, "-m", "conformance", "run", f"{entry}@{environment}"]
            command += ["--no-diagnosis", "-q", "--report", str(report)]
            subprocess.run(command, check=False)  # a violation is a result


def collect(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcomes by implementation and version; those without a report are as known."""
    judged: dict[str, Any] = {}
    for entry, environment in _environments():
        number = _number(environment)
        report = _report(folder, entry, environment)
        if report.exists():
            judged.setdefault(entry, {})[number] = _judged(Report.read(report))
        elif number in known["judged"].get(entry, {}):
            judged.setdefault(entry, {})[number] = known["judged"][entry][number]
    current = json.loads(DEMONSTRATIONS.read_text(encoding="utf-8"))
    causes = {cause.name: shown(cause, current[cause.name]["versions"]) for cause in CAUSES}
    return {"judged": judged, "causes": causes}


def _judged(report: Report) -> dict[str, Any]:
    (environment,) = report.environments.values()
    outcomes = {verdict.requirement: verdict.outcome.value for verdict in report.verdicts}
    applicable = {row: end for row, end in outcomes.items() if end != "unsupported"}
    return {"environment": environment, "outcomes": applicable}


def shown(cause: Cause, current: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return by version of the framework that of JAX, and what the script shows.

    Args:
        cause: The cause.
        current: The versions with which it is known to be shown, that of the framework first.
    """
    entry = next(name for name in map(_base, cause.implementations) if name in VERSIONS)
    found = {_number(each): (cause, f"{entry}@{each}") for each in VERSIONS[entry]}
    newest = next(iter(current.values()))
    known = {"jax": current["jax"], "shows": "present"}
    return {number: known if number == newest else _shown(*found[number]) for number in found}


def _shown(cause: Cause, name: str) -> dict[str, str]:
    """Return the version of JAX in an environment, and ``present``, ``absent`` or an error."""
    place = split_place(name)
    python = find_interpreter(place, on_making=print)
    try:
        shows = "present" if deviations(output_of(cause.name, python)) else "absent"
    except RuntimeError as error:
        shows = str(error).partition(": ")[2]
    return {"jax": versions_in(place)["jax"], "shows": shows}


def _base(name: str) -> str:
    """Return the entry of an implementation: "keras" of "keras, worked around"."""
    return name.partition(",")[0]


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
    listed = [f"{', '.join(rows)} from {a} to {b}" for (a, b), rows in moved.items()]
    return "; ".join(listed) or "no outcome changed"


def _environments() -> list[tuple[str, str]]:
    return [(entry, each) for entry, numbers in VERSIONS.items() for each in numbers]


def _number(environment: str) -> str:
    return environment.partition(",")[0].rpartition("==")[2]


def _report(folder: Path, entry: str, environment: str) -> Path:
    return folder / f"{entry}@{environment}.json"


def main(arguments: list[str]) -> None:
    """Judge, or write the data."""
    if arguments[0] == "--judge":
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    known = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {"judged": {}}
    data = collect(Path(arguments[0]), known)
    DATA.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
