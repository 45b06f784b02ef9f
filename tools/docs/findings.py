"""Collects what the suite finds in the layers of other frameworks.

Usage: python tools/docs/findings.py DIR [DIR...]  from the reports there, one NAME.json each
       python tools/docs/findings.py --judge DIR   judge every installed framework first

Writes docs/data/findings.json; `generate.py` makes docs/findings.md of it. Where several folders
are given, a report in a later one replaces the verdicts of the requirements that it judged.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
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

_HEAD = """# Findings in other frameworks

Generated from `docs/data/findings.json` by `python tools/docs/generate.py`; do not edit.
`tox -e peers` judges every framework again and collects the data.

This page lists what the suite finds in Batch Normalization as the frameworks ship it. A violation
means that a requirement of this suite is not met; if a framework documents a different convention,
the page says so. Every implementation was judged in the default profile without a time limit.
Every cause was reproduced by hand with a script that needs only the framework. A violation is
assigned to a cause by its evidence, and the tool fails while any violation is unassigned. Every
verdict and every violation is in [data/findings.json](data/findings.json).

- A layer that declares a convention or an extended domain is judged by its declaration. Every entry
  declares the masks, feature axes, dtypes and named axes that its layer has. `flax-default`
  declares its one-pass variance; *strict* ignores that declaration (`--ignore-declarations`) and
  shows what it costs.
- What is declared is a promise, so the requirements about values in an extended domain are MUST,
  but for the accuracy of inputs of 16 bits (BN-TYPE-1, BN-TYPE-4).
  `conformance run flax` exits with 1: a 16-bit dtype, “the dtype of the result”, also rounds
  the statistics in evaluation (BN-TYPE-1), and a mask, “the positions for which the mean and
  variance should be computed”, with a named axis gives those of other positions (BN-SYNC-2).
- Keras raises for a mask on a single feature, which hides whatever else is wrong with masks.
  *Worked around* is the same layer with a single feature computed as one of two equal ones
  (`tools/docs/keras_workaround.py`), judged on masks alone.
- Equinox with mode="ema" starts its running statistics at 0 and 0, and uses them in evaluation
  before the first batch. That one cause violates every requirement that evaluates a fresh layer,
  so compare causes rather than numbers of violated requirements.
"""


def collect(found: Verdicts) -> dict[str, Any]:
    """Return the data of the page; runs the script of every cause that occurs."""
    causes = {
        (name, requirement): cause_of(name, verdict, found)
        for name, verdicts in found.items()
        for requirement, verdict in verdicts.items()
        if verdict.outcome.bad
    }
    occurring = [cause for cause in CAUSES if cause in causes.values()]
    return {
        "versions": {name: version(name) for name in _distributions(found)},
        "implementations": {
            name: _implementation(name, verdicts) for name, verdicts in found.items()
        },
        "violations": [
            {
                "implementation": name,
                "requirement": requirement,
                "cause": cause.script if cause else None,
                "finding": _finding(found[name][requirement]),
            }
            for (name, requirement), cause in causes.items()
        ],
        "outputs": {cause.script: _output(cause.script) for cause in occurring},
    }


def _distributions(found: Verdicts) -> dict[str, None]:
    return dict.fromkeys([*(PEERS[name].distribution for name in found), "jax"])


def _implementation(name: str, verdicts: dict[str, Verdict]) -> dict[str, Any]:
    built = PEERS[name].build().read(strictly=PEERS[name].strict)
    outcomes = {row: verdict.outcome.value for row, verdict in verdicts.items()}
    applicable = {row: outcome for row, outcome in outcomes.items() if outcome != "unsupported"}
    declared = sorted(deviation.name for deviation in built.deviations)
    return {"kind": built.kind, "declared": declared, "outcomes": applicable}


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


def _output(script: str) -> str:
    command = [sys.executable, "-W", "ignore", DOCS / "findings" / f"{script}.py"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def page(data: dict[str, Any]) -> str:
    """Return the page: a summary of the implementations, and a section per cause."""
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    lines = [
        *(_HEAD, f"Versions: {versions}.\n", "## Summary\n"),
        "| implementation | kind | conforms | deviates | violates | declares |",
        "|---|---|---|---|---|---|",
    ]
    for name, layer in data["implementations"].items():
        count = Counter(layer["outcomes"].values())
        counts = (str(count[outcome]) for outcome in ("conforms", "deviates", "violates"))
        declared = ", ".join(layer["declared"])
        lines.append(f"| {name} | {layer['kind']} | {' | '.join(counts)} | {declared} |")
    for cause in CAUSES:
        if cause.script in data["outputs"]:
            lines += _section(cause, data)
    return "\n".join(lines)


def _section(cause: Cause, data: dict[str, Any]) -> list[str]:
    script = f"findings/{cause.script}.py"
    title, *paragraphs = (DOCS / script).read_text().split('"""')[1].strip().split("\n\n")
    caused = [each for each in data["violations"] if each["cause"] == cause.script]
    violated = defaultdict(list)
    for each in caused:
        violated[each["implementation"]].append(each["requirement"].removeprefix("BN-"))
    example = caused[0]
    return [
        f"\n### {_one_line(title).removesuffix('.')}\n",
        *(f"{_one_line(paragraph)}\n" for paragraph in paragraphs),
        f"Documented by its authors: {cause.documented}.\n",
        *(f"- {name} violates {_listed(found)}" for name, found in violated.items()),
        f"\nFor example `{example['requirement']}`: {example['finding']}.\n",
        f"[{script}]({script}) prints\n\n```\n{data['outputs'][cause.script]}\n```",
    ]


def _listed(requirements: list[str]) -> str:
    counted = f" ({len(requirements)} requirements)" if len(requirements) > 9 else ""
    return ", ".join(requirements) + counted


def _one_line(text: str) -> str:
    return " ".join(text.split())


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


def _verdicts(name: str, folders: list[Path]) -> dict[str, Verdict]:
    """Return the last verdict on each requirement, in the order of the table."""
    reports = [Report.read(f / f"{name}.json") for f in folders if (f / f"{name}.json").is_file()]
    last = {verdict.requirement: verdict for report in reports for verdict in report.verdicts}
    return {row: last[row] for row in REQUIREMENTS if row in last}


def main(arguments: list[str]) -> int:
    """Judge if asked to, and write the data; return 1 if a violation has no known cause."""
    if arguments[:1] == ["--judge"]:
        arguments = arguments[1:]
        judge(Path(arguments[0]))
    folders = [Path(argument) for argument in arguments]
    found = {name: verdicts for name in PEERS if (verdicts := _verdicts(name, folders))}
    data = collect(found)
    DATA.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    unexplained = [each for each in data["violations"] if each["cause"] is None]
    for each in unexplained:
        print("no known cause:", *each.values())
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
