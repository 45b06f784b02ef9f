"""Collects what the suite finds in the layers of other frameworks.

Usage: python tools/docs/findings.py DIR [DIR...]  from the reports there, one NAME.json each
       python tools/docs/findings.py --judge DIR   judge every installed framework first

Writes docs/data/findings.json; `generate.py` makes docs/findings.md of it. Where several folders
are given, a report in a later one replaces the verdicts of the requirements that it judged. The
data of the last run, if it was another one, are kept as docs/data/findings-before.json: the page
says what is new since then.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import keras_workaround
from causes import CAUSES, Cause

import impl
from conformance.adapters import peers
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Verdict

DOCS = Path(__file__).parents[2] / "docs"
DATA = DOCS / "data" / "findings.json"
BEFORE = DATA.with_name("findings-before.json")
_WORKAROUND = f"{Path(keras_workaround.__file__)}:keras"

Verdicts = dict[str, dict[str, Verdict]]
"""The verdict on each requirement, by the name of the implementation."""


class Peer(NamedTuple):
    """An implementation to judge, the distribution that it belongs to, and the options."""

    build: Callable[[], Implementation]
    entry: str
    distribution: str
    strict: bool = False
    only: str = ""


PEERS = {
    "flax": Peer(impl.flax, "flax", "flax"),
    "flax-default": Peer(impl.flax_default, "flax-default", "flax"),
    "flax-default, strict": Peer(impl.flax_default, "flax-default", "flax", strict=True),
    "linen": Peer(peers.linen, "linen", "flax"),
    "equinox": Peer(peers.equinox, "equinox", "equinox"),
    "equinox-ema": Peer(peers.equinox_ema, "equinox-ema", "equinox"),
    "haiku": Peer(peers.haiku, "haiku", "dm-haiku"),
    "keras": Peer(peers.keras, "keras", "keras"),
    "keras, worked around": Peer(keras_workaround.keras, _WORKAROUND, "keras", only="MASK"),
    "torch-1d": Peer(peers.torch_1d, "torch-1d", "torch"),
    "torch-2d": Peer(peers.torch_2d, "torch-2d", "torch"),
    "mlx": Peer(peers.mlx, "mlx", "mlx"),
    "onnx": Peer(peers.onnx, "onnx", "onnx"),
}


def collect(found: Verdicts, date: str) -> dict[str, Any]:
    """Return the data of the page, for a run that started at a date and time."""
    causes = {
        (name, requirement): cause_of(name, verdict, found)
        for name, verdicts in found.items()
        for requirement, verdict in verdicts.items()
        if verdict.outcome.bad
    }
    return {
        "run": {"date": date},
        "versions": {name: version(name) for name in _distributions(found)},
        "implementations": {
            name: _implementation(name, verdicts) for name, verdicts in found.items()
        },
        "violations": [
            {
                "implementation": name,
                "requirement": requirement,
                "cause": cause.name if cause else None,
                "finding": _finding(found[name][requirement]),
            }
            for (name, requirement), cause in causes.items()
        ],
    }


def _distributions(found: Verdicts) -> dict[str, None]:
    return dict.fromkeys([*(PEERS[name].distribution for name in found), "jax"])


def _implementation(name: str, verdicts: dict[str, Verdict]) -> dict[str, Any]:
    built = PEERS[name].build().read(strictly=PEERS[name].strict)
    outcomes = {row: verdict.outcome.value for row, verdict in verdicts.items()}
    applicable = {row: outcome for row, outcome in outcomes.items() if outcome != "unsupported"}
    declared = sorted(deviation.name for deviation in built.deviations)
    return {
        "distribution": PEERS[name].distribution,
        "kind": built.kind,
        "declared": declared,
        "outcomes": applicable,
    }


def cause_of(name: str, verdict: Verdict, found: Verdicts) -> Cause | None:
    """Return the first cause that explains a violation."""
    for cause in CAUSES:
        declared = found.get(cause.declared, {}).get(verdict.requirement)
        same = declared and declared.outcome.bad and _finding(declared) == _finding(verdict)
        if cause.explains(name, verdict) and not same:
            return cause
    return None


def _finding(verdict: Verdict) -> str:
    return verdict.violation.finding.sentence() if verdict.violation else verdict.outcome.value


def judge(folder: Path) -> None:
    """Judge every framework that is installed, and write a report for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, peer in PEERS.items():
        try:
            peer.build()
        except AdapterError as error:
            print(error)
            continue
        command = [sys.executable, "-m", "conformance", "run", peer.entry]
        command += ["--ignore-declarations"] * peer.strict + ["-k", peer.only] * bool(peer.only)
        command += ["--report", str(folder / f"{name}.json")]
        started = time.perf_counter()
        subprocess.run(command, check=False)  # a violation is a result
        print(f"{name}: {time.perf_counter() - started:.0f} s")


def _verdicts(reports: list[Report]) -> dict[str, Verdict]:
    """Return the last verdict on each requirement, in the order of the table."""
    last = {verdict.requirement: verdict for report in reports for verdict in report.verdicts}
    return {row: last[row] for row in REQUIREMENTS if row in last}


def _date(reports: list[Report]) -> str:
    """Return when the last of some reports was started, in UTC, to the minute."""
    started = max(report.header.started for report in reports)
    return f"{datetime.datetime.fromtimestamp(started, datetime.UTC):%Y-%m-%d %H:%M}"


def store(data: dict[str, Any], file: Path = DATA, before: Path = BEFORE) -> None:
    """Write the data of a run; those of another run that are there become those of the last one."""
    if file.exists():
        text = file.read_text(encoding="utf-8")
        if json.loads(text)["run"] != data["run"]:
            before.write_text(text, encoding="utf-8")
    file.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Judge if asked to, and write the data; return 1 if a violation has no known cause."""
    if arguments[:1] == ["--judge"]:
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    files = {
        name: [each for folder in arguments if (each := Path(folder) / f"{name}.json").is_file()]
        for name in PEERS
    }
    reports = {
        name: [Report.read(each) for each in found] for name, found in files.items() if found
    }
    if not reports:
        sys.exit(f"there is no report in {', '.join(arguments) or 'no folder'}; judge with --judge")
    date = max(_date(found) for found in reports.values())
    data = collect({name: _verdicts(found) for name, found in reports.items()}, date)
    store(data)
    unexplained = [each for each in data["violations"] if each["cause"] is None]
    for each in unexplained:
        print("no known cause:", *each.values())
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
