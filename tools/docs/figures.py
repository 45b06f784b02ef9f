"""Fills the figures that README and docs quote.

``docs/figures.json`` is the only place where a figure is written down. ``counted`` is computed
from the code and from stored results by `generate.py`; ``measured`` comes from the output that
`evidence.py` keeps, with the commit, date, machine and command (what has no step there was entered
by hand). A page quotes a figure between two markers, which
do not show when the page is rendered::

    <!--requirements-->102<!--/-->        counted
    <!--startup.table-->…<!--/-->         measured; a list of rows becomes a table
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from conformance.diagnosis.experiment import layer_series
from conformance.diagnosis.fault_models import ALTERNATIVES
from conformance.diagnosis.modelled_gallery import MODELLED
from conformance.report.kill_matrix import KillMatrix
from conformance.requirements import REQUIREMENTS, Level, families, select
from conformance.requirements.deviations import Deviation
from impl.faulty import FAULTS
from impl.variants import VARIANTS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "figures.json"
_RESULTS = ROOT / "benchmarks" / "results"
_VERDICTS = ROOT / "benchmarks" / "mutation" / "verdicts.toml"

_MARKED = re.compile(r"<!--([a-z][\w.]*)-->(.*?)<!--/-->", re.DOTALL)
_AT_LINE_START = re.compile(r"^ {0,3}<!--[a-z][\w.]*-->.*\S", re.MULTILINE)
"""Markdown takes a line that starts with a comment for HTML as a whole."""
_DESELECTED = re.compile(r"\d+(?= deselected)")
_IN_THE_PYTEST_EXAMPLE = ["EPS", "EMA"]
"""What `-k` selects in the recorded example of pytest."""


def read() -> dict[str, Any]:
    """Return the stored figures."""
    stored: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return stored


def text(figures: dict[str, Any]) -> str:
    """Return the figures as they are stored."""
    return json.dumps(figures, ensure_ascii=False, indent=1) + "\n"


def filled(page: str, figures: dict[str, Any]) -> str:
    """Return a page with every marked figure filled in.

    Raises:
        KeyError: a marker names a figure that does not exist.
        ValueError: a line of text starts with a marker.
    """
    values = figures["counted"] | _flat(figures["measured"])
    page = _DESELECTED.sub(str(values["deselected"]), page)
    page = _MARKED.sub(lambda m: f"<!--{m[1]}-->{_shown(values[m[1]])}<!--/-->", page)
    if wrong := _AT_LINE_START.search(page):
        msg = f"a line must not start with a marker: {wrong[0]!r}"
        raise ValueError(msg)
    return page


def _flat(measured: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}.{key}": f"`{value}`" if key == "command" else value
        for name, entry in measured.items()
        for key, value in entry.items()
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        head, *rows = value
        lines = [head, ["---"] * len(head), *rows]
        return "\n" + "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def counted() -> dict[str, Any]:
    """Return the figures that follow from the code and from stored results."""
    return {**_tables(), **_mutants(), **_kill_matrix(), **_detection()}


def _tables() -> dict[str, int]:
    optional, required = {"ND", "MASK", "TYPE", "SYNC"}, select(REQUIREMENTS)
    broken = [fault.breaks for fault in FAULTS.values()]
    return {
        "requirements": len(required),
        **{level.value: len(select(REQUIREMENTS, level=level)) for level in Level},
        "core": sum(row.family not in optional for row in required),
        "families": len(families()),
        "deselected": len(required) - len(select(REQUIREMENTS, _IN_THE_PYTEST_EXAMPLE)),
        "faults": len(FAULTS),
        "pairs": sum(len(fault.breaks) for fault in FAULTS.values()),
        "unproved": len({row.id for row in required}.difference(*broken)),
        "variants": len(VARIANTS),
        "alternatives": len(ALTERNATIVES),
        "backward_alternatives": sum(a.backward for a in ALTERNATIVES.values()),
        "modelled": len(MODELLED),
        "diagnosis_layers": len(layer_series()),
        "diagnosis_calls": sum(len(series.calls) for series in layer_series()),
        "deviations": len(Deviation),
        "implementations": len(entry_points(group="conformance.implementations")),
    }


def _mutants() -> dict[str, int]:
    lines = [json.loads(line) for line in _lines(_RESULTS / "mutants.jsonl")]
    outcome = {(e["id"], e["edit"], e["judge"]): e["outcome"] for e in lines if "judge" in e}
    groups = tomllib.loads(_VERDICTS.read_text(encoding="utf-8"))["group"]
    opinion = {pair: g["verdict"] for g in groups for pair in g["mutants"].items()}
    counts: Counter[str] = Counter()
    for (name, edit, judge), result in outcome.items():
        target = name.rpartition("-")[0]
        if judge == "suite":
            verdict = "killed" if result == "killed" else opinion.get((name, edit), "unexplained")
            counts[f"mutants_{target}"] += 1
            counts[f"mutants_{target}_{verdict.replace('out of declared scope', 'outside')}"] += 1
            if outcome.get((name, edit, "upstream")) == "killed":
                counts["upstream_kills_" + ("too" if result == "killed" else "alone")] += 1
    counts["mutants"] = counts["mutants_reference"] + counts["mutants_flax"]
    counts["mutants_survivors"] = (
        counts["mutants"] - counts["mutants_reference_killed"] - counts["mutants_flax_killed"]
    )
    counts["mutants_unexplained"] += 0
    return dict(sorted(counts.items()))


def _kill_matrix() -> dict[str, Any]:
    rows = KillMatrix.read(_RESULTS / "kill-matrix.json").rows.values()
    full = [row for row in rows if "others" in row.stamp]
    commits = Counter(row.stamp["others"] for row in full)
    alone = [row for row in full if len(row.violates) == 1]
    later = {"JIT", "VMAP", "SCAN", "REMAT", "SHARED", "SHAPE-EVAL", "GRAD", "SER", "SEQ"}
    judged = {name for row in full for name in row.judged}
    return {
        "matrix_faults": len(rows),
        "matrix_killed": sum(row.killed for row in rows),
        "matrix_verdicts": sum(len(row.judged) for row in rows),
        "matrix_listed_on": ", ".join(sorted({row.stamp["listed"] for row in rows})),
        "matrix_full": len(full),
        "matrix_full_on": ", ".join(f"{n} on {commit}" for commit, n in commits.most_common()),
        "matrix_full_requirements": max(len(row.judged) for row in full),
        "matrix_alone": len(alone),
        "matrix_only_later": sum(_families(row.violates) <= later for row in full),
        "matrix_without_own": len(judged - {name for row in alone for name in row.violates}),
    }


def _families(requirements: Iterable[str]) -> set[str]:
    return {REQUIREMENTS[name].family for name in requirements}


def _detection() -> dict[str, int]:
    with (_RESULTS / "detection.csv").open(encoding="utf-8") as file:
        of_fault = defaultdict(list)
        for row in csv.DictReader(file):
            of_fault[row["fault"]].append(row)
    best = sorted(min(int(row["median"]) for row in rows) for rows in of_fault.values())
    late = max(min(int(row["p95"]) for row in rows) for rows in of_fault.values())
    return {
        "detection_faults": len(best),
        "detection_seeds": int(next(iter(of_fault.values()))[0]["seeds"]),
        "detection_median": best[len(best) // 2],
        "detection_median_95": best[int(0.95 * len(best))],
        "detection_median_worst": best[-1],
        "detection_p95_worst": late,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
